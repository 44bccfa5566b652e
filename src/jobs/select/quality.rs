//! What a choice is worth: the chosen captions and each file's own, on the images that all of them have.

use fgd_metrics::compare::Resampling;
use fgd_record::{CompareResults, System as Scored};
use ndarray::Array2;

use super::files::Files;
use super::pool::Candidate;
use super::{Chosen, Request, rows_of};
use crate::jobs::JobError;
use crate::jobs::compare::differences::{Contender, PerImage, differences};
use crate::jobs::scoring::assemble::AlignedSet;
use crate::jobs::scoring::clusters;
use crate::jobs::scoring::numbers::{self, SetScore};
use crate::jobs::scoring::set::{EvalSet, Texts};
use crate::jobs::scoring::slices::{Grouping, check_column, group, score_groups};
use crate::jobs::scoring::system::System;

/// A choice with all that it was made of.
pub struct Quality<'a> {
    pub request: &'a Request,
    pub files: &'a Files,
    pub chosen: &'a Chosen,
}

/// The images that are scored: each system's caption of them, and their references.
struct Common {
    /// Images of the pool.
    images: Vec<usize>,
    /// For each source its first caption of each image, by index in the pool; last the chosen ones.
    rows: Vec<Vec<usize>>,
    /// The references by index, and the place in `images` of each; `None` where they are of other images.
    references: Vec<usize>,
    image_of: Option<Vec<usize>>,
}

/// Finds out before the work whether a choice could be scored.
///
/// # Errors
/// Fewer than two images that every file and the references have; a column of groups that no file has.
pub fn check(request: &Request, files: &Files) -> Result<(), JobError> {
    let images = files.pool.images().enumerate();
    let common = images
        .filter(|(image, (_, captions))| of_every_file(request, files, *image, captions).is_some());
    if common.count() < 2 {
        return Err(JobError::usage(
            "too few images are in every file and in the references to score the choice: give files that share more",
        ));
    }
    if let Some(System::Captions(references)) = &files.reference_file {
        for column in &request.measuring.slice {
            check_column(column, &files.files[0], references).map_err(JobError::usage)?;
        }
    }
    Ok(())
}

/// The first caption of each file among those of an image; `None` where a file, or the references that are paired, do not have it.
fn of_every_file(
    request: &Request,
    files: &Files,
    image: usize,
    captions: &[Candidate],
) -> Option<Vec<usize>> {
    let first = |source: usize| captions.iter().position(|c| c.source == source);
    let has_references = request.unpaired || files.references.counts[image] > 0;
    (0..files.files.len()).map(first).collect::<Option<_>>().filter(|_| has_references)
}

impl Quality<'_> {
    /// The numbers of all systems by these embeddings of the pool's texts and then the references', and what must be known of
    /// them. Differences are those of the choice to each file. [`check`] says before whether there can be any.
    pub fn of(
        &self,
        embeddings: &Array2<f32>,
    ) -> Result<(CompareResults, Option<String>), JobError> {
        let common = self.common();
        let all = self.files.pool.ids.len();
        let warning = (common.images.len() < all).then(|| {
            format!(
                "scored on {} of {all} images: those that every file and the references have",
                common.images.len()
            )
        });
        let choice = self.request.measured().choice()?;
        let groupings = self.groupings(&common, embeddings)?;
        let mut contenders = Vec::new();
        for (source, rows) in common.rows.iter().enumerate() {
            let set = self.set(&common, rows, embeddings);
            let SetScore { mut results, per_caption } = numbers::score(&set, &choice)?;
            for grouping in &groupings {
                results.slices.push(score_groups(&set, &per_caption, grouping, &choice)?);
            }
            let name = self.name(source);
            contenders.push(Contender {
                name,
                scores: results,
                rows: Ok(PerImage { set, per_caption }),
            });
        }
        let last = contenders.len() - 1;
        let pairs: Vec<(usize, usize)> = (0..last).map(|source| (last, source)).collect();
        let resampling = Resampling {
            replicates: self.request.replicates,
            seed: self.request.measuring.seed,
            ..Resampling::default()
        };
        let differences = match self.request.unpaired {
            // A test of one difference of two sets needs references of the same images.
            true => Vec::new(),
            false => differences(&contenders, &pairs, &groupings, &resampling)?,
        };
        let systems = contenders.into_iter().map(|contender| Scored {
            name: contender.name,
            scores: contender.scores,
            ..Scored::default()
        });
        let found = CompareResults {
            n: common.images.len() as u64,
            references: common.references.len() as u64,
            systems: systems.collect(),
            differences,
            ..CompareResults::default()
        };
        Ok((found, warning))
    }

    fn name(&self, source: usize) -> String {
        let named = self.request.systems.iter().map(|system| &system.name);
        match named.clone().nth(source) {
            Some(name) => name.clone(),
            None if named.clone().any(|name| name == "chosen") => "chosen (this choice)".into(),
            None => "chosen".into(),
        }
    }

    fn common(&self) -> Common {
        let Files { pool, references, files, .. } = self.files;
        let unpaired = self.request.unpaired;
        let mut common = Common {
            images: Vec::new(),
            rows: vec![Vec::new(); files.len() + 1],
            references: Vec::new(),
            image_of: (!unpaired).then(Vec::new),
        };
        let mut next_reference = 0;
        for (image, (from, captions)) in pool.images().enumerate() {
            let own = next_reference..next_reference + references.counts[image];
            next_reference = own.end;
            let Some(rows) = of_every_file(self.request, self.files, image, captions) else {
                continue;
            };
            for (list, row) in common.rows.iter_mut().zip(rows) {
                list.push(from + row);
            }
            common.rows[files.len()].push(self.chosen.rows[image]);
            if let Some(image_of) = &mut common.image_of {
                image_of.extend(own.clone().map(|_| common.images.len()));
            }
            common.references.extend(own);
            common.images.push(image);
        }
        if unpaired {
            common.references = (0..references.texts.len()).collect();
        }
        common
    }

    fn set(&self, common: &Common, rows: &[usize], embeddings: &Array2<f32>) -> EvalSet {
        let Files { pool, references, files, .. } = self.files;
        let of_references: Vec<usize> =
            common.references.iter().map(|at| pool.captions.len() + at).collect();
        let captions = || rows.iter().map(|row| &pool.captions[*row]);
        let ids: Vec<String> = common.images.iter().map(|image| pool.ids[*image].clone()).collect();
        // Captions of one image were drawn together, also where they are not paired.
        let units = match &self.files.reference_file {
            Some(System::Captions(file)) if common.image_of.is_none() => {
                let of_references: Vec<&str> =
                    common.references.iter().map(|at| file.captions[*at].id.as_str()).collect();
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                Some(clusters::of_ids(&ids, &of_references))
            }
            _ => None,
        };
        EvalSet {
            candidates: rows_of(embeddings, rows),
            references: rows_of(embeddings, &of_references),
            image_of: common.image_of.clone(),
            units,
            population: None,
            texts: Some(Texts {
                ids,
                ids_are_text: files.iter().any(|file| file.ids_are_text),
                rows: captions().map(|c| files[c.source].captions[c.row].row).collect(),
                candidates: captions().map(|c| c.text.clone()).collect(),
                references: common
                    .references
                    .iter()
                    .map(|at| references.texts[*at].clone())
                    .collect(),
            }),
        }
    }

    /// The groups of images that were asked for: by a column of the references, else of the first file.
    fn groupings(
        &self,
        common: &Common,
        embeddings: &Array2<f32>,
    ) -> Result<Vec<Grouping>, JobError> {
        let Files { pool, references, files, reference_file, .. } = self.files;
        let (Some(System::Captions(file)), false) =
            (reference_file, self.request.measuring.slice.is_empty())
        else {
            return Ok(Vec::new());
        };
        let mut reference_rows = vec![0; common.images.len()];
        // Backwards, so that of an image's references the first stays.
        for (at, reference) in common.references.iter().enumerate().rev() {
            if let Some(image_of) = &common.image_of {
                reference_rows[image_of[at]] = references.rows[*reference];
            }
        }
        let aligned = AlignedSet {
            set: self.set(common, &common.rows[0], embeddings),
            findings: Vec::new(),
            candidate_rows: common.rows[0].iter().map(|row| pool.captions[*row].row).collect(),
            reference_rows,
        };
        let columns = self.request.measuring.slice.iter();
        columns
            .map(|column| group(&aligned, &files[0], file, column).map_err(JobError::usage))
            .collect()
    }
}
