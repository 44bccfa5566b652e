//! Pairs cut into files by their ids, for a cluster to sum.
//!
//! A folder holds `pairs.json` ([`Manifest`]) and for each bucket a folder of Parquet files with the columns `id`, `reference`,
//! `candidate`, `candidate_1` … of further submissions, and one for each slice. Several references of an image are a JSON list in one
//! cell, and all others of the file then are lists too. A bucket holds the images of a hash, so it is a random
//! sample of them, and of one group of the jackknife: its sums are those of one group. `pairs.json` is written last.
//!
//! Memory is that of the largest file that is read, and of a part of some 1.3 million pairs: see `dealt`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fgd_captions::{Cells, Table, TableFile};
use fgd_metrics::pair_sums::{GROUPS, place};
use fgd_store::file;
use serde::{Deserialize, Serialize};

use super::pairs::{TextPairs, few_counts, few_enough};
use super::sides::Sides;
use super::sums::Sources;
use crate::jobs::score;
use crate::jobs::{JobError, Session};

/// Pairs of a file, which is the work of one task.
const ROWS: usize = 16_384;
/// Pairs that a bucket has by default, about: what is lost when a job of the cluster is.
const PAIRS: usize = 4 * ROWS;
/// Most parts of the images by default, and what others are a divisor of: parts are files that are open at the same time.
const PARTS: usize = 128;
/// Most buckets, for the same reason.
const MOST: usize = 200 * GROUPS;
/// What names the columns of slices.
const SLICE: &str = "slice_";

/// What `fgd prepare` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The score that is prepared.
    pub score: score::Request,
    /// Further submissions, whose scores share the embeddings of the references.
    #[serde(default)]
    pub others: Vec<PathBuf>,
    /// Where the files go: a folder that is not there yet, or is empty.
    pub output: PathBuf,
    /// How many buckets; a multiple of the groups of the jackknife.
    #[serde(default)]
    pub buckets: Option<usize>,
}

/// What a folder of buckets holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the files.
    pub version: u32,
    /// Pairs in all.
    pub pairs: u64,
    /// Pairs of every bucket.
    pub buckets: Vec<u64>,
    /// References in all, where images have several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub references: Option<u64>,
    /// What a record says of them.
    pub sources: Sources,
    /// The same of further submissions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Sources>,
}

impl Manifest {
    const VERSION: u32 = 1;
    const NAME: &str = "pairs.json";

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// None there, or one of another version.
    pub fn read(folder: &Path) -> Result<Self, JobError> {
        let path = folder.join(Self::NAME);
        let refused = |error: &dyn std::fmt::Display| {
            JobError::usage(format!(
                "{}: {error}; `fgd prepare` writes such a folder",
                path.display()
            ))
        };
        let bytes = std::fs::read(&path).map_err(|error| refused(&error))?;
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|error| refused(&error))?;
        match manifest.version {
            Self::VERSION => Ok(manifest),
            version => Err(refused(&format!("version {version}, and this is {}", Self::VERSION))),
        }
    }
}

/// Writes the pairs of a score. Either side may be a folder of files.
///
/// # Errors
/// As [`TextPairs::read`]; a folder that is in use or cannot be written; a number of buckets that divides a group.
pub fn run(request: &Request, session: &Session) -> Result<Manifest, JobError> {
    let output = &request.output;
    if std::fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(JobError::usage(format!(
            "{}: is not empty; name another folder, or remove it",
            output.display()
        )));
    }
    if let Some(count) = request.buckets
        && (count == 0 || !count.is_multiple_of(GROUPS) || count > MOST)
    {
        return Err(JobError::usage(format!(
            "--buckets {count}: must be a multiple of {GROUPS}, the groups that the bias is measured by, and at most {MOST}"
        )));
    }
    super::refuse(&request.score)?;
    std::fs::create_dir_all(output)?;
    // On the same disk, and gone with the work.
    let work = tempfile::tempdir_in(output)?;
    let asked = request.buckets.map(|count| count / GROUPS);
    let parts = asked.map_or(PARTS, |of| of * PARTS.div_ceil(of));
    let sides = Sides::deal(&request.score, &request.others, work.path(), parts)?;
    // With more systems a pair is longer.
    let pairs = (2 * PAIRS / (2 + request.others.len())).max(1);
    let enough = |of: &usize| sides.references.captions <= (*of * GROUPS * pairs) as u64;
    let mut doublings = std::iter::successors(Some(1), |of| Some(of * 2));
    let of = asked.or_else(|| doublings.find(|of| *of == PARTS || enough(of))).unwrap_or(PARTS);

    let made = work.path().join("buckets");
    let mut buckets = Buckets::new(made.clone(), of, request.score.measuring.slice.len());
    let bar = session.progress.begin("writing", "pairs", sides.references.captions);
    let mut sources = sides.join(&request.score, work.path(), of, |part, systems| {
        bar.advance(systems[0].len() as u64);
        buckets.write(part, systems)
    })?;
    let others = sources.split_off(1);
    let sources = sources.swap_remove(0);
    for (column, values) in sources.slice.iter().zip(&buckets.values) {
        few_enough(column, values.len())?;
    }
    few_counts(&buckets.references, &request.score.references.path)?;
    let references = buckets.references.iter().any(|&count| count > 1);
    let references = references.then_some(buckets.captions);
    let counts = buckets.counts;
    for bucket in (0..counts.len()).filter(|&bucket| counts[bucket] > 0).map(bucket_name) {
        std::fs::rename(made.join(&bucket), output.join(&bucket))?;
    }
    let manifest = Manifest {
        version: Manifest::VERSION,
        pairs: counts.iter().sum(),
        buckets: counts,
        references,
        sources,
        others,
    };
    let bytes = serde_json::to_vec_pretty(&manifest)?;
    drop(work);
    file::write(&output.join(Manifest::NAME), &bytes)?;
    Ok(manifest)
}

/// Buckets that are being written: [`GROUPS`] for each part of the images.
struct Buckets {
    folder: PathBuf,
    /// Pairs of each.
    counts: Vec<u64>,
    /// By column, the values that there are.
    values: Vec<BTreeSet<String>>,
    /// The numbers of references that images have.
    references: BTreeSet<usize>,
    /// References in all.
    captions: u64,
}

impl Buckets {
    fn new(folder: PathBuf, parts: usize, columns: usize) -> Self {
        Self {
            folder,
            counts: vec![0; parts * GROUPS],
            values: vec![BTreeSet::new(); columns],
            references: BTreeSet::new(),
            captions: 0,
        }
    }

    /// Writes the pairs of a part, which are of the same images in all systems.
    fn write(&mut self, part: usize, systems: &[TextPairs]) -> Result<(), JobError> {
        let pairs = &systems[0];
        self.references.extend(pairs.counts());
        self.captions += pairs.reference_count();
        let mut members = vec![Vec::new(); GROUPS];
        for at in 0..pairs.len() {
            members[(place(pairs.id(at)) % GROUPS as u64) as usize].push(at);
            let values = self.values.iter_mut().zip(pairs.values(at));
            for (known, value) in values.filter(|(known, value)| !known.contains(*value)) {
                known.insert(value.to_owned());
            }
        }
        for (group, members) in members.iter().enumerate().filter(|(_, of)| !of.is_empty()) {
            let bucket = part * GROUPS + group;
            let folder = self.folder.join(bucket_name(bucket));
            std::fs::create_dir_all(&folder)?;
            for (part, rows) in members.chunks(ROWS).enumerate() {
                let file = folder.join(format!("{part:05}.parquet"));
                TableFile::create(&file).map_err(JobError::usage)?.write(&table(systems, rows))?;
            }
            self.counts[bucket] = members.len() as u64;
        }
        Ok(())
    }
}

/// The folder of a bucket.
fn bucket_name(bucket: usize) -> String {
    format!("bucket-{bucket:06}")
}

fn table(systems: &[TextPairs], rows: &[usize]) -> Table {
    let pairs = &systems[0];
    let mut table = Table::default();
    table.push("id", Cells::text(rows.iter().map(|&pair| pairs.id(pair))));
    let references = rows.iter().map(|&pair| reference(&pairs.references(pair))).collect();
    table.push("reference", Cells::text(alike(references)));
    for (system, own) in systems.iter().enumerate() {
        let cells = Cells::text(rows.iter().map(|&pair| own.candidate(pair)));
        table.push(&candidate(system), cells);
    }
    for column in 0..pairs.slices() {
        let values = rows.iter().map(|&pair| pairs.values(pair).nth(column).unwrap_or_default());
        table.push(&format!("{SLICE}{column}"), Cells::text(values));
    }
    table
}

/// The cell of an image's references.
fn reference(texts: &[&str]) -> String {
    match texts {
        [only] if !only.starts_with('[') => (*only).to_owned(),
        texts => serde_json::Value::from(texts).to_string(),
    }
}

/// Cells of which all are lists if one is: that is how readers know them, a sample of a bucket being a file like others.
fn alike(cells: Vec<String>) -> Vec<String> {
    let is_list = |cell: &String| cell.starts_with('[');
    if !cells.iter().any(is_list) {
        return cells;
    }
    let list = |cell: String| match is_list(&cell) {
        true => cell,
        false => serde_json::Value::from([cell].as_slice()).to_string(),
    };
    cells.into_iter().map(list).collect()
}

/// The column of a system's captions.
fn candidate(system: usize) -> String {
    match system {
        0 => "candidate".into(),
        system => format!("candidate_{system}"),
    }
}
