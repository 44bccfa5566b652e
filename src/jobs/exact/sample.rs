//! What is known of the references when submissions are read: the names of their images, or of a sample of them where they are many.
//!
//! Which column of a submission holds the ids can be seen only beside those of the references, and these are no machine's memory. An
//! image is in the sample by a hash of its id, whatever that is spelt like, so every part of a submission meets its share of it.

use std::sync::{Arc, Mutex, PoisonError};

use fgd_captions::{Caption, CaptionFile, Known, wide_image_key};
use fgd_metrics::pair_sums::place;
use rayon::prelude::*;

/// Images of a sample, at most: some 100 bytes each.
const MOST: usize = 1 << 19;

/// A name of an image: a hash of it, the id, and what stands in other columns that could hold ids.
type Name = (u64, String, Vec<(Arc<str>, Option<String>)>);

/// References that are being read.
pub struct Sampling {
    most: usize,
    kept: Mutex<Kept>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { most: MOST, kept: Mutex::default() }
    }
}

#[derive(Default)]
struct Kept {
    /// Hashes begin with so many zeros.
    zeros: u32,
    names: Vec<Name>,
}

impl Sampling {
    /// Takes the images of a piece, on any thread and in any order.
    pub fn add(&self, file: &CaptionFile) {
        let zeros = self.kept.lock().unwrap_or_else(PoisonError::into_inner).zeros;
        let cells_of = |name: &str| Some((Arc::from(name), file.column(name)?));
        let columns: Vec<(Arc<str>, _)> = file.id_columns().filter_map(cells_of).collect();
        let name = |(at, caption): (usize, &Caption)| {
            let hash = place(&wide_image_key(&caption.id));
            let cell =
                |(name, cells): &(Arc<str>, Vec<Option<String>>)| (name.clone(), cells[at].clone());
            let is_kept = hash.leading_zeros() >= zeros && !caption.id.is_empty();
            is_kept.then(|| (hash, caption.id.clone(), columns.iter().map(cell).collect()))
        };
        let mut names: Vec<Name> = file.captions.iter().enumerate().filter_map(name).collect();
        names.dedup();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.names.extend(names);
        if kept.names.len() > 2 * self.most {
            kept.trim(self.most);
        }
    }

    /// What was sampled of all pieces, as a file that `like` makes of captions and columns, and how much that is.
    pub fn finish<E>(
        self,
        like: impl FnOnce(Vec<Caption>, Vec<(String, Vec<Option<String>>)>) -> Result<CaptionFile, E>,
    ) -> Result<(CaptionFile, Known), E> {
        let mut kept = self.kept.into_inner().unwrap_or_else(PoisonError::into_inner);
        kept.trim(self.most);
        let known = if kept.zeros == 0 { Known::All } else { Known::Sample };
        let mut columns: Vec<(String, Vec<Option<String>>)> = Vec::new();
        let mut captions = Vec::with_capacity(kept.names.len());
        for (_, id, cells) in kept.names {
            for (name, cell) in cells {
                let at = columns.iter().position(|(known, _)| **known == *name);
                let at = at.unwrap_or_else(|| {
                    columns.push((name.to_string(), Vec::new()));
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

#[cfg(test)]
mod tests {
    use fgd_captions::{ReadOptions, read};

    use super::*;

    /// Two pieces of references, in either order, of which at most so many images are known.
    fn sampled(most: usize, turned: bool) -> (CaptionFile, Known) {
        let folder = tempfile::tempdir().unwrap();
        let piece = |rows: std::ops::Range<usize>| {
            let row = |i| format!("{i},VizWiz_{i}.jpg,a dog\n{i},VizWiz_{i}.jpg,a cat\n");
            let path = folder.path().join("references.csv");
            let rows: String = rows.map(row).collect();
            std::fs::write(&path, format!("image_id,file_name,caption\n{rows}")).unwrap();
            read(&path, &ReadOptions::default()).unwrap()
        };
        let mut pieces = [piece(0..600), piece(500..1000)];
        if turned {
            pieces.reverse();
        }
        let sampling = Sampling { most, kept: Mutex::default() };
        pieces.iter().for_each(|piece| sampling.add(piece));
        let like = |captions, columns| Ok::<_, ()>(pieces[0].holding(captions, columns));
        sampling.finish(like).unwrap()
    }

    #[test]
    fn a_sample_depends_on_the_images_and_on_nothing_else() {
        for (most, known, images) in [(1000, Known::All, 1000..1001), (64, Known::Sample, 20..65)] {
            let [one, other] = [false, true].map(|turned| sampled(most, turned));
            assert_eq!((one.1, &one.0.captions), (known, &other.0.captions));
            assert!(images.contains(&one.0.captions.len()), "{}", one.0.captions.len());
            let names = one.0.column("file_name").unwrap();
            for (caption, name) in one.0.captions.iter().zip(names) {
                assert_eq!(name, Some(format!("VizWiz_{}.jpg", caption.id)));
            }
        }
    }
}
