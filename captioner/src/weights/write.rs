//! Safetensors files as Python writes them: a header of names, types, shapes and places, then the tensors one after the other, never all
//! in memory. The file is whole or not there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use fgd_store::file::Output;
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::error::{Error, Result};

/// A tensor to be written.
pub struct Header {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub dtype: Dtype,
    /// Its shape, outermost dimension first.
    pub shape: Vec<usize>,
}

impl Header {
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Writes `headers` in their order; `put` writes the bytes of each.
///
/// # Errors
/// A place that cannot be written; whatever `put` fails at.
pub fn write_tensors(
    path: &Path,
    metadata: &BTreeMap<String, String>,
    headers: &[Header],
    mut put: impl FnMut(&Header, &mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut table = serde_json::Map::new();
    table.insert("__metadata__".into(), json!(metadata));
    let mut at = 0;
    for header in headers {
        let end = at + header.bytes();
        let dtype = header.dtype.to_string();
        let entry = json!({"dtype": dtype, "shape": header.shape, "data_offsets": [at, end]});
        table.insert(header.name.clone(), entry);
        at = end;
    }
    let mut table = Value::Object(table).to_string().into_bytes();
    table.resize(table.len().next_multiple_of(8), b' ');
    let mut output = Output::create(path)?;
    let mut write = |bytes: &[u8]| output.write_all(bytes).map_err(Error::io(path));
    write(&(table.len() as u64).to_le_bytes())?;
    write(&table)?;
    for header in headers {
        put(header, &mut output)?;
    }
    Ok(output.commit()?)
}

/// The values as little-endian bytes, piece by piece.
///
/// # Errors
/// A place that cannot be written.
pub fn put_f32(values: &[f32], to: &mut dyn Write) -> std::io::Result<()> {
    for piece in values.chunks(1 << 12) {
        let bytes: Vec<u8> = piece.iter().flat_map(|value| value.to_le_bytes()).collect();
        to.write_all(&bytes)?;
    }
    Ok(())
}
