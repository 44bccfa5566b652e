//! A leaderboard of which only sums are left: of submissions that are summed here, or that `fgd-cluster` summed.
//!
//! The paired distance ranks, by sums of the submissions' differences image by image. What sums of groups tell beside it, the
//! difference of neighbours in the corrected `fgd_set`, stands below.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use fgd_captions::USAGE;
use fgd_metrics::pair_sums::{Distances, FieldSums};
use fgd_record::words::counted;
use fgd_record::{EncoderInfo, Finding, Host, Input, Record, Rejected, Results, Severity};
use serde::{Deserialize, Serialize};

use super::buckets::Manifest;
use super::pairs::{ExactReferences, TextPairs};
use super::results::{Summed, results};
use super::sums::{Sources, checked_sums};
use crate::host;
use crate::jobs::apart::Apart;
use crate::jobs::embedding::Embedding;
use crate::jobs::leaderboard::field::{FINDINGS_KEPT, first_errors};
use crate::jobs::leaderboard::rank::{Drawn, Entry, Evidence, RankedBy, rank};
use crate::jobs::leaderboard::{self, check_ranked};
use crate::jobs::options::{Encoding, Measuring};
use crate::jobs::provenance::{self, Origin};
use crate::jobs::{JobError, Session, Silent, score};

/// What is asked about sums of several submissions that `fgd-cluster` made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The folder of `fgd prepare` that was summed.
    pub buckets: PathBuf,
    /// The sums of each submission.
    pub sums: Vec<PathBuf>,
    /// The sums of their differences.
    pub field: PathBuf,
    /// How captions were embedded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Images of the finite set that the scores are to speak for.
    #[serde(default)]
    pub population: Option<u64>,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        self.sums.iter().chain([&self.field]).map(|path| &**path).collect()
    }
}

/// A submission and its numbers.
struct Contestant {
    name: String,
    sources: Sources,
    summed: Summed,
}

/// Makes the record of sums.
///
/// # Errors
/// Files that cannot be read or do not belong together, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let (start, host) = (Instant::now(), host::describe());
    let manifest = Manifest::read(&request.buckets)?;
    let pairs = manifest.pairs;
    let sources: Vec<Sources> = [manifest.sources].into_iter().chain(manifest.others).collect();
    let field = std::fs::read(&request.field).map_err(JobError::at(&request.field))?;
    let field = FieldSums::from_bytes(&field).map_err(JobError::at(&request.field))?;
    let counts = [sources.len(), request.sums.len(), field.systems()];
    if counts != [sources.len(); 3] || field.n() != pairs {
        return Err(JobError::usage(format!(
            "{}: holds {} submissions of {pairs} images; these are sums of {} and differences of {} on {} images",
            request.buckets.display(),
            counts[0],
            counts[1],
            counts[2],
            field.n()
        )));
    }
    let encoder = provenance::encoder_info(session.embedder(&request.encoding)?);
    let measuring = Measuring {
        slice: sources[0].slice.clone(),
        population: request.population,
        ..Measuring::default()
    };
    let mut contestants = Vec::with_capacity(sources.len());
    for ((sources, name), path) in sources.iter().zip(names(&sources)).zip(&request.sums) {
        // One after the other: sums are large.
        let sums = checked_sums(path, &request.buckets, pairs, encoder.dim)?;
        let summed = results(&sums, &sources.slice, request.population)?;
        contestants.push(Contestant { name, sources: sources.clone(), summed });
    }
    record(contestants, field, Vec::new(), Some(encoder), &measuring, host, start)
}

/// What the submissions are called: by their files, with their folders where two files would be called the same.
fn names(sources: &[Sources]) -> Vec<String> {
    let names: Vec<String> = sources.iter().map(|sources| sources.name()).collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    names.iter().for_each(|name| *count.entry(name).or_default() += 1);
    let path = |sources: &Sources| sources.inputs.first().map(|input| input.path.clone());
    let own = |(name, sources): (&String, &Sources)| match count[name.as_str()] {
        1 => name.clone(),
        _ => path(sources).unwrap_or_else(|| name.clone()),
    };
    names.iter().zip(sources).map(own).collect()
}

/// Sums submissions one after the other and ranks them. What is a submission's own fault rejects it.
///
/// # Errors
/// As [`leaderboard::run`]; a request for what sums do not tell.
pub fn of(request: &leaderboard::Request, session: &mut Session) -> Result<Record, JobError> {
    let (start, host) = (Instant::now(), host::describe());
    let of = |submission: PathBuf| score::Request {
        submission,
        references: request.references.clone(),
        unpaired: request.unpaired,
        images: request.images.clone(),
        keeping: request.keeping.clone(),
        reading: request.reading.clone(),
        measuring: request.measuring.clone(),
        ..score::Request::default()
    };
    let shared = of(PathBuf::new());
    super::refuse(&shared)?;
    let asked = [(request.split.is_some(), "--split"), (request.public_only, "--public-only")];
    if let Some((_, flag)) = asked.iter().find(|(is_asked, _)| *is_asked) {
        return Err(JobError::usage(format!(
            "{flag} goes by single images, and --exact keeps sums only; leave one of them out"
        )));
    }
    let references = ExactReferences::read(&shared)?;
    let progress = session.progress.clone();
    if references.has_usage() {
        progress.say(&format!("{USAGE}: no split, since --exact keeps sums of all images"));
    }
    let bar = progress.begin("scoring", "submissions", request.submissions.len() as u64);
    let mut embedding = Embedding::silent(session, &request.encoding);
    let (mut contestants, mut distances, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    for submission in &request.submissions {
        let name = submission.name.clone();
        let request = of(submission.path.clone());
        match TextPairs::beside(&request, &references) {
            Ok((pairs, sources)) => {
                let mut own = Distances::default();
                let sums = super::sums_of(&pairs, &mut embedding, Some(&mut own), &Silent)?;
                let summed = results(&sums, &sources.slice, request.measuring.population)?;
                contestants.push(Contestant { name, sources, summed });
                distances.push(own);
            }
            Err(JobError::Invalid { message, findings }) => {
                let found = findings.into_iter().flat_map(|(_, found)| found);
                let found: Vec<Finding> =
                    found.map(|found| Finding { input: name.clone(), ..found }).collect();
                let is_error = |found: &&Finding| found.severity == Severity::Error;
                let reason = match found.iter().filter(is_error).count() {
                    0 => message,
                    errors => format!("{} in the file", counted(errors as u64, "error")),
                };
                let findings = first_errors(found);
                rejected.push(Rejected { name, reason, findings });
            }
            Err(error) => return Err(error),
        }
        bar.advance(1);
    }
    check_ranked(contestants.len(), &rejected, &*progress)?;
    let encoder = embedding.encoder();
    let mut field = FieldSums::new(contestants.len());
    field.push(&distances)?;
    record(contestants, field, rejected, encoder, &request.measuring, host, start)
}

/// The record; `start` is when the work began.
fn record(
    contestants: Vec<Contestant>,
    field: FieldSums,
    rejected: Vec<Rejected>,
    encoder: Option<EncoderInfo>,
    measuring: &Measuring,
    host: Host,
    start: Instant,
) -> Result<Record, JobError> {
    let population = measuring.population.map(|images| images as f64);
    let drawn = Drawn { population, ..Drawn::default() };
    let sha256 = contestants[0].sources.references_sha256.clone();
    let comparability = provenance::comparability(encoder.as_ref(), sha256);
    let inputs = inputs(&contestants);
    let findings = findings(&contestants);
    let hide_references = contestants.iter().any(|of| of.sources.hide_references);
    let field = Arc::new(field);
    let entry = |(system, Contestant { name, summed, .. })| {
        let set = summed.inference.map(Box::new);
        Entry { name, scores: summed.results, evidence: Evidence::Sums(field.clone(), system, set) }
    };
    let entries = contestants.into_iter().enumerate().map(entry).collect();
    let mut results = rank(entries, RankedBy::Paired, None, &drawn, &comparability.key)?;
    results.rejected = rejected;
    let mut settings = measuring.settings();
    settings.insert("unpaired".to_owned(), false.into());
    settings.insert("exact".to_owned(), true.into());
    settings.insert("split".to_owned(), serde_json::Value::Null);
    let timings = BTreeMap::from([("total".to_owned(), start.elapsed().as_secs_f64())]);
    let origin = Origin {
        host,
        comparability,
        encoder,
        checkpoint: None,
        inputs,
        settings,
        findings,
        timings,
    };
    let mut record = provenance::record(origin, Results::Leaderboard(Box::new(results)));
    if hide_references {
        record.hide_references();
    }
    Ok(record)
}

/// The files of all submissions by their names, and the references.
fn inputs(contestants: &[Contestant]) -> Vec<Input> {
    let (mut submissions, mut references) = (Vec::new(), Vec::new());
    for (at, Contestant { name, sources, .. }) in contestants.iter().enumerate() {
        for input in sources.inputs.clone() {
            match input.role == "submission" {
                true => submissions.push(Input { name: name.clone(), ..input }),
                false if at == 0 => references.push(input),
                false => {}
            }
        }
    }
    submissions.extend(references);
    submissions
}

/// The first findings of every submission by its name, and once what is to be known of the references.
fn findings(contestants: &[Contestant]) -> Vec<Finding> {
    let (mut all, mut about) = (Vec::new(), Vec::new());
    for (at, Contestant { name, sources, .. }) in contestants.iter().enumerate() {
        let (notes, own): (Vec<Finding>, Vec<Finding>) =
            sources.findings.iter().cloned().partition(|found| found.input == "references");
        let named = own.into_iter().map(|found| Finding { input: name.clone(), ..found });
        all.extend(Finding::first_of_each_kind(named.collect(), FINDINGS_KEPT));
        if at == 0 {
            about = notes;
        }
    }
    all.extend(about);
    all
}

impl Sources {
    /// What the submission is called: its file, or the folder of its files.
    pub fn name(&self) -> String {
        let files: Vec<&Input> =
            self.inputs.iter().filter(|input| input.role == "submission").collect();
        let folder = || Path::new(&files.first()?.path).parent()?.file_name()?.to_str();
        match files[..] {
            [only] => only.name.clone(),
            _ => folder().unwrap_or("submission").to_owned(),
        }
    }
}
