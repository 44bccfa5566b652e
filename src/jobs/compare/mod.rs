//! Several systems on the same images: do they differ, and where?
//!
//! `systems` reads what stands for each, `checkpoints` captions the images where that is a checkpoint, a [`Scorer`] scores
//! them all, `agreement` says whether their numbers may stand side by side, and [`mod@differences`], [`mod@contrasts`] and
//! [`gate`]s what follows from them.

mod agreement;
mod checkpoints;
pub mod contrasts;
pub mod differences;
pub mod gate;
mod reference_length;
mod systems;
mod variant;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captions::ReadOptions;
use fgd_metrics::MetricError;
use fgd_metrics::compare::{Resampling, check_replicates};
use fgd_record::{
    self as record, Comparability, CompareResults, EncoderInfo, Finding, Pairing, Record, Results,
    ScoreResults,
};
use serde::{Deserialize, Serialize};

use super::caption::Captioning;
use super::embedding::Embedding;
use super::options::{Encoding, Keeping, Measuring, Named, References};
use super::provenance::{self, Origin};
use super::scoring::captions::Gathered;
use super::scoring::findings::{for_record, notes_on};
use super::scoring::slices::Grouping;
use super::scoring::system::stem;
use super::scoring::{ImageScores, ScoreError, Scorer};
use super::select::Choosing;
use super::{JobError, Session};
use crate::host;
use crate::jobs::apart::Apart;
use contrasts::contrasts;
use differences::{Contender, NoRows, PerImage, all_pairs, differences};
use gate::{Gate, GateError};
use systems::{Given, Inputs};

pub(crate) use agreement::unlike;

/// What `fgd compare` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The systems; the first is the baseline. A path is a file of captions, embeddings or moments, a saved record,
    /// or a checkpoint: a directory, a hub id, or `CHECKPOINT+ADAPTER`, with an optional `@mbrN` or `@KEY=VALUE,…` that decodes it
    /// otherwise.
    pub systems: Vec<Named>,
    /// The references; only saved records do without.
    pub references: Option<References>,
    /// The images, for checkpoints and for thumbnails: a directory or a list.
    pub images: Option<PathBuf>,
    /// Where the paths of the list start; its own directory by default.
    pub image_root: Option<PathBuf>,
    /// Where checkpoints' captions, journals and records are kept: the same request goes on from there.
    pub work: PathBuf,
    /// Conditions that must hold, such as `fgd_paired<=base+0.002`.
    pub gate: Vec<String>,
    /// Show this many images on which the systems differ most.
    pub contrasts: usize,
    /// Leave the texts of the references out of the record.
    pub hide_references: bool,
    /// Bootstrap replicates behind every interval of a difference.
    pub replicates: usize,
    /// Whether every system is compared with the first alone, and not with every other.
    pub against_first: bool,
    /// How checkpoints caption.
    pub captioning: Captioning,
    /// How one of several captions of an image is chosen.
    pub choosing: Choosing,
    /// How caption files are read.
    pub reading: ReadOptions,
    /// How captions are embedded.
    pub encoding: Encoding,
    /// Which numbers.
    pub measuring: Measuring,
    /// What the record keeps of the captions.
    pub keeping: Keeping,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        let systems = self.systems.iter().map(|system| &*system.path);
        let references = self.references.as_ref().map(|given| &*given.path);
        systems.chain(references).chain(self.images.as_deref()).collect()
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            systems: Vec::new(),
            references: None,
            images: None,
            image_root: None,
            work: "fgd-compare.work".into(),
            gate: Vec::new(),
            contrasts: 10,
            hide_references: false,
            replicates: 1000,
            against_first: false,
            captioning: Captioning::default(),
            choosing: Choosing::default(),
            reading: ReadOptions::default(),
            encoding: Encoding::default(),
            measuring: Measuring::default(),
            keeping: Keeping::default(),
        }
    }
}

/// Captions with the checkpoints, scores all systems, and says how they differ. Crossed gates are in the record.
///
/// # Errors
/// Files that cannot be read, systems with errors, numbers that may not stand side by side, models that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let start = Instant::now();
    let host = host::describe();
    request.encoding.check()?;
    check_replicates(request.replicates)?;
    Named::check_all(&request.systems)?;
    let names: Vec<String> = request.systems.iter().map(|s| s.name.clone()).collect();
    let gates = (request.gate.iter())
        .map(|condition| Gate::parse(condition, &names).map_err(wrong_gate))
        .collect::<Result<Vec<_>, _>>()?;
    let opened = Inputs::open(request, &gates, session)?;
    let mut inputs = opened.inputs()?;
    let mut timings = BTreeMap::from([("read".to_owned(), start.elapsed().as_secs_f64())]);

    let clock = Instant::now();
    let scored = Scores::all(request, &opened, session)?;
    let (mut references_sha256, mut findings) = (None, scored.findings.clone());
    if let (Some(references), Some(given)) = (&opened.references, &request.references) {
        let input = references.input("references", &stem(&given.path), &given.path)?;
        references_sha256 = Some(references.references_sha256(&input));
        findings.extend(notes_on(references));
        inputs.push(input);
    }
    let comparability =
        agreement::agreed(&scored, references_sha256, &opened.systems, &request.measuring)?;
    timings.insert("score".into(), clock.elapsed().as_secs_f64());

    let clock = Instant::now();
    let mut results = compared(request, &scored, &opened)?;
    timings.insert("compare".into(), clock.elapsed().as_secs_f64());
    results.gates = checked(&gates, &scored, &results.differences)?;
    results.systems = (scored.contenders.into_iter().zip(opened.systems))
        .map(|(contender, system)| {
            let (checkpoint, captioning) =
                system.captioned.map(|captioned| (captioned.checkpoint, captioned.results)).unzip();
            record::System {
                name: contender.name,
                scores: contender.scores,
                checkpoint,
                captioning,
            }
        })
        .collect();
    timings.insert("total".into(), start.elapsed().as_secs_f64());
    let mut record = provenance::record(
        Origin {
            host,
            encoder: scored.encoder,
            checkpoint: None,
            inputs,
            settings: settings(request, &results),
            comparability,
            findings: opened.notes.into_iter().chain(findings).collect(),
            timings,
        },
        Results::Compare(Box::new(results)),
    );
    record.captions = scored.captions.finish(opened.images.as_ref(), request.keeping.thumbnails);
    if request.hide_references {
        record.hide_references();
    }
    Ok(record)
}

/// The systems with their numbers: image by image where there are captions or embeddings, of the set as a whole where
/// there are only moments, and as they were saved where there is a record.
#[derive(Default)]
struct Scores {
    /// The systems, in the order they were given.
    contenders: Vec<Contender>,
    /// The groups of images that were asked for; the first system decides.
    groupings: Vec<Grouping>,
    /// Notes on the files.
    findings: Vec<Finding>,
    /// The encoder of this run, or else of the first record.
    encoder: Option<EncoderInfo>,
    /// The key of each saved record, by the index of its system.
    saved: Vec<(usize, Comparability)>,
    /// Every caption, where the record keeps them.
    captions: Gathered,
}

impl Scores {
    fn all(request: &Request, opened: &Inputs, session: &mut Session) -> Result<Self, JobError> {
        let mut scored = Self::default();
        let mut scorer = match &opened.references {
            Some(references) => {
                let rows = opened.systems.iter().map(|system| match &system.given {
                    Given::File(file) => file.rows() + references.rows(),
                    Given::Saved(_) => 0,
                });
                let embedding = Embedding::new(session, &request.encoding, rows.sum());
                Some(Scorer::new(embedding, references, false, &request.measuring)?)
            }
            // Records alone have their numbers already.
            None => None,
        };
        for system in &opened.systems {
            let name = system.name.clone();
            let contender = match &system.given {
                Given::Saved(saved) => {
                    let key = saved.comparability.clone();
                    scored.saved.push((scored.contenders.len(), key));
                    scored.encoder = scored.encoder.take().or(saved.encoder.clone());
                    Contender { name, scores: saved.scores.clone(), rows: Err(NoRows::Record) }
                }
                Given::File(file) => {
                    let scorer = scorer.as_mut().ok_or_else(systems::no_references)?;
                    let shared = Some(scored.groupings.as_slice()).filter(|g| !g.is_empty());
                    let score =
                        scorer.score(file, shared).map_err(|error| refused(error, system))?;
                    scored.findings.extend(for_record(&score.findings, &name));
                    if let Some(images) = score.images.as_ref().filter(|_| request.keeping.captions)
                    {
                        scored.captions.add(&name, images, &score.results, &score.findings);
                    }
                    let rows = match score.images {
                        Some(ImageScores { set, per_caption, groupings }) => {
                            scored.groupings = groupings;
                            Ok(PerImage { set, per_caption })
                        }
                        None if file.is_moments() => Err(NoRows::Moments),
                        None => Err(NoRows::ReferenceMoments),
                    };
                    Contender { name, scores: score.results, rows }
                }
            };
            scored.contenders.push(contender);
        }
        // A record's own encoder is held against that of this run by its key.
        scored.encoder = scorer.and_then(|scorer| scorer.embedding.encoder()).or(scored.encoder);
        Ok(scored)
    }
}

fn refused(error: ScoreError, system: &systems::Participant) -> JobError {
    match error {
        ScoreError::Mismatch(message)
        | ScoreError::Metric(MetricError::InvalidSetting(message)) => {
            JobError::Usage(format!("{}: {message}", system.name))
        }
        ScoreError::Job(error) => error,
        error @ (ScoreError::Invalid(_) | ScoreError::Metric(MetricError::NotACovariance(_))) => {
            JobError::invalid(format!("{}: {error}", system.name))
        }
        ScoreError::Metric(error) => JobError::because(&system.name, error),
    }
}

/// What can be said of the systems' differences.
fn compared(
    request: &Request,
    scored: &Scores,
    opened: &Inputs,
) -> Result<CompareResults, JobError> {
    let resampling = Resampling {
        replicates: request.replicates,
        seed: request.measuring.seed,
        ..Resampling::default()
    };
    let contenders = &scored.contenders;
    let is_paired = |scores: &&ScoreResults| scores.pairing == Pairing::Paired;
    let all = || contenders.iter().map(|contender| &contender.scores);
    let (n, references) = all()
        .find(is_paired)
        .or_else(|| all().next())
        .map_or((0, 0), |scores| (scores.n, scores.references));
    let pairs = match request.against_first {
        true => (1..contenders.len()).map(|later| (later, 0)).collect(),
        false => all_pairs(contenders.len()),
    };
    Ok(CompareResults {
        n,
        references,
        systems: Vec::new(),
        differences: differences(contenders, &pairs, &scored.groupings, &resampling)?,
        contrasts: contrasts(contenders, request.contrasts, opened.images.as_ref()),
        gates: Vec::new(),
    })
}

fn checked(
    gates: &[Gate],
    scored: &Scores,
    differences: &[record::Difference],
) -> Result<Vec<record::Gate>, JobError> {
    let numbers: Vec<(&str, &ScoreResults)> = (scored.contenders.iter())
        .map(|contender| (contender.name.as_str(), &contender.scores))
        .collect();
    let checked = gates.iter().map(|gate| gate.check(&numbers, differences));
    checked.collect::<Result<_, _>>().map_err(wrong_gate)
}

fn wrong_gate(error: GateError) -> JobError {
    JobError::usage(format!("--gate {error}"))
}

fn settings(request: &Request, results: &CompareResults) -> BTreeMap<String, serde_json::Value> {
    let mut settings = request.measuring.settings();
    settings.insert("gate".to_owned(), request.gate.clone().into());
    settings.insert("replicates".to_owned(), request.replicates.into());
    if results.systems.iter().any(|s| s.captioning.is_some()) {
        let captioning = &request.captioning;
        settings.insert("prompt".to_owned(), captioning.prompt.clone().into());
        let generation = serde_json::to_value(&captioning.generation).unwrap_or_default();
        settings.insert("generation".to_owned(), generation);
    }
    settings
}
