//! Pairs cut into files by their ids, for a cluster to sum.
//!
//! A folder holds `pairs.json` ([`Manifest`]) and for each bucket a folder of Parquet files with the columns `id`, `reference`,
//! `candidate`, `candidate_1` … of further submissions, and one for each slice. Several references of an image are a JSON list in one
//! cell, and all others of the file then are lists too. A bucket holds the images of a hash, so it is a random
//! sample of them, and of one group of the jackknife: its sums are those of one group. `pairs.json` is written last.
//!
//! Captions are read piece by piece, dealt to the disk by their images (`dealt`) and aligned portion by portion, on all
//! cores. Memory is that of a few pieces of some 32 MB, then of a portion for each thread and of the pairs that do not fill a file yet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fgd_captions::{Cells, Table, TableFile};
use fgd_metrics::pair_sums::{GROUPS, place};
use fgd_store::file;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::pairs::{TextPairs, few_counts, few_enough};
use super::reading::interrupted;
use super::sides::Sides;
use super::sums::Sources;
use crate::jobs::score;
use crate::jobs::{JobError, Session};

/// Pairs of a file, which is the work of one task.
const ROWS: usize = 16_384;
/// Pairs that a bucket has by default, about: what is lost when a job of the cluster is.
const PAIRS: usize = 4 * ROWS;
/// Most parts of the images by default.
const PARTS: usize = 128;
/// Files that captions are dealt to, about, which are open at the same time: a multiple of the parts.
const DEALT: usize = 512;
/// Pairs of a portion, about, which a thread aligns.
const PORTION: usize = PAIRS;
/// Most buckets: that many files may be written at the same time.
const MOST: usize = 200 * GROUPS;
/// The column of references.
const REFERENCE: &str = "reference";
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
/// As [`TextPairs::read`]; a folder that is in use or cannot be written; a number of buckets that divides a group; an interrupt. The
/// folder is left empty then, unless its disk fails at the very end.
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
    // Who listens for the interrupt does so from here on.
    interrupted(&session.interrupt)?;
    std::fs::create_dir_all(output).map_err(JobError::at(output))?;
    // On the same disk, and gone with the work.
    let work = tempfile::tempdir_in(output).map_err(JobError::at(output))?;
    let asked = request.buckets.map(|count| count / GROUPS);
    let dealt = asked.map_or(DEALT, |of| of * DEALT.div_ceil(of));
    let sides = Sides::deal(&request.score, &request.others, work.path(), dealt, session)?;
    // With more systems a pair is longer.
    let pairs = (2 * PAIRS / (2 + request.others.len())).max(1);
    let captions = sides.references.captions;
    let enough = |of: &usize| captions <= (*of * GROUPS * pairs) as u64;
    let mut doublings = std::iter::successors(Some(1), |of| Some(of * 2));
    let of = asked.or_else(|| doublings.find(|of| *of == PARTS || enough(of))).unwrap_or(PARTS);
    // The least that divide what was dealt, and are divided among the parts.
    let fit = |portions: &usize| dealt.is_multiple_of(*portions) && portions.is_multiple_of(of);
    let small = |portions: &usize| captions <= (*portions * PORTION) as u64;
    let portions = (of..=dealt).filter(fit).find(small).unwrap_or(dealt);

    let made = work.path().join("buckets");
    let (systems, slices) = (1 + request.others.len(), request.score.measuring.slice.len());
    let mut buckets = Buckets::new(made.clone(), of, systems, slices);
    let bar = session.progress.begin("writing", "pairs", captions);
    let mut sources =
        sides.join(&request.score, work.path(), [of, portions], |part, systems| {
            interrupted(&session.interrupt)?;
            bar.advance(systems[0].len() as u64);
            buckets.add(part, systems)
        })?;
    buckets.flush()?;
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
        let place = output.join(&bucket);
        std::fs::rename(made.join(&bucket), &place).map_err(JobError::at(&place))?;
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
    /// The columns of their files.
    names: Vec<String>,
    /// Pairs of each.
    counts: Vec<u64>,
    /// By column, the values that there are.
    values: Vec<BTreeSet<String>>,
    /// The numbers of references that images have.
    references: BTreeSet<usize>,
    /// References in all.
    captions: u64,
    /// The part whose pairs come now, and those of its groups that are not written yet, column by column.
    part: usize,
    held: Vec<Vec<Vec<Option<String>>>>,
}

impl Buckets {
    fn new(folder: PathBuf, parts: usize, systems: usize, columns: usize) -> Self {
        let sides = ["id".to_owned(), REFERENCE.to_owned()].into_iter();
        let slices = (0..columns).map(|column| format!("{SLICE}{column}"));
        Self {
            folder,
            names: sides.chain((0..systems).map(candidate)).chain(slices).collect(),
            counts: vec![0; parts * GROUPS],
            values: vec![BTreeSet::new(); columns],
            references: BTreeSet::new(),
            captions: 0,
            part: 0,
            held: vec![Vec::new(); GROUPS],
        }
    }

    /// Takes pairs of a part, which are of the same images in all systems, and writes the files that are full. Parts come in their
    /// order.
    fn add(&mut self, part: usize, systems: &[TextPairs]) -> Result<(), JobError> {
        if part != self.part {
            self.flush()?;
            self.part = part;
        }
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
        let held = self.held.par_iter_mut().zip(&members);
        held.filter(|(_, members)| !members.is_empty()).for_each(|(held, members)| {
            held.resize(self.names.len(), Vec::new());
            members.iter().for_each(|&pair| hold(held, systems, pair));
        });
        self.write(ROWS)
    }

    /// Writes what is left of a part.
    fn flush(&mut self) -> Result<(), JobError> {
        self.write(1)
    }

    /// Writes files of [`ROWS`] pairs, and of fewer where at least so many are left.
    fn write(&mut self, fewest: usize) -> Result<(), JobError> {
        let counts = &mut self.counts[self.part * GROUPS..][..GROUPS];
        let groups = self.held.par_iter_mut().zip(counts).enumerate();
        groups.try_for_each(|(group, (held, count))| {
            let folder = self.folder.join(bucket_name(self.part * GROUPS + group));
            while held.first().is_some_and(|ids| ids.len() >= fewest) {
                std::fs::create_dir_all(&folder).map_err(JobError::at(&folder))?;
                let name = format!("{:05}.parquet", *count / ROWS as u64);
                let rows = held[0].len().min(ROWS);
                let file = TableFile::create(&folder.join(name))?;
                file.write(&table(&self.names, held, rows))?;
                *count += rows as u64;
            }
            Ok(())
        })
    }
}

/// Puts the cells of a pair into the columns `id`, `reference`, `candidate` … and those of slices.
fn hold(columns: &mut [Vec<Option<String>>], systems: &[TextPairs], pair: usize) {
    let first = &systems[0];
    let texts = systems.iter().map(|own| own.candidate(pair)).chain(first.values(pair));
    let cells = [first.id(pair).to_owned(), reference(&first.references(pair))];
    let cells = cells.into_iter().chain(texts.map(str::to_owned));
    columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(Some(cell)));
}

/// The first rows of columns, which are left without them.
fn table(names: &[String], columns: &mut [Vec<Option<String>>], rows: usize) -> Table {
    let mut table = Table::default();
    for (name, column) in names.iter().zip(columns) {
        let left = column.split_off(rows);
        let cells = std::mem::replace(column, left);
        let cells = if name == REFERENCE { alike(cells) } else { cells };
        table.push(name, Cells::Text(cells));
    }
    table
}

/// The folder of a bucket.
fn bucket_name(bucket: usize) -> String {
    format!("bucket-{bucket:06}")
}

/// The cell of an image's references.
fn reference(texts: &[&str]) -> String {
    match texts {
        [only] if !only.starts_with('[') => (*only).to_owned(),
        texts => serde_json::Value::from(texts).to_string(),
    }
}

/// Cells of which all are lists if one is: that is how readers know them, a sample of a bucket being a file like others.
fn alike(cells: Vec<Option<String>>) -> Vec<Option<String>> {
    let is_list = |cell: &String| cell.starts_with('[');
    if !cells.iter().flatten().any(is_list) {
        return cells;
    }
    let list = |cell: String| match is_list(&cell) {
        true => cell,
        false => serde_json::Value::from([cell].as_slice()).to_string(),
    };
    cells.into_iter().map(|cell| cell.map(list)).collect()
}

/// The column of a system's captions.
fn candidate(system: usize) -> String {
    match system {
        0 => "candidate".into(),
        system => format!("candidate_{system}"),
    }
}
