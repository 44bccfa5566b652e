//! Many submissions, ranked with what their differences leave open.

pub(super) mod field;
pub(crate) mod folder;
mod neighbours;
mod parts;
pub mod rank;
mod ranks;
pub mod split;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captions::{self as captions, ReadOptions, USAGE};
use fgd_record::{Record, Rejected, Results, Split};
use serde::{Deserialize, Serialize};

use super::images::Images;
use super::options::{Encoding, Keeping, Measuring, Named, References};
use super::provenance::{self, Origin};
use super::scoring::findings::notes_on;
use super::scoring::system::{System, stem};
use super::{JobError, Progress, Session, exact};
use crate::host;
use crate::jobs::apart::Apart;
use field::Field;
pub use folder::submissions;
use parts::Parts;
use rank::{Entry, RankedBy, rank};
use split::SplitBy;

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
    /// Keep nothing but sums, which are the same to the bit in any order and from any number of machines.
    #[serde(default)]
    pub exact: bool,
    /// `public=SHARE`, or the column of the references that says Public or Private.
    #[serde(default)]
    pub split: Option<String>,
    /// Show the public part of the split only, and nothing that could tell of the rest.
    #[serde(default)]
    pub public_only: bool,
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
        let submissions = self.submissions.iter().map(|submission| &*submission.path);
        submissions.chain([&*self.references.path]).chain(self.images.as_deref()).collect()
    }
}

/// The two faces of a contest.
#[derive(Debug)]
pub struct Boards {
    /// All images, and both parts of a split.
    pub whole: Record,
    /// What may be shown while the contest runs: the images of the public part alone, as if there were no others.
    pub public: Option<Record>,
}

/// Scores the submissions and ranks them, on the public part alone where the request says so. What is a submission's own fault
/// rejects it.
///
/// # Errors
/// References that cannot be read or split, an encoder that cannot be had, not one submission that can be ranked.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let Boards { whole, public } = boards(request, session)?;
    Ok(public.unwrap_or(whole))
}

/// Scores the submissions once and ranks them on all images and, where the request asks for it, on the public part.
///
/// # Errors
/// As [`run`].
pub fn boards(request: &Request, session: &mut Session) -> Result<Boards, JobError> {
    let start = Instant::now();
    let host = host::describe();
    request.encoding.check()?;
    Named::check_all(&request.submissions)?;
    // What the system refuses is nobody's submission: it ends the board, and so before the work.
    for Named { path, .. } in request.submissions.iter().filter(|one| one.path != Path::new("-")) {
        File::open(path).map_err(JobError::at(path))?;
    }
    if request.exact {
        return Ok(Boards { whole: exact::board::of(request, session)?, public: None });
    }
    let path = &request.references.path;
    let reading = ReadOptions { without_ids: request.unpaired, ..request.reading.clone() };
    let references = System::open_references(&request.references, &reading)?;
    let of_references = references.input("references", &stem(path), path)?;
    let parts = parts(request, &references)?;
    let public = parts.as_ref().filter(|_| request.public_only);
    if request.public_only && public.is_none() {
        return Err(JobError::usage(
            "--public-only needs a split: give --split public=SHARE, or --split COLUMN",
        ));
    }
    if public.is_some_and(|parts| parts.seed == Some(0)) {
        return Err(JobError::usage(
            "--public-only with --seed 0, which everybody tries first, hides nothing: give a --seed of your own and keep it",
        ));
    }
    let images = Images::open(request.images.as_deref(), request.image_root.as_deref())?;

    let progress = session.progress.clone();
    let mut field = Field::score(request, &references, public, session)?;
    check_ranked(field.entries.len(), &field.rejected, &*progress)?;
    let sha256 = references.references_sha256(&of_references);
    let ranked_by = match request.unpaired {
        true => RankedBy::Set,
        false => RankedBy::Paired,
    };
    let mut findings = std::mem::take(&mut field.findings);
    let about = notes_on(&references);
    about.iter().for_each(|f| {
        progress.say(&format!("{}: note[{}]: {}", path.display(), f.kind, f.message))
    });
    findings.extend(about);
    let mut inputs = std::mem::take(&mut field.inputs);
    inputs.push(of_references);
    let mut settings = request.measuring.settings();
    settings.insert("unpaired".to_owned(), request.unpaired.into());
    settings.insert("split".to_owned(), request.split.clone().into());
    let origin = Origin {
        host,
        comparability: provenance::comparability(field.encoder.as_ref(), sha256.clone()),
        encoder: field.encoder.take(),
        checkpoint: None,
        inputs,
        settings,
        findings,
        timings: BTreeMap::from([("total".to_owned(), start.elapsed().as_secs_f64())]),
    };

    let public = match public {
        Some(parts) => {
            let entries = std::mem::take(&mut field.public);
            Some(public_board(entries, parts, &field, &sha256, origin.clone())?)
        }
        None => None,
    };
    let key = &origin.comparability.key;
    let mut results = rank(field.entries, ranked_by, parts.as_ref(), &field.drawn, key)?;
    results.rejected = field.rejected;
    let mut captions = field.captions;
    captions.order_by(results.standings.iter().map(|standing| standing.name.as_str()));
    if let Some(parts) = &parts {
        captions.group_by(&parts.grouping());
    }
    let mut whole = provenance::record(origin, Results::Leaderboard(Box::new(results)));
    // The public board has none: which images are listed would tell which are public.
    whole.captions = captions.finish(images.as_ref(), request.keeping.thumbnails);
    Ok(Boards { whole, public })
}

/// The board of the public part alone, which says nothing of the rest; `whole` is the origin of the whole one.
fn public_board(
    entries: Vec<Entry>,
    parts: &Parts,
    field: &Field,
    references_sha256: &str,
    whole: Origin,
) -> Result<Record, JobError> {
    let hash = parts.public_sha256(references_sha256);
    let comparability = provenance::comparability(whole.encoder.as_ref(), hash);
    // Notes on the files are of all rows, and show captions.
    let mut origin = Origin { comparability, findings: Vec::new(), ..whole };
    // The seed would tell which images are public.
    if parts.seed.is_some() {
        origin.settings.remove("seed");
    }
    let drawn = field.drawn.on(&parts.images(true));
    let key = &origin.comparability.key;
    let mut results = rank(entries, RankedBy::Paired, None, &drawn, key)?;
    results.split = Some(Split { seed: None, rank_correlation: None, ..parts.split() });
    results.rejected = field.rejected.clone();
    let mut record = provenance::record(origin, Results::Leaderboard(Box::new(results)));
    record.hide_references();
    Ok(record)
}

/// Says how many submissions are left out.
///
/// # Errors
/// That all are.
pub fn check_ranked(
    ranked: usize,
    rejected: &[Rejected],
    progress: &dyn Progress,
) -> Result<(), JobError> {
    if ranked == 0 {
        let why = |rejected: &Rejected| format!("{}: {}", rejected.name, rejected.reason);
        let reasons: Vec<String> = rejected.iter().map(why).collect();
        return Err(JobError::Invalid {
            message: format!("not one of the submissions can be ranked: {}", reasons.join("; ")),
            findings: (rejected.iter())
                .map(|rejected| (rejected.name.clone().into(), rejected.findings.clone()))
                .collect(),
        });
    }
    if !rejected.is_empty() {
        let all = ranked + rejected.len();
        progress.say(&format!("{} of {all} submissions could not be ranked", rejected.len()));
    }
    Ok(())
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
    // Parts are of images as they are scored, whatever the order of the file.
    let images = |file| captions::group(file).in_order_of_ids();
    let public = match (&by, references) {
        (SplitBy::Share(share), System::Captions(file)) => {
            split::by_seed(images(file).ids.iter().map(String::as_str), *share, seed)
        }
        (SplitBy::Share(share), System::Embeddings { embeddings, .. }) => {
            let rows: Vec<String> = (0..embeddings.nrows()).map(|row| row.to_string()).collect();
            split::by_seed(rows.iter().map(String::as_str), *share, seed)
        }
        (SplitBy::Column(column), System::Captions(file)) => {
            split::by_column(file, &images(file), column)
        }
        _ => {
            return Err(JobError::usage("--split COLUMN needs references that are captions"));
        }
    };
    let file = request.references.path.display();
    let public = public.map_err(|error| JobError::usage(format!("{file}: {error}")))?;
    let (source, seed) = match by {
        SplitBy::Share(_) => ("seed".into(), Some(seed)),
        SplitBy::Column(column) => (column, None),
    };
    Ok(Some(Parts { source, seed, public }))
}
