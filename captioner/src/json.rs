//! The JSON files of a checkpoint, as Python writes them.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::{Error, Result};

/// Reads a JSON file into `T`; the error names the file.
pub fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let mut value: Value = serde_json::from_slice(&bytes)
        .map_err(|e| Error::checkpoint(path, format!("not JSON: {e}")))?;
    drop_nulls(&mut value);
    serde_json::from_value(value).map_err(|e| Error::checkpoint(path, e))
}

/// Python writes `null` where it means "the default".
fn drop_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, v| !v.is_null());
        map.values_mut().for_each(drop_nulls);
    }
}

/// A token id, or a list of them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl OneOrMany {
    pub fn into_vec(self) -> Vec<u32> {
        match self {
            Self::One(id) => vec![id],
            Self::Many(ids) => ids,
        }
    }
}
