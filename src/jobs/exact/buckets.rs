//! Pairs cut into files by their ids, for a cluster to sum.
//!
//! A folder holds `pairs.json` ([`Manifest`]) and for each bucket a folder of Parquet files with the columns `id`, `candidate`,
//! `reference` and one for each slice. A bucket holds the images of a hash, so it is a random sample of them, and of one group of
//! the jackknife: its sums are those of one group. `pairs.json` is written last.

use std::path::{Path, PathBuf};

use fgd_captions::{Cells, Table, TableFile};
use fgd_metrics::pair_sums::{GROUPS, place};
use fgd_store::file;
use serde::{Deserialize, Serialize};

use super::pairs::TextPairs;
use super::sums::Sources;
use crate::jobs::score;
use crate::jobs::{JobError, Session};

/// Pairs of a file, which is the work of one task.
const ROWS: usize = 16_384;
/// Pairs that a bucket has by default, about: what is lost when a job of the cluster is.
const PAIRS: usize = 4 * ROWS;
/// What names the columns of slices.
const SLICE: &str = "slice_";

/// What `fgd prepare` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The score that is prepared.
    pub score: score::Request,
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
    /// What a record says of them.
    pub sources: Sources,
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

/// Writes the pairs of a score.
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
        && (count == 0 || !count.is_multiple_of(GROUPS))
    {
        return Err(JobError::usage(format!(
            "--buckets {count}: must be a multiple of {GROUPS}, the groups that the bias is measured by"
        )));
    }
    super::refuse(&request.score)?;
    let pairs = TextPairs::read(&request.score)?;
    let count = request.buckets.unwrap_or(pairs.len().div_ceil(PAIRS).div_ceil(GROUPS) * GROUPS);
    let mut members = vec![Vec::new(); count];
    (0..pairs.len()).for_each(|at| members[(place(pairs.id(at)) % count as u64) as usize].push(at));
    let bar = session.progress.begin("writing", "pairs", pairs.len() as u64);
    for (bucket, members) in members.iter().enumerate().filter(|(_, of)| !of.is_empty()) {
        let folder = output.join(bucket_name(bucket));
        std::fs::create_dir_all(&folder)?;
        for (part, rows) in members.chunks(ROWS).enumerate() {
            let file = folder.join(format!("{part:05}.parquet"));
            let table = table(&pairs, rows);
            TableFile::create(&file).map_err(JobError::usage)?.write(&table)?;
            bar.advance(rows.len() as u64);
        }
    }
    let manifest = Manifest {
        version: Manifest::VERSION,
        pairs: pairs.len() as u64,
        buckets: members.iter().map(|of| of.len() as u64).collect(),
        sources: pairs.sources,
    };
    let bytes = serde_json::to_vec_pretty(&manifest)?;
    file::write(&output.join(Manifest::NAME), &bytes)?;
    Ok(manifest)
}

/// The folder of a bucket.
fn bucket_name(bucket: usize) -> String {
    format!("bucket-{bucket:06}")
}

fn table(pairs: &TextPairs, rows: &[usize]) -> Table {
    let mut table = Table::default();
    table.push("id", Cells::text(rows.iter().map(|&pair| pairs.id(pair))));
    table.push("candidate", Cells::text(rows.iter().map(|&pair| pairs.candidate(pair))));
    table.push("reference", Cells::text(rows.iter().map(|&pair| pairs.reference(pair))));
    for column in 0..pairs.sources.slice.len() {
        let values = rows.iter().map(|&pair| pairs.values(pair).nth(column).unwrap_or_default());
        table.push(&format!("{SLICE}{column}"), Cells::text(values));
    }
    table
}
