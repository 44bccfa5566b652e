//! Where a value stands in a JSON record: under a key, or at the end of a path.

use serde_json::{Map, Value};

use super::path::Path;

/// Where a value stands in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Key(String),
    Path(Path),
}

impl Field {
    /// The value called `text` of a record: a key as it stands, else a path, if there is one.
    pub fn find(text: &str, record: &Map<String, Value>) -> Option<Self> {
        let field = match record.contains_key(text) {
            true => Self::Key(text.to_owned()),
            false => Self::Path(Path::parse(text)),
        };
        field.is_in(record).then_some(field)
    }

    /// The values that stand there; the value of a key as it is, those of a path with lists taken apart.
    pub fn values<'r>(&self, record: &'r Map<String, Value>) -> Vec<&'r Value> {
        match self {
            Self::Key(key) => record.get(key).into_iter().collect(),
            Self::Path(path) => path.values(record),
        }
    }

    pub fn is_in(&self, record: &Map<String, Value>) -> bool {
        match self {
            Self::Key(key) => record.contains_key(key),
            Self::Path(path) => !path.values(record).is_empty(),
        }
    }

    /// The key of the record that holds it.
    pub fn root(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::Path(path) => path.root(),
        }
    }

    pub fn name(&self) -> String {
        match self {
            Self::Key(key) => key.clone(),
            Self::Path(path) => path.to_string(),
        }
    }
}
