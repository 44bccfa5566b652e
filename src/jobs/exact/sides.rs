//! Submissions and references on disk, and how they come together part by part.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fgd_captions::{self as captions, CaptionFile, Finding, FindingKind, ReadOptions};
use fgd_record as record;
use fgd_record::Input;

use super::dealt::{Side, files_of, hash_of};
use super::pairs::TextPairs;
use super::sums::Sources;
use crate::jobs::JobError;
use crate::jobs::options::References;
use crate::jobs::score::{Request, one_input};
use crate::jobs::scoring::ScoreError;
use crate::jobs::scoring::findings::notes_on;
use crate::jobs::scoring::slices::check_column;
use crate::jobs::scoring::system::System;

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
    /// Reads all files, one by one, and deals their captions to so many parts.
    ///
    /// # Errors
    /// Files that cannot be read, references with errors, sides that are no captions, columns that no file has.
    pub fn deal(
        request: &Request,
        others: &[PathBuf],
        work: &Path,
        parts: usize,
    ) -> Result<Self, JobError> {
        let columns = &request.measuring.slice;
        let paths: Vec<&Path> = std::iter::once(&*request.submission)
            .chain(others.iter().map(|path| &**path))
            .collect();
        let mut all = paths.clone();
        all.push(&request.references.path);
        one_input(&all)?;
        let reading = ReadOptions { without_ids: false, ..request.reading.clone() };
        let open_references = |path: &PathBuf| {
            let one = References { path: path.clone(), ..request.references.clone() };
            System::open_references(&one, &reading)
        };
        let files = files_of(&request.references.path)?;
        // Only beside all references can it be seen which column holds their ids.
        let mut whole = match &files[..] {
            [only] => Some(open_references(only)?),
            _ => None,
        };
        let side = |role, folder: &str| Side::new(role, work.join(folder), parts, columns);
        let mut submissions = Vec::new();
        for (number, path) in paths.into_iter().enumerate() {
            let mut own = Submission {
                path: path.into(),
                side: side("submission", &format!("submission-{number}"))?,
                findings: BTreeMap::new(),
                equal: Vec::new(),
            };
            for path in files_of(path)? {
                let mut system = System::open_submission(&path, &reading)?;
                if let Some(references) = &whole {
                    system.settle(references);
                    check_columns(columns, &system, references)?;
                }
                own.read(&path, system)?;
            }
            own.side.finish()?;
            submissions.push(own);
        }
        let references = side("references", "references")?;
        let mut sides = Self { submissions, references, notes: Vec::new() };
        for path in &files {
            let system = whole.take().map_or_else(|| open_references(path), Ok)?;
            sides.notes.extend(notes_on(&system));
            sides.references.deal(path, system)?;
        }
        sides.references.finish()?;
        if let Some(column) = columns.iter().find(|column| !sides.references.has(column))
            && !others.is_empty()
        {
            return Err(JobError::usage(format!(
                "--slice {column}: several submissions share their groups of images, so it must be a column of the references"
            )));
        }
        Ok(sides)
    }

    /// Aligns part after part of `of` and hands over the pairs of every submission, unless one has errors. Returns what records say
    /// of each.
    ///
    /// # Errors
    /// Submissions with errors, images with more references than are summed, slices of too many values, a disk that is full.
    pub fn join(
        mut self,
        request: &Request,
        work: &Path,
        of: usize,
        mut take: impl FnMut(usize, &[TextPairs]) -> Result<(), JobError>,
    ) -> Result<Vec<Sources>, JobError> {
        let mut runs: Vec<PathBuf> = Vec::new();
        for part in 0..of {
            let references = self.references.part(part, of)?;
            runs.push(work.join(format!("references-{part}")));
            references.write_sorted(&runs[part])?;
            let references = Arc::new(references.file);
            let align = |submission: &mut Submission| submission.align(part, of, &references);
            let pairs = self.submissions.iter_mut().map(align);
            let mut pairs = pairs.collect::<Result<Vec<_>, JobError>>()?;
            if self.submissions.iter().all(Submission::is_valid) {
                pairs.iter_mut().try_for_each(|pairs| pairs.complete(request))?;
                take(part, &pairs)?;
            }
        }
        if !self.submissions.iter().all(Submission::is_valid) {
            return Err(invalid(self.submissions));
        }
        let sha256 = hash_of(&runs)?;
        let sources = self.submissions.into_iter().map(|submission| {
            let (inputs, mut findings) = submission.finish();
            findings.extend(self.notes.iter().cloned());
            let inputs = [inputs, self.references.inputs.clone()].concat();
            Sources::of(request, inputs, sha256.clone(), findings)
        });
        Ok(sources.collect())
    }
}

impl Submission {
    /// Reads one of its files.
    fn read(&mut self, path: &Path, system: System) -> Result<(), JobError> {
        if let System::Captions(file) = &system {
            let found = self.findings.entry(Some(self.side.inputs.len() as u32)).or_default();
            found.extend(file.findings.iter().cloned().chain(captions::lint(file)));
        }
        self.side.deal(path, system)
    }

    /// The pairs of a part.
    fn align(
        &mut self,
        part: usize,
        of: usize,
        references: &Arc<CaptionFile>,
    ) -> Result<TextPairs, JobError> {
        let part = self.side.part(part, of)?;
        let mut pairs = TextPairs::align(part.file, references.clone());
        let found = pairs.findings();
        for (file, finding) in self.side.by_file(pairs.captions(), &part.from, found) {
            let known = self.findings.entry(file).or_default();
            // Of all parts alike.
            let is_said = |known: &Finding| known.kind == FindingKind::NoCommonId;
            if finding.kind != FindingKind::NoCommonId || !known.iter().any(is_said) {
                known.push(finding);
            }
        }
        if !pairs.is_empty() {
            self.equal.push(pairs.equals_references());
        }
        Ok(pairs)
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
            let path = file.map_or(&*self.path, |file| self.side.path(file));
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

fn check_columns(
    columns: &[String],
    submission: &System,
    references: &System,
) -> Result<(), JobError> {
    let (System::Captions(submission), System::Captions(references)) = (submission, references)
    else {
        return Ok(());
    };
    columns.iter().try_for_each(|column| {
        check_column(column, submission, references).map_err(JobError::usage)
    })
}
