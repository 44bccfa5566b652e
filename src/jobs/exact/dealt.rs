//! One side of a score on disk: its captions dealt to files by a hash of their images.
//!
//! A hundred million captions come in many files, and no machine need hold them all: they are read file by file, and each caption
//! goes to the part of its image, whatever the id is spelt like. Submission and references of an image are in the same part, so
//! parts are aligned one by one.

use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Lines, Write};
use std::path::{Path, PathBuf};

use fgd_captions::{Caption, CaptionFile, Finding, FindingKind, wide_image_key};
use fgd_metrics::pair_sums::{GROUPS, place};
use fgd_record as record;
use fgd_record::Input;

use crate::jobs::JobError;
use crate::jobs::provenance::CaptionsHash;
use crate::jobs::scoring::findings::for_record;
use crate::jobs::scoring::system::{System, stem};

/// A caption: the number of its file, its row, id, text, and its cells in the columns that the score is sliced by.
type Row<T> = (u32, u64, T, T, Vec<Option<T>>);

/// What a path names: itself, or the files of a folder by their names.
///
/// # Errors
/// A folder that cannot be read or holds no file.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>, JobError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let is_hidden = entry.file_name().to_string_lossy().starts_with(['.', '_']);
        if entry.file_type()?.is_file() && !is_hidden {
            files.push(entry.path());
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(JobError::usage(format!("{}: holds no files", path.display()))),
        false => Ok(files),
    }
}

/// A side.
pub struct Side {
    role: &'static str,
    folder: PathBuf,
    writers: Vec<BufWriter<File>>,
    /// The columns that are kept, and whether some file has them.
    columns: Vec<(String, bool)>,
    /// The first file, for what is said of all of them.
    shell: Option<CaptionFile>,
    /// The files.
    pub inputs: Vec<Input>,
    paths: Vec<PathBuf>,
    /// How many captions were dealt.
    pub captions: u64,
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
    ) -> io::Result<Self> {
        std::fs::create_dir(&folder)?;
        let names = BTreeSet::from_iter(columns);
        let writers = (0..parts).map(|part| Ok(BufWriter::new(File::create(at(&folder, part))?)));
        Ok(Self {
            role,
            writers: writers.collect::<io::Result<_>>()?,
            folder,
            columns: names.into_iter().map(|name| (name.clone(), false)).collect(),
            shell: None,
            inputs: Vec::new(),
            paths: Vec::new(),
            captions: 0,
        })
    }

    /// Deals the captions of a file.
    ///
    /// # Errors
    /// Something that is no captions, a disk that is full.
    pub fn deal(&mut self, path: &Path, system: System) -> Result<(), JobError> {
        self.inputs.push(system.input(self.role, &stem(path), path)?);
        let file = super::pairs::captions_of(system)?;
        let cells: Vec<_> = self.columns.iter().map(|(name, _)| file.column(name)).collect();
        for ((_, is_there), cells) in self.columns.iter_mut().zip(&cells) {
            *is_there |= cells.is_some();
        }
        let number = self.paths.len() as u32;
        for (at, caption) in file.captions.iter().enumerate() {
            let cell = |cells: &Option<Vec<Option<String>>>| cells.as_ref()?[at].clone();
            let own: Vec<Option<String>> = cells.iter().map(cell).collect();
            // The last digit, so to speak, is the group of the jackknife.
            let part = place(&wide_image_key(&caption.id)) / GROUPS as u64;
            let part = (part % self.writers.len() as u64) as usize;
            let row = (number, caption.row, &caption.id, &caption.text, own);
            serde_json::to_writer(&mut self.writers[part], &row)?;
            self.writers[part].write_all(b"\n")?;
        }
        self.captions += file.captions.len() as u64;
        self.paths.push(path.to_owned());
        self.shell.get_or_insert_with(|| file.holding(Vec::new(), Vec::new()));
        Ok(())
    }

    /// Whether some file has a column that is kept.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|(name, is_there)| name == column && *is_there)
    }

    /// The captions are all dealt.
    ///
    /// # Errors
    /// A disk that is full.
    pub fn finish(&mut self) -> io::Result<()> {
        self.writers.iter_mut().try_for_each(BufWriter::flush)
    }

    /// Part `part` of `of`, which divides the number of parts that there are, in the order of the files.
    ///
    /// # Errors
    /// Files that cannot be read any more.
    pub fn part(&self, part: usize, of: usize) -> Result<Part, JobError> {
        let mut rows: Vec<Row<String>> = Vec::new();
        for part in (part..self.writers.len()).step_by(of) {
            for line in BufReader::new(File::open(at(&self.folder, part))?).lines() {
                rows.push(serde_json::from_str(&line?)?);
            }
        }
        rows.sort_by_key(|(file, row, ..)| (*file, *row));
        let mut columns = vec![Vec::with_capacity(rows.len()); self.columns.len()];
        let mut captions = Vec::with_capacity(rows.len());
        let mut from = Vec::with_capacity(rows.len());
        for (file, row, id, text, cells) in rows {
            columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
            captions.push(Caption { row, line: None, id, text });
            from.push(file);
        }
        let columns = (self.columns.iter().zip(columns))
            .filter(|((_, is_there), _)| *is_there)
            .map(|((name, _), cells)| (name.clone(), cells));
        let shell = self.shell.as_ref().ok_or_else(|| JobError::invalid("there is no file"))?;
        Ok(Part { file: shell.holding(captions, columns.collect()), from })
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
                    self.path(other).display()
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
        (self.paths.len() == 1).then_some(0)
    }

    /// Findings of a file as they stand in a record.
    pub fn for_record(&self, file: Option<u32>, findings: &[Finding]) -> Vec<record::Finding> {
        let name = match file {
            Some(file) if self.paths.len() > 1 => &self.inputs[file as usize].name,
            _ => self.role,
        };
        for_record(findings, name)
    }

    /// The path of a file by its number.
    pub fn path(&self, file: u32) -> &Path {
        &self.paths[file as usize]
    }
}

impl Part {
    /// Writes its ids and texts in their order to a file, for [`hash_of`].
    ///
    /// # Errors
    /// A disk that is full.
    pub fn write_sorted(&self, path: &Path) -> Result<(), JobError> {
        let captions = self.file.captions.iter();
        let mut lines: Vec<_> = captions.map(|caption| (&caption.id, &caption.text)).collect();
        lines.sort_unstable();
        let mut file = BufWriter::new(File::create(path)?);
        for line in lines {
            serde_json::to_writer(&mut file, &line)?;
            file.write_all(b"\n")?;
        }
        Ok(file.flush()?)
    }
}

/// The hash of all references, of which each file holds some in their order.
///
/// # Errors
/// Files that cannot be read any more.
pub fn hash_of(files: &[PathBuf]) -> Result<String, JobError> {
    let mut runs = files
        .iter()
        .map(|path| Ok(BufReader::new(File::open(path)?).lines()))
        .collect::<io::Result<Vec<_>>>()?;
    let next = |run: &mut Lines<BufReader<File>>| -> Result<Option<(String, String)>, JobError> {
        run.next().map(|line| Ok(serde_json::from_str(&line?)?)).transpose()
    };
    let mut heap = BinaryHeap::new();
    for (at, run) in runs.iter_mut().enumerate() {
        heap.extend(next(run)?.map(|caption| std::cmp::Reverse((caption, at))));
    }
    let mut hash = CaptionsHash::default();
    while let Some(std::cmp::Reverse(((id, text), at))) = heap.pop() {
        hash.push(&id, &text);
        heap.extend(next(&mut runs[at])?.map(|caption| std::cmp::Reverse((caption, at))));
    }
    Ok(hash.finish())
}

fn at(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("{part:05}"))
}
