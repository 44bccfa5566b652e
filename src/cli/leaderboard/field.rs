//! The submissions, scored one after the other: only numbers are kept of each, so that hundreds need the memory of one.

use super::Args;
use crate::cli::exit::usage;
use crate::cli::findings;
use crate::cli::inputs::{Named, input};
use crate::cli::output::Output;
use crate::jobs::leaderboard::rank::{Entry, pseudo_values};
use crate::jobs::provenance;
use crate::jobs::scoring::assemble::{AssembleError, Assembled, assemble};
use crate::jobs::scoring::numbers::{PerCaption, Scored, score};
use crate::jobs::scoring::slices::slice;
use crate::jobs::scoring::system::System;
use fgd_encoder::embedder::Embedder;
use fgd_record::{self as record, EncoderInfo, Input, Rejected, SetMeasure};
use std::path::Path;

/// Findings of a submission that the record keeps; the rest is counted.
const FINDINGS_KEPT: usize = 20;

/// What became of the submissions.
#[derive(Default)]
pub struct Field {
    /// Those that can be ranked.
    pub entries: Vec<Entry>,
    /// Those that can not, and why.
    pub rejected: Vec<Rejected>,
    /// The files of the entries.
    pub inputs: Vec<Input>,
    /// Notes on these files.
    pub findings: Vec<record::Finding>,
    /// The encoder that was used.
    pub encoder: Option<EncoderInfo>,
}

impl Field {
    /// Scores all submissions. What is a submission's own fault rejects it; all else is an error.
    pub fn score(
        args: &Args,
        submissions: &[Named],
        references: &System,
        output: &Output,
    ) -> anyhow::Result<Self> {
        let scratch = tempfile::tempdir()?;
        let mut scoring = Scoring {
            args,
            references,
            scratch: scratch.path(),
            output,
            embedder: None,
            images: None,
            field: Self::default(),
        };
        let bar = output.bar(submissions.len() as u64, "scoring");
        for submission in submissions {
            match scoring.entry(submission)? {
                Ok(entry) => scoring.field.entries.push(entry),
                Err(rejected) => scoring.field.rejected.push(rejected),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let encoder = scoring.embedder.as_ref().map(provenance::encoder_info);
        Ok(Self {
            encoder,
            ..scoring.field
        })
    }
}

struct Scoring<'a> {
    args: &'a Args,
    references: &'a System,
    scratch: &'a Path,
    output: &'a Output,
    embedder: Option<Embedder>,
    /// The images of the first submission, sorted; only needed where references are of other images.
    images: Option<Vec<String>>,
    field: Field,
}

impl Scoring<'_> {
    fn entry(&mut self, submission: &Named) -> anyhow::Result<Result<Entry, Rejected>> {
        let rejected = |reason: String| Rejected {
            name: submission.name.clone(),
            reason,
            findings: Vec::new(),
        };
        let system = match System::open(&submission.path, &self.args.captions.options()) {
            Ok(system) => system,
            Err(error) => return Ok(Err(rejected(error.to_string()))),
        };
        let assembled = match self.assemble(&system) {
            Ok(assembled) => assembled,
            Err(AssembleError::Invalid { findings }) => {
                return Ok(Err(invalid(&submission.name, &findings)));
            }
            Err(AssembleError::Mismatch(message)) => return Ok(Err(rejected(message))),
            Err(AssembleError::Encoder(error)) => return Err(error),
            Err(error) => return Err(error.into()),
        };
        // Embeddings that are not finite, or have no direction, are this submission's fault alone.
        let choice = self.args.metrics.choice();
        let mut scored = match score(&assembled.set, &choice) {
            Ok(scored) => scored,
            Err(error) => return Ok(Err(rejected(error.to_string()))),
        };
        let parts = match self.parts(&assembled, &mut scored) {
            Ok(parts) => parts,
            Err(reason) => return Ok(Err(rejected(reason))),
        };
        for column in &self.args.metrics.slice {
            let (System::Captions(file), System::Captions(references)) = (&system, self.references)
            else {
                return Err(usage("--slice needs captions on both sides"));
            };
            let slice = slice(&assembled, file, references, column, &choice)
                .map_err(|error| usage(error.to_string()))?;
            scored.results.slices.push(slice);
        }
        let file = input("submission", &submission.name, &submission.path, &system)?;
        self.field.inputs.push(file);
        let notes = findings::for_record(&assembled.findings, &submission.name);
        let notes = notes.into_iter().take(FINDINGS_KEPT);
        self.field.findings.extend(notes);
        Ok(Ok(Entry {
            name: submission.name.clone(),
            scores: scored.results,
            parts,
        }))
    }

    fn assemble(&mut self, system: &System) -> Result<Assembled, AssembleError> {
        // An invalid submission asks for no embedder, and the one there is stays.
        let mut kept = self.embedder.take();
        let mut open = || match kept.take() {
            Some(embedder) => Ok(embedder),
            None => self
                .args
                .encoder
                .open_shared(self.scratch, self.output)
                .map_err(AssembleError::Encoder),
        };
        let (references, unpaired) = (self.references, self.args.unpaired);
        match assemble(system, references, unpaired, &mut open, &|_| {}) {
            Ok((assembled, used)) => {
                self.embedder = used.or(kept);
                Ok(assembled)
            }
            Err(error) => {
                self.embedder = kept;
                Err(error)
            }
        }
    }

    /// The numbers whose mean ranks the submission, or why there are none.
    fn parts(&mut self, assembled: &Assembled, scored: &mut Scored) -> Result<Vec<f64>, String> {
        let per_caption = &scored.per_caption;
        let parts = match self.args.unpaired {
            false => per_caption.distance(),
            true => {
                let order = self.order_of_images(assembled)?;
                parts_of_set(&scored.results.fgd_set, per_caption, &order)
            }
        };
        parts.ok_or_else(|| "it has no distance to rank by".into())
    }

    /// The order of a submission's captions by image. What two submissions share cancels only image by image, so
    /// those of other images than the first are refused.
    fn order_of_images(&mut self, assembled: &Assembled) -> Result<Vec<usize>, String> {
        let rows: Vec<String>;
        let ids = match &assembled.set.texts {
            Some(texts) => &texts.ids,
            // Embeddings carry no ids: row by row, in numbers that sort as text.
            None => {
                let numbers = 0..assembled.set.len();
                rows = numbers.map(|row| format!("{row:020}")).collect();
                &rows
            }
        };
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by(|&a, &b| ids[a].cmp(&ids[b]));
        let sorted: Vec<String> = order.iter().map(|&at| ids[at].clone()).collect();
        let first = self.images.get_or_insert_with(|| sorted.clone());
        if *first == sorted {
            Ok(order)
        } else {
            Err("its images are not those of the first submission; only submissions of the same images can be ranked".into())
        }
    }
}

/// The set distance as a mean over captions, in this order, and references.
fn parts_of_set(set: &SetMeasure, per_caption: &PerCaption, order: &[usize]) -> Option<Vec<f64>> {
    let influence = per_caption.influence.as_ref()?;
    let candidates: Vec<f64> = order.iter().map(|&at| influence[at]).collect();
    let references = per_caption.reference_influence.as_ref()?;
    let value = set.corrected.or(set.value)?;
    Some(pseudo_values(value, &candidates, references))
}

/// A submission with errors, the first of which are kept.
fn invalid(name: &str, found: &[fgd_captions::Finding]) -> Rejected {
    let errors = findings::errors(found);
    let mut kept = findings::for_record(found, name);
    kept.retain(|finding| finding.severity == record::Severity::Error);
    kept.truncate(FINDINGS_KEPT);
    Rejected {
        name: name.to_owned(),
        reason: format!(
            "{errors} {} in the file",
            if errors == 1 { "error" } else { "errors" }
        ),
        findings: kept,
    }
}
