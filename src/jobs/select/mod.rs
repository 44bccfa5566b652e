//! One of several captions of each image: of samples that a captioner drew, or of the files of several systems.
//!
//! `files` reads them, `pool` gathers the captions by image id, `choose` keeps one, and `quality` says with references what that is worth beside each
//! file's own captions, by the encoder that chose and by one that had no part in it.

mod choose;
mod files;
mod pool;
mod quality;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captions::ReadOptions;
use fgd_metrics::choice::{self, Grouped};
use fgd_metrics::compare::check_replicates;
use fgd_metrics::estimate::Estimate;
use fgd_record::{Comparability, Judged, Measure, Record, Results, SelectResults};
use fgd_store::file::Output;
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::apart::Apart;
use super::captions_csv::captions_csv;
use super::embedding::Embedding;
use super::options::{Encoding, Measuring, Named, References};
use super::provenance::{self, Origin};
use super::scoring::system::stem;
use super::{JobError, Session};
use crate::host;
use crate::jobs::scoring::numbers::measured;
use files::Files;
use quality::Quality;

pub use choose::{By, Choosing, Chosen};
pub use pool::{Candidate, Pool};

/// What `fgd select` and `fgd ensemble` are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The files of captions, each with one or several per image.
    pub systems: Vec<Named>,
    /// Where the chosen captions go.
    pub output: PathBuf,
    /// How they are chosen.
    pub choosing: Option<Choosing>,
    /// Whether the oracle's captions may be written.
    pub yes_this_is_an_oracle: bool,
    /// References of all or some of the images, or with `unpaired` of others.
    pub references: Option<References>,
    /// The references are of other images: only the sets are compared.
    pub unpaired: bool,
    /// An encoder that had no part in the choice.
    pub judge: Option<String>,
    /// Bootstrap replicates behind every interval of a difference.
    pub replicates: usize,
    /// How caption files are read.
    pub reading: ReadOptions,
    /// How captions are embedded.
    pub encoding: Encoding,
    /// Which numbers.
    pub measuring: Measuring,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        let references = self.references.as_ref().map(|given| &*given.path);
        self.systems.iter().map(|system| &*system.path).chain(references).collect()
    }

    fn outputs(&self) -> Vec<&Path> {
        vec![&self.output]
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            systems: Vec::new(),
            output: "chosen.csv".into(),
            choosing: None,
            yes_this_is_an_oracle: false,
            references: None,
            unpaired: false,
            judge: None,
            replicates: 1000,
            reading: ReadOptions::default(),
            encoding: Encoding::default(),
            measuring: Measuring::default(),
        }
    }
}

impl Request {
    /// How a caption is chosen: where nothing is said by agreement, of several files with weights that the references teach.
    fn rule(&self) -> Choosing {
        let learns = self.systems.len() > 1 && self.references.is_some() && !self.unpaired;
        let by = if learns { By::MbrWeighted } else { By::Mbr };
        self.choosing.clone().unwrap_or_else(|| Choosing { by, ..Choosing::default() })
    }

    /// The numbers that tell what the choice is worth, CIDEr always among them: no encoder has a part in it.
    fn measured(&self) -> Measuring {
        let mut measuring = self.measuring.clone();
        if !measuring.metrics.iter().any(|group| group == "cider" || group == "all") {
            measuring.metrics.push("cider".into());
        }
        measuring
    }
}

/// Chooses a caption for each image and writes them; says with references what that is worth.
///
/// # Errors
/// Files that cannot be read or have errors, a rule that lacks what it needs, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let start = Instant::now();
    Named::check_all(&request.systems)?;
    let host = host::describe();
    request.encoding.check()?;
    check(request)?;
    request.keep_apart([])?;
    let output = Output::create(&request.output)?;
    let files = Files::open(request)?;
    if request.references.is_some() {
        quality::check(request, &files)?;
    }
    let pool = &files.pool;

    let texts = pool.texts();
    let all: Vec<&str> = texts.iter().copied().chain(files.references.texts()).collect();
    let mut embedding = Embedding::new(session, &request.encoding, all.len() as u64);
    let embeddings = embedding.embed(&all)?;
    let encoder = embedding.encoder();
    drop(embedding);
    let (of_pool, of_references) = embeddings.view().split_at(Axis(0), texts.len());
    let grouped = Grouped::new(of_pool, &pool.counts)?;
    let references = match request.unpaired {
        true => None,
        false => files.references.grouped(of_references)?,
    };
    let choosing = request.rule();
    let chosen = choosing.choose(pool, of_pool, references.as_ref())?;

    let rows = pool.ids.iter().zip(&chosen.rows);
    let rows = rows.map(|(id, row)| (id.as_str(), pool.captions[*row].text.as_str()));
    let csv = captions_csv(rows).map_err(JobError::at(&request.output))?;
    output.commit_with(&csv)?;
    let chose = start.elapsed().as_secs_f64();

    let mut results = SelectResults {
        by: choosing.by.name().into(),
        metric: (choosing.by == By::Medoid).then(|| choosing.metric.clone()),
        images: pool.ids.len() as u64,
        candidates: pool.captions.len() as u64,
        sources: files.sources(request, &chosen),
        agreement: agreement(&grouped),
        identical: pool.identical(),
        oracle: references.as_ref().map(|references| oracle(&grouped, references)),
        ..SelectResults::default()
    };
    if request.references.is_some() {
        let quality = Quality { request, files: &files, chosen: &chosen };
        let (found, warning) = quality.of(&embeddings)?;
        results.quality = Some(found);
        results.warnings.extend(warning);
        if let Some(judge) = &request.judge {
            let encoding = Encoding { encoder: judge.clone(), ..request.encoding.clone() };
            let mut embedding = Embedding::new(session, &encoding, all.len() as u64);
            let embeddings = embedding.embed(&all)?;
            let id = embedding.encoder().map_or_else(|| judge.clone(), |encoder| encoder.id);
            results.judge = Some(Judged { encoder: id, quality: quality.of(&embeddings)?.0 });
        }
        results.warnings.extend(optimistic(request));
    }
    let mut inputs = files.inputs(request)?;
    let mut comparability = provenance::comparability(encoder.as_ref(), String::new());
    comparability = match (&files.reference_file, &request.references) {
        (Some(file), Some(given)) => {
            inputs.push(file.input("references", &stem(&given.path), &given.path)?);
            let hash = file.references_sha256(&inputs[inputs.len() - 1]);
            provenance::comparability(encoder.as_ref(), hash)
        }
        _ => Comparability { references_sha256: None, ..comparability },
    };
    let mut settings = request.measured().settings();
    settings.insert("by".into(), choosing.by.name().into());
    settings.insert("metric".into(), choosing.metric.into());
    settings.insert("unpaired".into(), request.unpaired.into());
    settings.insert("replicates".into(), request.replicates.into());
    Ok(provenance::record(
        Origin {
            host,
            encoder,
            checkpoint: None,
            inputs,
            settings,
            comparability,
            findings: files.findings,
            timings: BTreeMap::from([
                ("choose".to_owned(), chose),
                ("score".to_owned(), start.elapsed().as_secs_f64() - chose),
            ]),
        },
        Results::Select(Box::new(results)),
    ))
}

fn check(request: &Request) -> Result<(), JobError> {
    if request.systems.is_empty() {
        return Err(JobError::usage("give at least one file of captions to choose from"));
    }
    check_replicates(request.replicates)?;
    request.measuring.refuse(
        &["cluster", "population"],
        "what a choice is worth counts images by what they share, and speaks for images yet to come",
    )?;
    let by = request.rule().by;
    if by == By::Oracle && !request.yes_this_is_an_oracle {
        return Err(JobError::usage(
            "--by oracle looks at the references: its captions are an upper bound and no submission; to write them all \
             the same, add --yes-this-is-an-oracle",
        ));
    }
    if by == By::Oracle && request.unpaired {
        return Err(JobError::usage(
            "--by oracle needs references of the same images: leave out --unpaired",
        ));
    }
    if request.judge.is_some() && request.references.is_none() {
        return Err(JobError::usage("--judge scores the choice: give --references too"));
    }
    if by == By::MbrWeighted
        && request.systems.len() > 1
        && (request.references.is_none() || request.unpaired)
    {
        return Err(JobError::usage(
            "--by mbr-weighted learns a weight per file: give --references of some of the images, or choose --by mbr",
        ));
    }
    Ok(())
}

/// Choosing by the measure that judges flatters the choice (arXiv:2411.03524).
fn optimistic(request: &Request) -> Option<String> {
    let choosing = request.rule();
    if choosing.by == By::Oracle {
        return Some(
            "the oracle looks at the references: its numbers are an upper bound and no result"
                .into(),
        );
    }
    choosing.embeds().then(|| {
        let more = match request.judge {
            Some(_) => "believe the judge's numbers before these",
            None => "give --judge ENCODER for one that had no part in the choice",
        };
        format!("the encoder that chose also judges, which flatters the choice; {more}")
    })
}

fn agreement(candidates: &Grouped) -> Measure {
    let known: Vec<f64> = choice::agreement(candidates).into_iter().flatten().collect();
    measure(&known, [-1.0, 1.0], "no image has two captions")
}

fn oracle(candidates: &Grouped, references: &Grouped) -> Measure {
    let distances = choice::distances(candidates, references);
    let rows = choice::least(candidates, &distances).into_iter().flatten();
    let best: Vec<f64> = rows.map(|row| distances[row]).collect();
    measure(&best, [0.0, f64::INFINITY], "no image has references")
}

/// The mean of values that lie within a range.
fn measure(values: &[f64], range: [f64; 2], reason: &str) -> Measure {
    match (Estimate::of_mean(values), values) {
        (Ok(found), _) => measured(found.within(range)),
        (Err(_), [one]) => Measure::exact(*one),
        (Err(_), _) => Measure::missing(reason),
    }
}

/// Rows of embeddings by index.
fn rows_of(embeddings: &Array2<f32>, rows: &[usize]) -> Array2<f32> {
    embeddings.select(Axis(0), rows)
}
