//! One of several captions of each image: of samples that a captioner drew, or of the files of several systems.
//!
//! `pool` gathers the captions by image id, `choose` keeps one, and `quality` says with references what that is worth beside each
//! file's own captions, by the encoder that chose and by one that had no part in it.

mod choose;
mod pool;
mod quality;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use fgd_captions::{self as captions, CaptionFile, ReadOptions};
use fgd_metrics::choice::{self, Grouped};
use fgd_metrics::estimate::Estimate;
use fgd_record::{
    Comparability, Finding, Judged, Measure, Record, Results, SelectResults, SelectSource,
};
use fgd_store::file::Output;
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::captions_csv::captions_csv;
use super::embedding::Embedding;
use super::options::{Encoding, Measuring, Named, References};
use super::provenance::{self, Origin};
use super::scoring::findings::{errors, for_record};
use super::scoring::system::{System, stem};
use super::{JobError, Session};
use crate::host;
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
    pub choosing: Choosing,
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

impl Default for Request {
    fn default() -> Self {
        Self {
            systems: Vec::new(),
            output: "chosen.csv".into(),
            choosing: Choosing::default(),
            yes_this_is_an_oracle: false,
            references: None,
            unpaired: false,
            judge: None,
            replicates: 1000,
            reading: ReadOptions::default(),
            encoding: Encoding::default(),
            measuring: Measuring { metrics: vec!["cider".into()], ..Measuring::default() },
        }
    }
}

/// Chooses a caption for each image and writes them; says with references what that is worth.
///
/// # Errors
/// Files that cannot be read or have errors, a rule that lacks what it needs, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let start = Instant::now();
    let host = host::describe();
    check(request)?;
    let mut output = Output::create(&request.output).map_err(JobError::usage)?;
    let files = Files::open(request)?;
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
    let chosen = request.choosing.choose(pool, of_pool, references.as_ref())?;

    let rows = pool.ids.iter().zip(&chosen.rows);
    let rows = rows.map(|(id, row)| (id.as_str(), pool.captions[*row].text.as_str()));
    let csv = captions_csv(rows).map_err(|e| JobError::because(request.output.display(), e))?;
    output.write_all(&csv)?;
    output.commit()?;
    let chose = start.elapsed().as_secs_f64();

    let mut results = SelectResults {
        by: request.choosing.by.name().into(),
        metric: (request.choosing.by == By::Medoid).then(|| request.choosing.metric.clone()),
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
    let mut settings = request.measuring.settings();
    settings.insert("by".into(), request.choosing.by.name().into());
    settings.insert("metric".into(), request.choosing.metric.clone().into());
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
    if request.replicates < 2 {
        return Err(JobError::usage(
            "--replicates: an interval needs at least 2, and 1000 are usual",
        ));
    }
    let by = request.choosing.by;
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
    if request.choosing.by == By::Oracle {
        return Some(
            "the oracle looks at the references: its numbers are an upper bound and no result"
                .into(),
        );
    }
    request.choosing.embeds().then(|| {
        let more = match request.judge {
            Some(_) => "believe the judge's numbers before these",
            None => "give --judge ENCODER for one that had no part in the choice",
        };
        format!("the encoder that chose also judges, which flatters the choice; {more}")
    })
}

/// Everything that was read.
struct Files {
    files: Vec<CaptionFile>,
    reference_file: Option<System>,
    pool: Pool,
    references: ReferenceCaptions,
    findings: Vec<Finding>,
}

/// The references along the images of a pool, or of other images.
struct ReferenceCaptions {
    /// References of each image of the pool.
    counts: Vec<usize>,
    /// Their texts, one image after the other.
    texts: Vec<String>,
    /// Their indices in the file.
    rows: Vec<usize>,
}

impl ReferenceCaptions {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    fn grouped<'a>(
        &self,
        embeddings: ndarray::ArrayView2<'a, f32>,
    ) -> Result<Option<Grouped<'a>>, JobError> {
        let any = !self.texts.is_empty();
        Ok(any.then(|| Grouped::new(embeddings, &self.counts)).transpose()?)
    }
}

impl Files {
    fn open(request: &Request) -> Result<Self, JobError> {
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
                        "{}: {} errors in the captions; mend them and choose again",
                        system.path.display(),
                        errors(&found)
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

    fn sources(&self, request: &Request, chosen: &Chosen) -> Vec<SelectSource> {
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

    fn inputs(&self, request: &Request) -> Result<Vec<fgd_record::Input>, JobError> {
        let files = self.files.iter().zip(&request.systems);
        Ok(files
            .map(|(file, system)| fgd_record::Input {
                role: "submission".into(),
                name: system.name.clone(),
                path: system.path.display().to_string(),
                sha256: file.sha256.clone(),
                rows: file.captions.len() as u64,
            })
            .collect())
    }
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

fn agreement(candidates: &Grouped) -> Measure {
    let known: Vec<f64> = choice::agreement(candidates).into_iter().flatten().collect();
    measure(&known, "no image has two captions")
}

fn oracle(candidates: &Grouped, references: &Grouped) -> Measure {
    let distances = choice::distances(candidates, references);
    let rows = choice::least(candidates, &distances).into_iter().flatten();
    let best: Vec<f64> = rows.map(|row| distances[row]).collect();
    measure(&best, "no image has references")
}

fn measure(values: &[f64], reason: &str) -> Measure {
    match (Estimate::of_mean(values), values) {
        (Ok(found), _) => Measure::estimated(found.value, found.se, found.ci95),
        (Err(_), [one]) => Measure::exact(*one),
        (Err(_), _) => Measure::missing(reason),
    }
}

/// Rows of embeddings by index.
fn rows_of(embeddings: &Array2<f32>, rows: &[usize]) -> Array2<f32> {
    embeddings.select(Axis(0), rows)
}
