//! How good is one submission, and which captions hurt?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captions::{ReadOptions, TableFile};
use fgd_metrics::MetricError;
use fgd_record::{Record, Results};
use serde::{Deserialize, Serialize};

use super::apart::Apart;
use super::embedding::Embedding;
use super::images::Images;
use super::options::{Encoding, Keeping, Measuring, References};
use super::provenance::{self, Origin};
use super::scoring::captions::Gathered;
use super::scoring::findings::{for_record, notes_on};
use super::scoring::numbers::worst;
use super::scoring::system::{System, stem};
use super::scoring::{ImageScores, ScoreError, Scorer, per_caption};
use super::{JobError, Session, exact};
use crate::host;

/// What `fgd score` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Captions, `.npy` embeddings, or `.npz` moments.
    pub submission: PathBuf,
    /// The references.
    pub references: References,
    /// Compare the two sets as wholes; for references of other images.
    #[serde(default)]
    pub unpaired: bool,
    /// Keep nothing but sums, which are the same to the bit in any order and from any number of machines.
    #[serde(default)]
    pub exact: bool,
    /// Show this many of the captions that hurt most.
    #[serde(default)]
    pub worst: usize,
    /// Leave the texts of the references out of the record.
    #[serde(default)]
    pub hide_references: bool,
    /// Write one row per image: `.csv`, `.parquet` or `.jsonl`.
    #[serde(default)]
    pub per_caption: Option<PathBuf>,
    /// How caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Which numbers.
    #[serde(default)]
    pub measuring: Measuring,
    /// What the record keeps of the captions.
    #[serde(default)]
    pub keeping: Keeping,
    /// The images, for thumbnails beside the captions that are kept: a directory or a list.
    #[serde(default)]
    pub images: Option<PathBuf>,
    /// Where the paths of the list start; its own directory by default.
    #[serde(default)]
    pub image_root: Option<PathBuf>,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        let pair = [&*self.submission, &*self.references.path];
        pair.into_iter().chain(self.images.as_deref()).collect()
    }

    fn outputs(&self) -> Vec<&Path> {
        self.per_caption.as_deref().into_iter().collect()
    }
}

/// Scores a submission.
///
/// # Errors
/// Files that cannot be read, a submission with errors, sides that do not go together, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    request.encoding.check()?;
    request.keep_apart([])?;
    if request.exact {
        return exact::run(request, session);
    }
    let start = Instant::now();
    let host = host::describe();
    let table_file = request.per_caption.as_deref().map(TableFile::create).transpose()?;
    let images = Images::open(request.images.as_deref(), request.image_root.as_deref())?;
    let Pair { submission, references } = Pair::open(request)?;
    check_rows(request, &submission, &references)?;
    let inputs = vec![
        submission.input("submission", &stem(&request.submission), &request.submission)?,
        references.input(
            "references",
            &stem(&request.references.path),
            &request.references.path,
        )?,
    ];
    let read = start.elapsed().as_secs_f64();

    let progress = session.progress.clone();
    let total = submission.rows() + references.rows();
    let embedding = Embedding::new(session, &request.encoding, total);
    let mut scorer = Scorer::new(embedding, &references, request.unpaired, &request.measuring)?;
    let score = scorer.score(&submission, None).map_err(|error| refused(error, request))?;
    let encoder = scorer.embedding.encoder();
    let encoded = scorer.embedding.encoded();
    let embed = scorer.embedding.seconds();
    drop(scorer);
    if encoder.is_some() {
        let found = total - (encoded as u64).min(total);
        progress.say(&format!("{encoded} captions encoded, {found} cached or like another"));
    }
    let mut results = score.results;
    let mut captions = Gathered::default();
    if let Some(scores @ ImageScores { set, per_caption, .. }) = &score.images {
        if request.keeping.captions {
            captions.add(&inputs[0].name, scores, &results, &score.findings);
        }
        results.worst = worst(set, per_caption, request.worst);
        if let Some(file) = table_file {
            file.write(&per_caption::table(set, per_caption, request.hide_references))?;
        }
    }
    let total = start.elapsed().as_secs_f64();
    let references_sha256 = references.references_sha256(&inputs[1]);
    let mut findings = for_record(&score.findings, "submission");
    findings.extend(notes_on(&references));
    let mut settings = request.measuring.settings();
    settings.insert("unpaired".to_owned(), request.unpaired.into());
    let mut record = provenance::record(
        Origin {
            host,
            comparability: provenance::comparability(encoder.as_ref(), references_sha256),
            encoder,
            checkpoint: None,
            inputs,
            settings,
            findings,
            timings: BTreeMap::from([
                ("read".to_owned(), read),
                ("embed".to_owned(), embed),
                ("score".to_owned(), total - read - embed),
                ("total".to_owned(), total),
            ]),
        },
        Results::Score(Box::new(results)),
    );
    record.captions = captions.finish(images.as_ref(), request.keeping.thumbnails);
    if request.hide_references {
        record.hide_references();
    }
    Ok(record)
}

/// A submission and its references, read.
pub struct Pair {
    /// The submission.
    pub submission: System,
    /// The references.
    pub references: System,
}

impl Pair {
    /// Reads both files.
    ///
    /// # Errors
    /// Files that cannot be read; references with errors.
    pub fn open(request: &Request) -> Result<Self, JobError> {
        let reading = ReadOptions {
            without_ids: request.unpaired || !System::is_captions(&request.references.path),
            ..request.reading.clone()
        };
        let mut submission = System::open_submission(&request.submission, &reading)?;
        let references = System::open_references(&request.references, &reading)?;
        if !request.unpaired {
            submission.settle(&references);
        }
        Ok(Self { submission, references })
    }
}

fn check_rows(request: &Request, submission: &System, references: &System) -> Result<(), JobError> {
    let needs_rows = request.per_caption.is_some()
        || request.worst > 0
        || !request.measuring.metrics.is_empty()
        || !request.measuring.slice.is_empty();
    if needs_rows && (submission.is_moments() || references.is_moments()) {
        return Err(JobError::usage(
            "--per-caption, --worst, --metrics and --slice need captions or embeddings on both sides: \
             moments have no rows",
        ));
    }
    Ok(())
}

/// The error of the job, for a system that has no score.
pub(super) fn refused(error: ScoreError, request: &Request) -> JobError {
    match error {
        ScoreError::Invalid(ref findings) => JobError::Invalid {
            message: format!("{}: {error}", request.submission.display()),
            findings: vec![(request.submission.clone(), for_record(findings, "submission"))],
        },
        ScoreError::Mismatch(message) => JobError::Usage(message),
        // Only a file of moments can hold one.
        ScoreError::Metric(error @ MetricError::NotACovariance(_)) => {
            JobError::invalid(format!("{}: {error}", request.submission.display()))
        }
        ScoreError::Metric(error) => error.into(),
        ScoreError::Job(error) => error,
    }
}
