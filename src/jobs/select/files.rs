//! What a choice is made from: the files of captions, gathered by image, and the references beside them.

use fgd_captions::{self as captions, CaptionFile, FindingKind};
use fgd_metrics::choice::Grouped;
use fgd_record::words::counted;
use fgd_record::{Finding, SelectSource};

use super::pool::{self, Candidate, Pool};
use super::{Chosen, Request};
use crate::jobs::JobError;
use crate::jobs::options::Named;
use crate::jobs::provenance::captions_input;
use crate::jobs::scoring::findings::{errors, for_record};
use crate::jobs::scoring::system::System;

/// Everything that was read.
pub(super) struct Files {
    pub files: Vec<CaptionFile>,
    pub reference_file: Option<System>,
    pub pool: Pool,
    pub references: ReferenceCaptions,
    pub findings: Vec<Finding>,
}

/// The references along the images of a pool, or of other images.
pub(super) struct ReferenceCaptions {
    /// References of each image of the pool.
    pub counts: Vec<usize>,
    /// Their texts, one image after the other.
    pub texts: Vec<String>,
    /// Their indices in the file.
    pub rows: Vec<usize>,
}

impl ReferenceCaptions {
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    pub fn grouped<'a>(
        &self,
        embeddings: ndarray::ArrayView2<'a, f32>,
    ) -> Result<Option<Grouped<'a>>, JobError> {
        let any = !self.texts.is_empty();
        Ok(any.then(|| Grouped::new(embeddings, &self.counts)).transpose()?)
    }
}

impl Files {
    pub fn open(request: &Request) -> Result<Self, JobError> {
        let reference_file = match &request.references {
            Some(given) => Some(System::open_references(given, &request.reading)?),
            None => None,
        };
        let mut files = Vec::new();
        let mut findings = Vec::new();
        for system in &request.systems {
            let mut opened = System::open_submission(&system.path, &request.reading)?;
            if let Some(references) = reference_file.as_ref().filter(|_| !request.unpaired) {
                opened.settle(references);
            }
            let System::Captions(file) = opened else {
                return Err(JobError::usage(format!(
                    "{}: captions are chosen, not embeddings or moments",
                    system.path.display()
                )));
            };
            let found = captions::candidate_findings(&file);
            let found_record = for_record(&found, &system.name);
            if !captions::is_valid(&found) {
                return Err(JobError::Invalid {
                    message: format!(
                        "{}: {} in the captions; mend them and choose again",
                        system.path.display(),
                        counted(errors(&found), "error")
                    ),
                    findings: vec![(system.path.clone(), found_record)],
                });
            }
            findings.extend(found_record);
            files.push(file);
        }
        let own = match &reference_file {
            Some(System::Captions(file)) => Some(file),
            Some(_) => {
                return Err(JobError::usage(
                    "--references: give captions, not embeddings or moments",
                ));
            }
            None => None,
        };
        let (pool, references) = gather(&files, own, request.unpaired)?;
        findings.extend(for_record(&nothing_written(&pool), "submission"));
        if pool.ids.is_empty() {
            return Err(JobError::invalid("there is no caption to choose"));
        }
        if own.is_some() && references.texts.is_empty() {
            return Err(JobError::usage(
                "--references: not one id is that of a caption; give references of the same images, or --unpaired",
            ));
        }
        Ok(Self { files, reference_file, pool, references, findings })
    }

    pub fn sources(&self, request: &Request, chosen: &Chosen) -> Vec<SelectSource> {
        let named = request.systems.iter().enumerate();
        let source = |(source, system): (usize, &Named)| {
            let has = |captions: &[Candidate]| captions.iter().any(|c| c.source == source);
            let rows = chosen.rows.iter();
            SelectSource {
                name: system.name.clone(),
                captions: self.files[source].captions.len() as u64,
                images: self.pool.images().filter(|(_, captions)| has(captions)).count() as u64,
                chosen: rows.filter(|row| self.pool.captions[**row].source == source).count()
                    as u64,
                weight: chosen.weights.as_ref().map(|weights| weights[source]),
            }
        };
        named.map(source).collect()
    }

    pub fn inputs(&self, request: &Request) -> Result<Vec<fgd_record::Input>, JobError> {
        let files = self.files.iter().zip(&request.systems);
        Ok(files
            .map(|(file, system)| captions_input("submission", system.name.clone(), file))
            .collect())
    }
}

/// A note on images of which no caption has a word: what is chosen for them is empty, and no valid submission.
fn nothing_written(pool: &Pool) -> Vec<captions::Finding> {
    let is_empty = |captions: &[Candidate]| captions.iter().all(|c| c.text.trim().is_empty());
    let empty = pool.ids.iter().zip(pool.images()).filter(|(_, (_, captions))| is_empty(captions));
    let ids: Vec<&String> = empty.map(|(id, _)| id).collect();
    let Some(first) = ids.first() else { return Vec::new() };
    let message = format!(
        "empty captions only, and so an empty choice, for {} of {} images; the first is {first}",
        ids.len(),
        pool.ids.len()
    );
    vec![captions::Finding::note(FindingKind::EmptyCaption, message)]
}

/// The captions of all files by image, and the references beside them.
fn gather(
    files: &[CaptionFile],
    references: Option<&CaptionFile>,
    unpaired: bool,
) -> Result<(Pool, ReferenceCaptions), JobError> {
    let log_probabilities: Vec<Vec<Option<f64>>> =
        files.iter().map(pool::log_probabilities).collect::<Result<_, _>>()?;
    // References of the same images are found by id as one more file is.
    let beside = references.filter(|_| !unpaired);
    let all: Vec<&CaptionFile> = files.iter().chain(beside).collect();
    let gathered = captions::candidates(&all);
    let mut pool = Pool::default();
    let mut own = ReferenceCaptions { counts: Vec::new(), texts: Vec::new(), rows: Vec::new() };
    for (id, found) in gathered.ids.into_iter().zip(gathered.captions) {
        let (candidates, references): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|(file, _)| *file < files.len());
        if candidates.is_empty() {
            continue;
        }
        pool.push(
            id,
            candidates.into_iter().map(|(source, row)| Candidate {
                text: files[source].captions[row].text.clone(),
                source,
                row,
                log_probability: log_probabilities[source][row],
            }),
        );
        own.counts.push(references.len());
        for (file, row) in references {
            own.texts.push(all[file].captions[row].text.clone());
            own.rows.push(row);
        }
    }
    if let (Some(file), true) = (references, unpaired) {
        own.texts = file.captions.iter().map(|caption| caption.text.clone()).collect();
        own.rows = (0..own.texts.len()).collect();
    }
    Ok((pool, own))
}
