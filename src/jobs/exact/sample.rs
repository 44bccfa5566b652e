//! What is known of the references when submissions are read: the names of their images, or of a sample of them where they are many.
//!
//! Which column of a submission holds the ids can be seen only beside those of the references, and these are no machine's memory. An
//! image is in the sample by a hash of its id, whatever that is spelt like, so every part of a submission meets its share of it.

use std::sync::{Mutex, PoisonError};

use fgd_captions::{Caption, CaptionFile, Known, wide_image_key};
use fgd_metrics::pair_sums::place;
use rayon::prelude::*;

/// Images of a sample, at most: some 100 bytes each.
const MOST: usize = 1 << 19;

/// A name of an image: a hash of it, the id, and what stands in other columns that could hold ids.
type Name = (u64, String, Vec<(String, Option<String>)>);

/// References that are being read.
#[derive(Default)]
pub struct Sampling(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Hashes begin with so many zeros.
    zeros: u32,
    names: Vec<Name>,
}

impl Sampling {
    /// Takes the images of a piece, on any thread and in any order.
    pub fn add(&self, file: &CaptionFile) {
        let zeros = self.0.lock().unwrap_or_else(PoisonError::into_inner).zeros;
        let columns: Vec<_> = file.id_columns().map(|name| (name, file.column(name))).collect();
        let name = |(at, caption): (usize, &Caption)| {
            let hash = place(&wide_image_key(&caption.id));
            let cell = |(name, cells): &(&str, Option<Vec<Option<String>>>)| {
                Some(((*name).to_owned(), cells.as_ref()?[at].clone()))
            };
            let is_kept = hash.leading_zeros() >= zeros && !caption.id.is_empty();
            is_kept.then(|| (hash, caption.id.clone(), columns.iter().filter_map(cell).collect()))
        };
        let mut names: Vec<Name> = file.captions.iter().enumerate().filter_map(name).collect();
        names.dedup();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.names.extend(names);
        if kept.names.len() > 2 * MOST {
            kept.trim(MOST);
        }
    }

    /// What was sampled of all pieces, as a file that `like` makes of captions and columns, and how much that is.
    pub fn finish<E>(
        self,
        like: impl FnOnce(Vec<Caption>, Vec<(String, Vec<Option<String>>)>) -> Result<CaptionFile, E>,
    ) -> Result<(CaptionFile, Known), E> {
        let mut kept = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        kept.trim(MOST);
        let known = if kept.zeros == 0 { Known::All } else { Known::Sample };
        let mut columns: Vec<(String, Vec<Option<String>>)> = Vec::new();
        let mut captions = Vec::with_capacity(kept.names.len());
        for (_, id, cells) in kept.names {
            for (name, cell) in cells {
                let at = columns.iter().position(|(known, _)| *known == name);
                let at = at.unwrap_or_else(|| {
                    columns.push((name, Vec::new()));
                    columns.len() - 1
                });
                let column = &mut columns[at].1;
                column.resize(captions.len(), None);
                column.push(cell);
            }
            captions.push(Caption { row: 0, line: None, id, text: String::new() });
        }
        columns.iter_mut().for_each(|(_, cells)| cells.resize(captions.len(), None));
        Ok((like(captions, columns)?, known))
    }
}

impl Kept {
    /// Keeps no more than so many, by ever more zeros: which ones, depends on all of them and on nothing else.
    fn trim(&mut self, most: usize) {
        self.names.par_sort_unstable();
        self.names.dedup();
        while self.names.len() > most {
            self.zeros += 1;
            self.names.retain(|(hash, ..)| hash.leading_zeros() >= self.zeros);
        }
    }
}
