//! One side of a score on disk: its captions dealt to files by a hash of their images.
//!
//! A hundred million captions are no machine's memory: they are read piece by piece, and each caption goes to the part of its image,
//! whatever the id is spelt like. Submission and references of an image are in the same part, so parts are aligned one by one.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fgd_captions::{Caption, CaptionFile, Finding, FindingKind, wide_image_key};
use fgd_metrics::pair_sums::{GROUPS, place};
use fgd_record as record;
use fgd_record::Input;
use rayon::prelude::*;

use super::reading::Captions;
use super::rows::Row;
use crate::jobs::JobError;
use crate::jobs::scoring::findings::for_record;
use crate::jobs::scoring::system::stem;

/// Captions that a thread deals at a time.
const HAND: usize = 1 << 16;

/// A side.
pub struct Side {
    role: &'static str,
    folder: PathBuf,
    /// How many parts there are.
    parts: usize,
    /// Their files, while captions are dealt.
    open: Vec<Mutex<File>>,
    /// The columns that are kept, and whether some file has them.
    columns: Vec<(String, bool)>,
    /// The first file without its captions, for what is said of all of them.
    shell: Option<CaptionFile>,
    /// The files.
    pub inputs: Vec<Input>,
    /// What was found in each of them.
    pub found: Vec<Found>,
    /// How many captions were dealt.
    pub captions: u64,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub struct Found {
    /// By its reader.
    pub read: Vec<Finding>,
    /// By the linter.
    pub linted: Vec<Finding>,
}

impl Found {
    /// Adds what was found in a piece; what is said of every piece is said once.
    fn add(&mut self, read: &[Finding], linted: Vec<Finding>) {
        let add = |all: &mut Vec<Finding>, finding: Finding| {
            let is_said = |known: &Finding| known.row.is_none() && *known == finding;
            if finding.row.is_some() || !all.iter().any(is_said) {
                all.push(finding);
            }
        };
        read.iter().for_each(|finding| add(&mut self.read, finding.clone()));
        linted.into_iter().for_each(|finding| add(&mut self.linted, finding));
    }
}

/// The captions of some images.
pub struct Part {
    /// As if they were a file.
    pub file: CaptionFile,
    /// The number of the file that each came from.
    pub from: Vec<u32>,
}

impl Side {
    /// A side in a new folder, in so many parts.
    ///
    /// # Errors
    /// A folder or files that cannot be made.
    pub fn new(
        role: &'static str,
        folder: PathBuf,
        parts: usize,
        columns: &[String],
    ) -> Result<Self, JobError> {
        fs::create_dir(&folder).map_err(JobError::at(&folder))?;
        let open = (0..parts).map(|part| Ok(Mutex::new(File::create(at(&folder, part))?)));
        let open = open.collect::<io::Result<_>>().map_err(JobError::at(&folder))?;
        Ok(Self {
            role,
            parts,
            open,
            folder,
            columns: BTreeSet::from_iter(columns).into_iter().map(|n| (n.clone(), false)).collect(),
            shell: None,
            inputs: Vec::new(),
            found: Vec::new(),
            captions: 0,
        })
    }

    /// Deals captions of a file, which come in the order of the files, and keeps what was found in them.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn take(&mut self, path: &Path, captions: Captions) -> Result<(), JobError> {
        let Captions { file, captions, linted } = captions;
        if file == self.inputs.len() {
            self.found.push(Found::default());
            self.inputs.push(Input {
                role: self.role.into(),
                name: stem(path),
                path: path.display().to_string(),
                sha256: String::new(),
                rows: 0,
            });
        }
        self.found[file].add(&captions.findings, linted);
        self.inputs[file].rows += captions.captions.len() as u64;
        self.deal(file as u32, &captions).map_err(JobError::at(&self.folder))
    }

    fn deal(&mut self, number: u32, file: &CaptionFile) -> io::Result<()> {
        let cells: Vec<_> = self.columns.iter().map(|(name, _)| file.column(name)).collect();
        for ((_, is_there), cells) in self.columns.iter_mut().zip(&cells) {
            *is_there |= cells.is_some();
        }
        let hands = file.captions.par_chunks(HAND).enumerate();
        hands.try_for_each(|(hand, captions)| {
            let mut dealt = vec![Vec::new(); self.parts];
            for (at, caption) in (hand * HAND..).zip(captions) {
                // The last digit, so to speak, is the group of the jackknife.
                let part = place(&wide_image_key(&caption.id)) / GROUPS as u64;
                let Caption { row, id, text, .. } = caption;
                let cells = cells.iter().map(|cells| cells.as_ref()?[at].as_deref()).collect();
                let row = Row { file: number, row: *row, id: &**id, text: &**text, cells };
                row.write(&mut dealt[(part % self.parts as u64) as usize]);
            }
            let mut dealt = self.open.iter().zip(&dealt).filter(|(_, rows)| !rows.is_empty());
            dealt.try_for_each(|(file, rows)| {
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(rows)
            })
        })?;
        self.captions += file.captions.len() as u64;
        self.shell.get_or_insert_with(|| {
            let columns = file.column_names().map(|name| (name.to_owned(), Vec::new()));
            file.holding(Vec::new(), columns.collect())
        });
        Ok(())
    }

    /// Its first file, as if that held no captions.
    ///
    /// # Errors
    /// There is none.
    pub fn shell(&self) -> Result<&CaptionFile, JobError> {
        self.shell.as_ref().ok_or_else(|| JobError::invalid("there is no file"))
    }

    /// Whether some file has a column that is kept.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|(name, is_there)| name == column && *is_there)
    }

    /// The captions of all files are dealt, whose hashes are these.
    pub fn finish(&mut self, sha256s: Vec<String>) {
        self.open.clear();
        for (input, sha256) in self.inputs.iter_mut().zip(sha256s) {
            input.sha256 = sha256;
        }
    }

    /// Part `part` of `of`, which divides the number of parts that there are, in the order of the files.
    ///
    /// # Errors
    /// Files that cannot be read any more.
    pub fn part(&self, part: usize, of: usize) -> Result<Part, JobError> {
        let files = (part..self.parts).step_by(of).map(|part| fs::read(at(&self.folder, part)));
        let failed = JobError::at(&self.folder);
        let files = files.collect::<io::Result<Vec<_>>>().map_err(&failed)?;
        let mut rows = Vec::new();
        for mut bytes in files.iter().map(|bytes| &**bytes) {
            while let Some(row) = Row::read(&mut bytes, self.columns.len()).map_err(&failed)? {
                rows.push(row);
            }
        }
        rows.sort_by_key(|row| (row.file, row.row));
        let mut columns = vec![Vec::with_capacity(rows.len()); self.columns.len()];
        let mut captions = Vec::with_capacity(rows.len());
        let mut from = Vec::with_capacity(rows.len());
        for Row { file, row, id, text, cells } in rows {
            let cells = cells.into_iter().map(|cell| cell.map(str::to_owned));
            columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            captions.push(Caption { row, line: None, id: id.into(), text: text.into() });
            from.push(file);
        }
        let columns = (self.columns.iter().zip(columns))
            .filter(|((_, is_there), _)| *is_there)
            .map(|((name, _), cells)| (name.clone(), cells));
        Ok(Part { file: self.shell()?.holding(captions, columns.collect()), from })
    }

    /// Findings about a part, each with the number of the file that it concerns, if it is one.
    pub fn by_file(
        &self,
        captions: &[Caption],
        from: &[u32],
        mut findings: Vec<Finding>,
    ) -> Vec<(Option<u32>, Finding)> {
        if findings.is_empty() {
            return Vec::new();
        }
        let mut first = HashMap::new();
        let mut last = HashMap::new();
        for (caption, &file) in captions.iter().zip(from) {
            first.entry(&*caption.id).or_insert((file, caption.row));
            last.insert((&*caption.id, caption.row), file);
        }
        let file_of = |finding: &mut Finding| {
            let (id, row) = (finding.id.as_deref()?, finding.row?);
            let file = *last.get(&(id, row))?;
            let &(other, row) = first.get(id)?;
            if finding.kind == FindingKind::DuplicateId && file != other {
                finding.message = format!(
                    "this id was already given in row {row} of {}; keep one caption per image",
                    self.inputs[other as usize].path
                );
            }
            Some(file)
        };
        let whole = self.whole();
        let files: Vec<_> = findings.iter_mut().map(|found| file_of(found).or(whole)).collect();
        files.into_iter().zip(findings).collect()
    }

    /// The number of what concerns all of it: that of the only file.
    pub fn whole(&self) -> Option<u32> {
        (self.inputs.len() == 1).then_some(0)
    }

    /// Findings of a file as they stand in a record.
    pub fn for_record(&self, file: Option<u32>, findings: &[Finding]) -> Vec<record::Finding> {
        let name = match file {
            Some(file) if self.inputs.len() > 1 => &self.inputs[file as usize].name,
            _ => self.role,
        };
        for_record(findings, name)
    }

    /// The path of a file by its number.
    pub fn path(&self, file: u32) -> &str {
        &self.inputs[file as usize].path
    }
}

fn at(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("{part:05}"))
}
