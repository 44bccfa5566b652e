//! Many submissions, ranked with what their differences leave open.

mod field;
pub mod rank;
mod ranks;
pub mod split;

use std::collections::BTreeMap;
use std::time::Instant;

use fgd_captions::{self as captions, ReadOptions};
use fgd_record::{Record, Rejected, Results};
use serde::{Deserialize, Serialize};

use super::options::{Encoding, Measuring, Named, References};
use super::provenance::{self, Origin};
use super::scoring::findings::notes_on;
use super::scoring::system::{System, stem};
use super::{JobError, Session};
use crate::host;
use field::Field;
use rank::{Parts, RankedBy, rank};
use split::{SplitBy, USAGE};

/// What `fgd leaderboard` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The submissions: files of captions, or `.npy` embeddings.
    pub submissions: Vec<Named>,
    /// The references.
    pub references: References,
    /// The references are of other images: rank by the distance of the sets.
    #[serde(default)]
    pub unpaired: bool,
    /// `public=SHARE`, or the column of the references that says Public or Private.
    #[serde(default)]
    pub split: Option<String>,
    /// How caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Which numbers.
    #[serde(default)]
    pub measuring: Measuring,
}

/// Scores the submissions and ranks them. What is a submission's own fault rejects it.
///
/// # Errors
/// References that cannot be read or split, an encoder that cannot be had, not one submission that can be ranked.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let start = Instant::now();
    let host = host::describe();
    let path = &request.references.path;
    let references = System::open_references(&request.references, &request.reading)?;
    let of_references = references.input("references", &stem(path), path)?;
    let parts = parts(request, &references)?;

    let progress = session.progress.clone();
    let field = Field::score(request, &references, session)?;
    if field.entries.is_empty() {
        let why = |rejected: &Rejected| format!("{}: {}", rejected.name, rejected.reason);
        let reasons: Vec<String> = field.rejected.iter().map(why).collect();
        return Err(JobError::Invalid {
            message: format!("not one of the submissions can be ranked: {}", reasons.join("; ")),
            findings: (field.rejected.into_iter())
                .map(|rejected| (rejected.name.into(), rejected.findings))
                .collect(),
        });
    }
    let sha256 = references.references_sha256(&of_references);
    let comparability = provenance::comparability(field.encoder.as_ref(), sha256);
    let ranked_by = match request.unpaired {
        true => RankedBy::Set,
        false => RankedBy::Paired,
    };
    let mut results = rank(field.entries, ranked_by, parts.as_ref(), &comparability.key)?;
    results.rejected = field.rejected;
    if !results.rejected.is_empty() {
        progress.say(&format!(
            "{} of {} submissions could not be ranked",
            results.rejected.len(),
            request.submissions.len()
        ));
    }
    let mut findings = field.findings;
    findings.extend(notes_on(&references));
    for finding in findings.iter().filter(|finding| finding.input == "references") {
        progress.say(&format!("{}: note: {}", path.display(), finding.message));
    }
    let mut inputs = field.inputs;
    inputs.push(of_references);
    let mut settings = request.measuring.settings();
    settings.insert("unpaired".to_owned(), request.unpaired.into());
    settings.insert("split".to_owned(), request.split.clone().into());
    Ok(provenance::record(
        Origin {
            host,
            encoder: field.encoder,
            checkpoint: None,
            inputs,
            settings,
            comparability,
            findings,
            timings: BTreeMap::from([("total".to_owned(), start.elapsed().as_secs_f64())]),
        },
        Results::Leaderboard(Box::new(results)),
    ))
}

/// The split that was asked for, or that the references bring along.
fn parts(request: &Request, references: &System) -> Result<Option<Parts>, JobError> {
    if request.unpaired {
        return match &request.split {
            Some(_) => Err(JobError::usage(
                "--split needs references of the same images; leave out --unpaired",
            )),
            None => Ok(None),
        };
    }
    let by = match (&request.split, references) {
        (Some(text), _) => SplitBy::parse(text).map_err(JobError::usage)?,
        (None, System::Captions(file)) if split::has_usage(file) => SplitBy::Column(USAGE.into()),
        (None, _) => return Ok(None),
    };
    let seed = request.measuring.seed;
    let public = match (&by, references) {
        (SplitBy::Share(share), System::Captions(file)) => {
            let images = captions::group(file);
            split::by_seed(images.ids.iter().map(String::as_str), *share, seed)
        }
        (SplitBy::Share(share), System::Embeddings { embeddings, .. }) => {
            let rows: Vec<String> = (0..embeddings.nrows()).map(|row| row.to_string()).collect();
            split::by_seed(rows.iter().map(String::as_str), *share, seed)
        }
        (SplitBy::Column(column), System::Captions(file)) => {
            split::by_column(file, &captions::group(file), column)
        }
        _ => {
            return Err(JobError::usage("--split COLUMN needs references that are captions"));
        }
    };
    let public = public.map_err(JobError::usage)?;
    let (source, seed) = match by {
        SplitBy::Share(_) => ("seed".into(), Some(seed)),
        SplitBy::Column(column) => (column, None),
    };
    Ok(Some(Parts { source, seed, public }))
}
