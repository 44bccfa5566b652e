//! Which images a leaderboard shows while a competition runs (public), and which decide it (private).

use fgd_captions::{CaptionFile, References, USAGE};
use sha2::{Digest, Sha256};

/// How the split was asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum SplitBy {
    /// This share of the images is public, drawn by the seed.
    Share(f64),
    /// A column of the reference file says `Public` or `Private`.
    Column(String),
}

/// Why there is no split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// It is neither a share nor a column.
    #[error(
        "--split {0}: write public=SHARE with a share between 0 and 1, or the name of a column of the references"
    )]
    Syntax(String),
    /// There is no such column.
    #[error("--split {0}: the references have no such column")]
    Column(String),
    /// A cell is neither Public nor Private.
    #[error(
        "row {row}, id {id}: {column} is `{value}`; it must be Public or Private (rows may be Ignored in a column Usage)"
    )]
    Value {
        /// The column.
        column: String,
        /// The data row.
        row: u64,
        /// The image.
        id: String,
        /// What stands there.
        value: String,
    },
    /// One of the parts is empty.
    #[error(
        "the split leaves {public} public and {private} private images; both parts need at least 2"
    )]
    Empty {
        /// Images of the public part.
        public: usize,
        /// Images of the private part.
        private: usize,
    },
}

impl SplitBy {
    /// Reads `public=0.3` or the name of a column.
    pub fn parse(text: &str) -> Result<Self, SplitError> {
        let Some(share) = text.strip_prefix("public=") else {
            return if text.is_empty() || text.contains('=') {
                Err(SplitError::Syntax(text.into()))
            } else {
                Ok(Self::Column(text.into()))
            };
        };
        match share.parse::<f64>() {
            Ok(share) if share > 0.0 && share < 1.0 => Ok(Self::Share(share)),
            _ => Err(SplitError::Syntax(text.into())),
        }
    }
}

/// For each image whether it is public: the share with the smallest hashes of seed and id.
///
/// An image's hash depends on nothing else, so neither the order of the rows nor further images move the
/// others about more than they must.
pub fn by_seed<'a>(
    ids: impl Iterator<Item = &'a str>,
    share: f64,
    seed: u64,
) -> Result<Vec<bool>, SplitError> {
    let hash = |id: &str| -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(seed.to_le_bytes());
        hasher.update(id);
        hasher.finalize().into()
    };
    let mut order: Vec<([u8; 32], usize)> =
        ids.enumerate().map(|(image, id)| (hash(id), image)).collect();
    order.sort_unstable();
    let count = (share * order.len() as f64).round() as usize;
    let mut public = vec![false; order.len()];
    for (_, image) in order.iter().take(count) {
        public[*image] = true;
    }
    checked(public)
}

/// For each image whether it is public, by a column of the reference file; upper and lower case are the same.
pub fn by_column(
    references: &CaptionFile,
    images: &References,
    column: &str,
) -> Result<Vec<bool>, SplitError> {
    let values =
        (references.column(column)).ok_or_else(|| SplitError::Column(column.to_owned()))?;
    let public = images
        .captions
        .iter()
        .map(|captions| {
            // The first reference speaks for its image.
            let row = captions[0];
            let value = values[row].as_deref().unwrap_or_default();
            match value.trim().to_ascii_lowercase().as_str() {
                "public" => Ok(true),
                "private" => Ok(false),
                _ => Err(SplitError::Value {
                    column: column.to_owned(),
                    row: references.captions[row].row,
                    id: references.captions[row].id.clone(),
                    value: value.to_owned(),
                }),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    checked(public)
}

/// Whether the reference file says by itself which image is public.
pub fn has_usage(references: &CaptionFile) -> bool {
    references.column_names().any(|name| name == USAGE)
}

fn checked(public: Vec<bool>) -> Result<Vec<bool>, SplitError> {
    let count = public.iter().filter(|&&public| public).count();
    if count < 2 || public.len() - count < 2 {
        return Err(SplitError::Empty { public: count, private: public.len() - count });
    }
    Ok(public)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_or_a_column() {
        assert_eq!(SplitBy::parse("public=0.3"), Ok(SplitBy::Share(0.3)));
        assert_eq!(SplitBy::parse("Usage"), Ok(SplitBy::Column("Usage".into())));
        for text in ["public=1", "public=x", "private=0.3", ""] {
            assert!(SplitBy::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_order_of_the_images_does_not_matter() {
        let ids: Vec<String> = (0..200).map(|i| format!("image {i}")).collect();
        let forth = by_seed(ids.iter().map(String::as_str), 0.3, 7).unwrap();
        let mut back = by_seed(ids.iter().rev().map(String::as_str), 0.3, 7).unwrap();
        back.reverse();
        assert_eq!(forth, back);
        assert_eq!(forth.iter().filter(|&&public| public).count(), 60);
        assert_ne!(forth, by_seed(ids.iter().map(String::as_str), 0.3, 8).unwrap());
    }

    #[test]
    fn a_part_without_images_is_refused() {
        let found = by_seed(["a", "b", "c"].into_iter(), 0.1, 0);
        assert_eq!(found, Err(SplitError::Empty { public: 0, private: 3 }));
    }
}
