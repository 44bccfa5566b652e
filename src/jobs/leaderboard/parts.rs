//! The public and the private images of a contest: which they are, and what a record says of that.

use std::collections::BTreeMap;

use fgd_record::{PRIVATE, PUBLIC, SPLIT, Split};
use fgd_store::digest::Digest;

use crate::jobs::scoring::slices::Grouping;

/// The images of each part of a split.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where the split comes from: `seed` or the name of a column.
    pub source: String,
    /// The seed, where it was drawn.
    pub seed: Option<u64>,
    /// For each image whether it is public.
    pub public: Vec<bool>,
}

impl Parts {
    /// Indices of the public images, or of the private ones, ascending.
    pub fn images(&self, public: bool) -> Vec<usize> {
        (0..self.public.len()).filter(|&image| self.public[image] == public).collect()
    }

    /// What records of the public part must share in their references: what the references are, and which part it is.
    pub fn public_sha256(&self, references_sha256: &str) -> String {
        let public: Vec<u8> = self.public.iter().map(|&public| public.into()).collect();
        let digest = Digest::new("public-part", 1).field("references", references_sha256);
        digest.field("public", public).finish()
    }

    /// The split as a record has it, before anything is ranked.
    pub fn split(&self) -> Split {
        let public = self.images(true).len() as u64;
        Split {
            source: self.source.clone(),
            seed: self.seed,
            public,
            private: self.public.len() as u64 - public,
            rank_correlation: None,
        }
    }

    /// The parts as groups of images.
    pub fn grouping(&self) -> Grouping {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (image, public) in self.public.iter().enumerate() {
            let part = if *public { PUBLIC } else { PRIVATE };
            groups.entry(part.to_owned()).or_default().push(image);
        }
        Grouping { column: SPLIT.to_owned(), groups }
    }
}
