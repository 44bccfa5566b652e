//! Submissions and references on disk, and how they come together part by part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fgd_captions::{
    self as captions, CaptionFile, Finding, FindingKind, Pieces, ReadError, ReadOptions, Settled,
};
use fgd_record as record;
use fgd_record::Input;
use rayon::prelude::*;

use super::dealt::Side;
use super::files::files_of;
use super::pairs::{TextPairs, no_captions};
use super::reading::{Captions, Reader};
use super::sample::Sampling;
use super::sorted::hash_of;
use super::sums::Sources;
use crate::jobs::apart::read_once;
use crate::jobs::score::Request;
use crate::jobs::scoring::ScoreError;
use crate::jobs::scoring::findings::for_record;
use crate::jobs::scoring::slices::check_column;
use crate::jobs::scoring::system::System;
use crate::jobs::validate::unreadable;
use crate::jobs::{JobError, Session};

/// Pairs that are aligned at the same time, about: they are what is held in memory.
const TOGETHER: u64 = 1 << 19;

/// One submission or several beside the references.
pub struct Sides {
    submissions: Vec<Submission>,
    /// The references.
    pub references: Side,
    /// What is to be known of the references.
    notes: Vec<record::Finding>,
}

struct Submission {
    path: PathBuf,
    side: Side,
    /// What was found in it, by the numbers of its files.
    findings: BTreeMap<Option<u32>, Vec<Finding>>,
    /// That all of its captions are references, for each part that has captions.
    equal: Vec<Option<Finding>>,
}

impl Sides {
    /// Reads all files and deals their captions to so many parts.
    ///
    /// # Errors
    /// Files that cannot be read, references with errors, sides that are no captions, columns that no file has.
    pub fn deal(
        request: &Request,
        others: &[PathBuf],
        work: &Path,
        parts: usize,
        session: &Session,
    ) -> Result<Self, JobError> {
        let columns = &request.measuring.slice;
        let paths: Vec<&Path> = std::iter::once(&*request.submission)
            .chain(others.iter().map(|path| &**path))
            .collect();
        read_once(paths.iter().copied().chain([&*request.references.path]))?;
        let reading = ReadOptions { without_ids: false, ..request.reading.clone() };
        let files = caption_files(&request.references.path)?;
        let own = paths.iter().map(|path| caption_files(path)).collect::<Result<Vec<_>, _>>()?;
        let reader = Reader::new(session, files.iter().chain(own.iter().flatten()));
        let (options, instead) = reference_options(request, &reading, &files)?;
        let side = |role, folder: &str| Side::new(role, work.join(folder), parts, columns);
        let mut references = side("references", "references")?;
        let mut placeholders = vec![None; files.len()];
        let sampling = Sampling::default();
        let sample = |captions: &mut CaptionFile, _: Option<&()>| {
            sampling.add(captions);
            Ok(())
        };
        let take = |captions: Captions| {
            let found = [&*captions.captions.findings, &captions.linted].concat();
            System::check_references(&files[captions.file], &found)?;
            if let Some(finding) = captions::placeholders(&captions.captions) {
                placeholders[captions.file].get_or_insert(finding);
            }
            references.take(&files[captions.file], captions)
        };
        let sha256s = reader.read(&files, &options, of_references, sample, take)?;
        references.finish(sha256s);

        // Only beside the references can it be seen which column holds their ids.
        let (sample, known) = sampling.finish(|captions, columns| -> Result<_, JobError> {
            Ok(references.shell()?.holding(captions, columns))
        })?;
        let look = |submission: &mut CaptionFile, first: Option<&Settled>| match first {
            Some(first) => {
                first.settle(submission, &sample);
                Ok(first.clone())
            }
            None => {
                let others = columns.iter().filter(|column| !references.has(column));
                check_columns(others, submission, references.shell()?)?;
                Ok(captions::settle(submission, &sample, known))
            }
        };
        let mut submissions = Vec::new();
        for (number, (path, files)) in paths.into_iter().zip(own).enumerate() {
            let side = side("submission", &format!("submission-{number}"))?;
            submissions.push(Submission::read(path, &files, side, &reader, &reading, look)?);
        }
        let notes = references.found.iter().zip(placeholders).flat_map(|(found, placeholders)| {
            let mut notes = captions::without_texts(&found.read, &found.linted);
            notes.extend(placeholders);
            for_record(&notes, "references")
        });
        let notes = for_record(&instead, "references").into_iter().chain(notes).collect();
        let sides = Self { submissions, notes, references };
        if let Some(column) = columns.iter().find(|column| !sides.references.has(column))
            && !others.is_empty()
        {
            return Err(JobError::usage(format!(
                "--slice {column}: several submissions share their groups of images, so it must be a column of the references"
            )));
        }
        Ok(sides)
    }

    /// Aligns the portions of part after part of `of`, which divides `portions`, and hands over the pairs of every submission, unless
    /// one has errors. Returns what records say of each.
    ///
    /// # Errors
    /// Submissions with errors, images with more references than are summed, slices of too many values, a disk that is full.
    pub fn join(
        mut self,
        request: &Request,
        work: &Path,
        [of, portions]: [usize; 2],
        mut take: impl FnMut(usize, &[TextPairs]) -> Result<(), JobError>,
    ) -> Result<Vec<Sources>, JobError> {
        let mut runs: Vec<PathBuf> = Vec::new();
        let portion = self.references.captions / portions as u64;
        let threads = rayon::current_num_threads();
        let together = (TOGETHER / portion.max(1)).clamp(1, threads as u64) as usize;
        for part in 0..of {
            let own: Vec<usize> = (part..portions).step_by(of).collect();
            for some in own.chunks(together) {
                let align = |&portion: &usize| self.align(portion, portions, request, work);
                let aligned: Vec<_> = some.par_iter().map(align).collect();
                for aligned in aligned {
                    let (run, aligned) = aligned?;
                    runs.push(run);
                    let systems = self.submissions.iter_mut().zip(aligned);
                    let pairs: Vec<_> =
                        systems.map(|(submission, aligned)| submission.absorb(aligned)).collect();
                    if self.submissions.iter().all(Submission::is_valid) {
                        take(part, &pairs.into_iter().collect::<Result<Vec<_>, _>>()?)?;
                    }
                }
            }
        }
        if !self.submissions.iter().all(Submission::is_valid) {
            return Err(invalid(self.submissions));
        }
        let sha256 = hash_of(&runs).map_err(JobError::at(work))?;
        let sources = self.submissions.into_iter().map(|submission| {
            let (inputs, mut findings) = submission.finish();
            findings.extend(self.notes.iter().cloned());
            let inputs = [inputs, self.references.inputs.clone()].concat();
            Sources::of(request, inputs, sha256.clone(), findings)
        });
        Ok(sources.collect())
    }
}

impl Sides {
    /// A portion of so many: its references in a file for their hash, and all submissions beside them.
    fn align(
        &self,
        portion: usize,
        portions: usize,
        request: &Request,
        work: &Path,
    ) -> Result<(PathBuf, Vec<Aligned>), JobError> {
        let references = self.references.part(portion, portions)?;
        let run = work.join(format!("references-{portion}"));
        references.write_sorted(&run).map_err(JobError::at(&run))?;
        let references = Arc::new(references.file);
        let align =
            |submission: &Submission| submission.align(portion, portions, &references, request);
        let aligned = self.submissions.iter().map(align).collect::<Result<_, JobError>>()?;
        Ok((run, aligned))
    }
}

/// What came of aligning a submission with references: pairs, unless some of its captions cannot be summed, and what was found, by the
/// numbers of its files.
struct Aligned {
    pairs: Result<TextPairs, JobError>,
    findings: Vec<(Option<u32>, Finding)>,
    /// That all captions are references; `None` where there are no captions.
    equal: Option<Option<Finding>>,
}

impl Submission {
    /// Reads its files.
    fn read(
        path: &Path,
        files: &[PathBuf],
        mut side: Side,
        reader: &Reader,
        options: &ReadOptions,
        look: impl Fn(&mut CaptionFile, Option<&Settled>) -> Result<Settled, JobError> + Sync,
    ) -> Result<Self, JobError> {
        let take = |captions: Captions| side.take(&files[captions.file], captions);
        let sha256s = reader.read(files, options, unreadable, look, take)?;
        side.finish(sha256s);
        let found = std::mem::take(&mut side.found).into_iter();
        let findings = (0..).map(Some).zip(found.map(|found| [found.read, found.linted].concat()));
        Ok(Self { path: path.into(), findings: findings.collect(), side, equal: Vec::new() })
    }

    /// The pairs of a portion of so many.
    fn align(
        &self,
        portion: usize,
        portions: usize,
        references: &Arc<CaptionFile>,
        request: &Request,
    ) -> Result<Aligned, JobError> {
        let part = self.side.part(portion, portions)?;
        let mut pairs = TextPairs::align(part.file, references.clone());
        let found = pairs.findings();
        let findings = self.side.by_file(pairs.captions(), &part.from, found);
        let equal = (!pairs.is_empty()).then(|| pairs.equals_references());
        let pairs = pairs.complete(request).map(|()| pairs);
        Ok(Aligned { pairs, findings, equal })
    }

    /// Keeps what was found, and hands over the pairs.
    fn absorb(&mut self, aligned: Aligned) -> Result<TextPairs, JobError> {
        for (file, finding) in aligned.findings {
            let known = self.findings.entry(file).or_default();
            // Of all portions alike.
            let is_said = |known: &Finding| known.kind == FindingKind::NoCommonId;
            if finding.kind != FindingKind::NoCommonId || !known.iter().any(is_said) {
                known.push(finding);
            }
        }
        self.equal.extend(aligned.equal);
        aligned.pairs
    }

    fn is_valid(&self) -> bool {
        self.findings.values().all(|found| captions::is_valid(found))
    }

    /// Its files, and what was found in them.
    fn finish(mut self) -> (Vec<Input>, Vec<record::Finding>) {
        if self.equal.iter().all(Option::is_some)
            && let Some(Some(finding)) = self.equal.pop()
        {
            self.findings.entry(self.side.whole()).or_default().push(finding);
        }
        let findings = self.for_record().flat_map(|(_, found)| found).collect();
        (self.side.inputs, findings)
    }

    /// What was found, by the paths of its files.
    fn for_record(&self) -> impl Iterator<Item = (PathBuf, Vec<record::Finding>)> {
        self.findings.iter().map(|(file, found)| {
            let path = file.map_or(&*self.path, |file| Path::new(self.side.path(file)));
            (path.to_owned(), self.side.for_record(*file, found))
        })
    }
}

/// The error of submissions of which some have errors.
fn invalid(submissions: Vec<Submission>) -> JobError {
    let mut messages = Vec::new();
    let mut findings = Vec::new();
    for submission in submissions.into_iter().filter(|submission| !submission.is_valid()) {
        findings.extend(submission.for_record());
        let all = submission.findings.into_values().flatten().collect();
        messages.push(format!("{}: {}", submission.path.display(), ScoreError::Invalid(all)));
    }
    JobError::Invalid { message: messages.join("; "), findings }
}

fn check_columns<'a>(
    mut columns: impl Iterator<Item = &'a String>,
    submission: &CaptionFile,
    references: &CaptionFile,
) -> Result<(), JobError> {
    columns.try_for_each(|column| {
        check_column(column, submission, references).map_err(JobError::usage)
    })
}

/// The files of a side, all of which hold captions.
fn caption_files(path: &Path) -> Result<Vec<PathBuf>, JobError> {
    let files = files_of(path)?;
    match files.iter().all(|file| System::is_captions(file)) {
        true => Ok(files),
        false => Err(no_captions()),
    }
}

/// How the references are read, as the first piece of them tells, and what is to be known of that.
fn reference_options(
    request: &Request,
    submissions: &ReadOptions,
    files: &[PathBuf],
) -> Result<(ReadOptions, Vec<Finding>), JobError> {
    let references = &request.references;
    if !references.borrows(submissions) {
        return Ok((references.reading(submissions), Vec::new()));
    }
    let first = |options: &ReadOptions| match Pieces::open(&files[0], options)?.next_piece()? {
        Some(piece) => piece.read(),
        None => captions::read(&files[0], options),
    };
    let read = references.read_by(submissions, first).map_err(of_references)?;
    Ok((read.options, read.notes))
}

fn of_references(error: ReadError) -> JobError {
    JobError::because("references", error)
}
