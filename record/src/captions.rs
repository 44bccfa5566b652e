//! Every caption of a job, image by image: what reports list, search and put side by side.
//!
//! A record holds the table only where its job was asked for it, since it grows with the images. It is kept column by
//! column, as data frames are: place `i` of every column belongs to image `i`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Name of the column that says which part of a split leaderboard an image belongs to.
pub const SPLIT: &str = "split";
/// What [`SPLIT`] says of an image that everybody may see.
pub const PUBLIC: &str = "public";
/// What [`SPLIT`] says of an image that decides in the end.
pub const PRIVATE: &str = "private";

/// The captions of one or several systems for the same images.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionTable {
    /// The images.
    pub ids: Vec<String>,
    /// Their references; no column where they are of other images or not to be shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<Vec<String>>,
    /// The columns that group the images, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, Vec<String>>,
    /// What each system wrote, in the order of the record.
    pub systems: Vec<SystemCaptions>,
    /// Base64 of small JPEGs, by id of the image: of those that are looked at first, where images were at hand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub thumbnails: BTreeMap<String, String>,
}

/// The captions of one system.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemCaptions {
    /// What reports call the system.
    pub name: String,
    /// Data rows of its file, counted from 1.
    pub rows: Vec<u64>,
    /// Its captions.
    pub captions: Vec<String>,
    /// What is known of each caption in numbers; the first column is the one to sort by.
    pub numbers: Vec<CaptionNumbers>,
    /// Kinds of findings of the linter, each with the places in the table (from 0) where it stands.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, Vec<u64>>,
}

/// One number of every caption.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptionNumbers {
    /// The number, such as `distance` or the name of a metric.
    pub name: String,
    /// What to call it in a table.
    pub label: String,
    /// Whether a higher value is better; `None` where neither direction is.
    pub higher_is_better: Option<bool>,
    /// The values, to six significant digits; `None` where the caption has none.
    pub values: Vec<Option<f64>>,
}

impl CaptionTable {
    /// Whether every column has a place for every image, which a record from elsewhere need not keep to.
    pub fn is_whole(&self) -> bool {
        let n = self.ids.len();
        let is_system_whole = |system: &SystemCaptions| {
            system.rows.len() == n
                && system.captions.len() == n
                && system.numbers.iter().all(|column| column.values.len() == n)
                && system.findings.values().flatten().all(|place| (*place as usize) < n)
        };
        n > 0
            && (self.references.is_empty() || self.references.len() == n)
            && self.groups.values().all(|column| column.len() == n)
            && self.systems.iter().all(is_system_whole)
    }

    /// The table of one of its systems; `None` where it has no captions.
    pub fn of_system(&self, name: &str) -> Option<Self> {
        let system = self.systems.iter().find(|system| system.name == name)?;
        Some(Self { systems: vec![system.clone()], ..self.shared() })
    }

    /// What all systems share.
    fn shared(&self) -> Self {
        Self {
            ids: self.ids.clone(),
            references: self.references.clone(),
            groups: self.groups.clone(),
            systems: Vec::new(),
            thumbnails: self.thumbnails.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> CaptionTable {
        let texts = |texts: [&str; 3]| texts.map(str::to_owned).to_vec();
        CaptionTable {
            ids: texts(["1", "2", "3"]),
            references: vec![texts(["a", "b", "c"]), Vec::new(), Vec::new()],
            groups: [("split".to_owned(), texts(["public", "private", "public"]))].into(),
            systems: vec![SystemCaptions {
                name: "base".into(),
                rows: vec![3, 1, 2],
                captions: texts(["x", "y", "z"]),
                numbers: vec![CaptionNumbers {
                    name: "distance".into(),
                    values: vec![Some(0.1), None, Some(0.3)],
                    ..CaptionNumbers::default()
                }],
                findings: [("empty".to_owned(), vec![1, 2]), ("long".to_owned(), vec![1])].into(),
            }],
            thumbnails: [("2".to_owned(), "AA".to_owned())].into(),
        }
    }

    #[test]
    fn a_column_that_is_too_short_is_noticed() {
        let mut short = table();
        short.systems[0].captions.pop();
        assert!(table().is_whole() && !short.is_whole());
        let mut beyond = table();
        beyond.systems[0].findings.insert("empty".into(), vec![3]);
        assert!(!beyond.is_whole());
        assert!(table().of_system("tuned").is_none());
    }
}
