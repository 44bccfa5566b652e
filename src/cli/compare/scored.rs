//! The numbers of every system: image by image where there are captions or embeddings, of the set as a whole where
//! there are only moments, and as they were saved where there is a record.

use super::Args;
use super::systems::{Given, Saved};
use crate::cli::exit::usage;
use crate::cli::findings;
use crate::cli::inputs::{Named, rows};
use crate::cli::output::Output;
use crate::jobs::compare::differences::{Contender, NoRows, PerImage};
use crate::jobs::provenance;
use crate::jobs::scoring::assemble::{AssembleError, Assembled, assemble};
use crate::jobs::scoring::moments_only;
use crate::jobs::scoring::numbers::score;
use crate::jobs::scoring::slices::{Grouping, group, score_groups};
use crate::jobs::scoring::system::System;
use fgd_encoder::embedder::Embedder;
use fgd_record::{self as record, Comparability, EncoderInfo, ScoreResults};
use indicatif::ProgressBar;

/// The systems with their numbers.
#[derive(Default)]
pub struct Scored {
    /// The systems, in the order they were given.
    pub contenders: Vec<Contender>,
    /// The groups of images that were asked for.
    pub groupings: Vec<Grouping>,
    /// Notes on the files.
    pub findings: Vec<record::Finding>,
    /// The encoder of this run, or else of the first record.
    pub encoder: Option<EncoderInfo>,
    /// Hash of the references, where they were given.
    pub references: Option<String>,
    /// The key of each saved record, by the index of its system.
    pub saved: Vec<(usize, Comparability)>,
}

impl Scored {
    fn take(&mut self, system: &Named, saved: Saved) {
        self.saved
            .push((self.contenders.len(), saved.comparability));
        self.encoder = self.encoder.take().or(saved.encoder);
        self.contenders.push(Contender {
            name: system.name.clone(),
            scores: saved.scores,
            rows: Err(NoRows::Record),
        });
    }
}

/// Takes the numbers of saved records; there is nothing to compute.
pub fn saved_only(systems: &[Named], given: Vec<Given>) -> Scored {
    let mut scored = Scored::default();
    for (system, given) in systems.iter().zip(given) {
        if let Given::Saved(saved) = given {
            scored.take(system, *saved);
        }
    }
    scored
}

/// Embeds and scores every system that was given as a file.
pub fn score_all(
    args: &Args,
    systems: &[Named],
    given: Vec<Given>,
    references: &System,
    output: &Output,
) -> anyhow::Result<Scored> {
    let total: u64 = given
        .iter()
        .map(|given| match given {
            Given::File(system) => rows(system) + rows(references),
            Given::Saved(_) => 0,
        })
        .sum();
    let scratch = tempfile::tempdir()?;
    let mut scoring = Scoring {
        args,
        references,
        scratch: scratch.path(),
        output,
        bar: output.bar(total, "embedding"),
        embedder: None,
        encoder: None,
        scored: Scored::default(),
    };
    for (named, given) in systems.iter().zip(given) {
        match given {
            Given::Saved(saved) => scoring.scored.take(named, *saved),
            Given::File(system) => scoring.add(named, &system)?,
        }
    }
    scoring.bar.finish_and_clear();
    // The encoder of this run; a record's own is held against it by its key.
    let mut scored = scoring.scored;
    scored.encoder = scoring.encoder.or(scored.encoder);
    Ok(scored)
}

struct Scoring<'a> {
    args: &'a Args,
    references: &'a System,
    scratch: &'a std::path::Path,
    output: &'a Output,
    bar: ProgressBar,
    embedder: Option<Embedder>,
    encoder: Option<EncoderInfo>,
    scored: Scored,
}

impl Scoring<'_> {
    fn add(&mut self, named: &Named, system: &System) -> anyhow::Result<()> {
        let without_rows = match (system, self.references) {
            (System::Moments { .. }, _) => Some(NoRows::Moments),
            (_, System::Moments { .. }) => Some(NoRows::ReferenceMoments),
            _ => None,
        };
        let (scores, rows) = match without_rows {
            Some(reason) => (self.as_a_set(system)?, Err(reason)),
            None => {
                let (scores, rows) = self.by_image(named, system)?;
                (scores, Ok(rows))
            }
        };
        self.scored.contenders.push(Contender {
            name: named.name.clone(),
            scores,
            rows,
        });
        Ok(())
    }

    fn by_image(
        &mut self,
        named: &Named,
        system: &System,
    ) -> anyhow::Result<(ScoreResults, PerImage)> {
        let mut kept = self.embedder.take();
        let mut open = || match kept.take() {
            Some(embedder) => Ok(embedder),
            None => self.open().map_err(AssembleError::Encoder),
        };
        let done = |done| self.bar.inc(done as u64);
        let (assembled, used) = assemble(system, self.references, false, &mut open, &done)
            .map_err(|error| refuse(error, named))?;
        self.keep(used);
        self.bar
            .suspend(|| findings::print(&assembled.findings, &named.path, false, self.output));
        let notes = findings::for_record(&assembled.findings, &named.name);
        self.scored.findings.extend(notes);
        if self.scored.groupings.is_empty() {
            self.group(system, &assembled)?;
        }
        let choice = self.args.metrics.choice();
        let mut found = score(&assembled.set, &choice)?;
        for grouping in &self.scored.groupings {
            let slice = score_groups(&assembled.set, grouping, &choice)?;
            found.results.slices.push(slice);
        }
        let rows = PerImage {
            set: assembled.set,
            per_caption: found.per_caption,
        };
        Ok((found.results, rows))
    }

    fn as_a_set(&mut self, system: &System) -> anyhow::Result<ScoreResults> {
        let mut embedder = match self.embedder.take() {
            Some(embedder) => Some(embedder),
            None if [system, self.references].iter().any(|s| is_captions(s)) => Some(self.open()?),
            None => None,
        };
        let mut side = |system: &System| {
            moments_only::moments_of(system, &mut |texts: &[&str]| {
                let embedder = embedder
                    .as_mut()
                    .expect("an embedder is open wherever there are captions");
                Ok(embedder.embed(texts, &|done| self.bar.inc(done as u64))?)
            })
        };
        let scores = moments_only::score(&side(system)?, &side(self.references)?)?;
        self.keep(embedder);
        Ok(scores)
    }

    /// Groups the images by the columns that were asked for; the first system with captions decides.
    fn group(&mut self, system: &System, assembled: &Assembled) -> anyhow::Result<()> {
        for column in &self.args.metrics.slice {
            let (System::Captions(system), System::Captions(references)) =
                (system, self.references)
            else {
                return Err(usage("--slice needs captions on both sides"));
            };
            let grouping = group(assembled, system, references, column)
                .map_err(|error| usage(error.to_string()))?;
            self.scored.groupings.push(grouping);
        }
        Ok(())
    }

    fn open(&self) -> anyhow::Result<Embedder> {
        self.args.encoder.open_shared(self.scratch, self.output)
    }

    fn keep(&mut self, used: Option<Embedder>) {
        self.encoder = used
            .as_ref()
            .map(provenance::encoder_info)
            .or(self.encoder.take());
        self.embedder = used;
    }
}

fn is_captions(system: &System) -> bool {
    matches!(system, System::Captions(_))
}

fn refuse(error: AssembleError, system: &Named) -> anyhow::Error {
    match error {
        AssembleError::Mismatch(message) => usage(format!("{}: {message}", system.name)),
        AssembleError::Encoder(error) => error,
        error => error.into(),
    }
}
