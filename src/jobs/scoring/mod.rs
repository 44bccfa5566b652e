//! From files to numbers: what one system is worth.
//!
//! [`system`] says what was given (captions, embeddings or moments), [`assemble`](mod@assemble) puts a submission and its
//! references together in one [`set`] ([`borrowed`]: which columns they share), [`numbers`] asks `fgd-metrics` for what that set is worth, [`slices`] for each
//! group of its images, and [`moments_only`] where one side has no rows; [`mod@captions`] gathers every caption for reports. A [`Scorer`] does all of this, for one system
//! or for hundreds; every job that scores has one.

pub mod assemble;
pub mod borrowed;
pub mod captions;
pub mod clusters;
pub mod findings;
pub mod metrics;
pub mod moments_only;
pub mod numbers;
pub mod per_caption;
pub mod set;
pub mod size;
pub mod slices;
pub mod system;

use fgd_captions::Finding;
use fgd_metrics::MetricError;
use fgd_record::ScoreResults;
use fgd_record::words::counted;

use super::JobError;
use super::embedding::Embedding;
use super::options::Measuring;
use assemble::{AlignedSet, Dependence, assemble, checked};
use metrics::Choice;
use numbers::{PerCaption, SetScore};
use set::EvalSet;
use slices::{Grouping, group, score_groups};
use system::System;

/// Why a system has no score.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// Its captions have errors; they are all in the list, with the notes.
    #[error("the submission has {}; mend the file and score it again", counted(findings::errors(.0), "error"))]
    Invalid(Vec<Finding>),
    /// It and the references do not go together.
    #[error("{0}")]
    Mismatch(String),
    /// It has no distance, such as embeddings that are not finite.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// Nothing to do with this system: the next one would fail too.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// What a system is worth.
#[derive(Debug)]
pub struct SystemScore {
    /// Its numbers, those of the groups of images included.
    pub results: ScoreResults,
    /// What the linter noted.
    pub findings: Vec<Finding>,
    /// Its captions image by image; `None` where one side is moments.
    pub images: Option<ImageScores>,
}

/// A system image by image.
#[derive(Debug)]
pub struct ImageScores {
    /// The evaluation set.
    pub set: EvalSet,
    /// One number per caption.
    pub per_caption: PerCaption,
    /// The groups of images that were scored apart.
    pub groupings: Vec<Grouping>,
}

/// Scores systems against the same references, by the same settings.
pub struct Scorer<'a> {
    /// Embeds what is captions.
    pub embedding: Embedding<'a>,
    /// What systems are scored against.
    pub references: &'a System,
    dependence: Dependence<'a>,
    slice: &'a [String],
    choice: Choice,
}

impl<'a> Scorer<'a> {
    /// Gets ready.
    ///
    /// # Errors
    /// A metric that does not exist.
    pub fn new(
        embedding: Embedding<'a>,
        references: &'a System,
        unpaired: bool,
        measuring: &'a Measuring,
    ) -> Result<Self, JobError> {
        Ok(Self {
            embedding,
            references,
            dependence: Dependence {
                unpaired,
                cluster: measuring.cluster.as_deref(),
                population: measuring.population,
            },
            slice: &measuring.slice,
            choice: measuring.choice()?,
        })
    }

    /// Scores one system. `shared` are groups of images that another system has laid down; without them its own files
    /// do.
    ///
    /// # Errors
    /// See [`ScoreError`].
    pub fn score(
        &mut self,
        system: &System,
        shared: Option<&[Grouping]>,
    ) -> Result<SystemScore, ScoreError> {
        if system.is_moments() || self.references.is_moments() {
            let findings = match system {
                System::Captions(file) => checked(file, Vec::new())?,
                _ => system.notes(),
            };
            let results = moments_only::score(system, self.references, &mut self.embedding)?;
            return Ok(SystemScore { results, findings, images: None });
        }
        let assembled = assemble(system, self.references, self.dependence, &mut self.embedding)?;
        let SetScore { mut results, per_caption } = numbers::score(&assembled.set, &self.choice)?;
        let groupings = match shared {
            Some(groupings) => groupings.to_vec(),
            None => self.groupings(system, &assembled)?,
        };
        for grouping in &groupings {
            let slice = score_groups(&assembled.set, &per_caption, grouping, &self.choice)?;
            results.slices.push(slice);
        }
        Ok(SystemScore {
            results,
            findings: [assembled.findings, system.notes()].concat(),
            images: Some(ImageScores { set: assembled.set, per_caption, groupings }),
        })
    }

    /// The score on some images of a set that was scored (indices of candidates, ascending), as if no others had been drawn of its
    /// population.
    ///
    /// # Errors
    /// Images that have no distance.
    pub fn part(&self, of: &ImageScores, images: &[usize]) -> Result<SetScore, MetricError> {
        let set = EvalSet { population: of.set.population, ..of.set.subset(images) };
        let mut score = numbers::score(&set, &self.choice)?;
        for grouping in &of.groupings {
            let grouping = grouping.within(images);
            let slice = score_groups(&set, &score.per_caption, &grouping, &self.choice)?;
            score.results.slices.push(slice);
        }
        Ok(score)
    }

    fn groupings(
        &self,
        system: &System,
        assembled: &AlignedSet,
    ) -> Result<Vec<Grouping>, JobError> {
        let of_column = |column: &String| match (system, self.references) {
            (System::Captions(system), System::Captions(references)) => {
                group(assembled, system, references, column).map_err(JobError::usage)
            }
            _ => Err(JobError::usage("--slice needs captions on both sides")),
        };
        self.slice.iter().map(of_column).collect()
    }
}
