//! Where in a suite file something stands: keys and indices as a check knows them become a line and a column.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use crate::toml_file::Misplaced;

/// Something that is wrong, and where.
pub(super) struct Problem {
    pub at: At,
    pub message: String,
}

/// A path of keys and indices from the top of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct At(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Key(&'static str),
    Index(usize),
}

impl Problem {
    pub fn new(at: At, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }

    /// It with the line and the column where it stands.
    pub fn of(self, text: &str, path: &Path) -> Misplaced {
        Misplaced::new(text, path, self.at.offset(text), self.message)
    }
}

impl At {
    /// The file as a whole.
    pub fn top() -> Self {
        Self::default()
    }

    /// A key at the top.
    pub fn key(key: &'static str) -> Self {
        Self::top().then(key)
    }

    /// One of the tables of a name, such as the second `[[system]]`.
    pub fn item(table: &'static str, index: usize) -> Self {
        Self::key(table).nth(index)
    }

    /// A key of that table.
    pub fn then(mut self, key: &'static str) -> Self {
        self.0.push(Part::Key(key));
        self
    }

    /// An element of that array.
    pub fn nth(mut self, index: usize) -> Self {
        self.0.push(Part::Index(index));
        self
    }

    /// The byte at which it begins; of what is left out, that of the table it would stand in.
    pub fn offset(&self, text: &str) -> usize {
        let Ok(document) = DeTable::parse(text) else {
            return 0;
        };
        let document = DeValue::Table(document.into_inner());
        let (mut value, mut start) = (&document, 0);
        for part in &self.0 {
            let next = match (part, value) {
                (Part::Key(key), DeValue::Table(table)) => {
                    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
                }
                (Part::Index(index), DeValue::Array(array)) => array.get(*index),
                _ => None,
            };
            let Some(next) = next else {
                break;
            };
            // The span of an array of tables is that of its first one.
            (value, start) = (next.get_ref(), next.span().start);
        }
        start
    }
}
