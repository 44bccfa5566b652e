//! What to train on: captions without what a model should not learn, with no more synthetic ones than bear it.
//!
//! In this order: what the linter finds harmful goes, then captions that an image has already, then those that mean least what a model
//! says of their image (<https://arxiv.org/abs/2305.03610>), then synthetic ones beyond so many per real one of their image: mixing
//! helps, replacing does not (<https://arxiv.org/abs/2307.10350>). Every caption that goes has its reason in a list.

mod images;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use fgd_captions::{ReadOptions, Role, Severity, read};

use super::embedding::Embedding;
use super::options::Encoding;
use super::train::learnable::{REAL, SOURCE, linted, sources};
use super::validate::unreadable;
use super::{JobError, Session};
use images::Images;

/// Where the captions of a file of synthetic ones come from, if it does not say.
const SYNTHETIC: &str = "synthetic";

/// What `fgd curate` is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Captions, with a column `source` if some are not real.
    pub captions: PathBuf,
    /// Files of synthetic captions.
    pub synthetic: Vec<PathBuf>,
    /// Captions to judge by, of other images, all of them real.
    pub validation: Option<PathBuf>,
    /// The folder of `fgd features`: images are then the same by their content.
    pub features: Option<PathBuf>,
    /// What a model says of the images.
    pub beside: Option<PathBuf>,
    /// Percent of the captions, those least like what it says, that go; of real and of synthetic ones apart.
    pub drop_percent: f64,
    /// Most synthetic captions per real one of their image.
    pub max_synthetic: f64,
    /// How the files are read.
    pub reading: ReadOptions,
    /// Who tells how alike captions are.
    pub encoding: Encoding,
}

/// A caption on its way.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its file.
    pub file: PathBuf,
    /// Its row there.
    pub row: u64,
    /// The id of its image, as the first of its files has it.
    pub id: String,
    /// The caption.
    pub text: String,
    /// Where it comes from.
    pub source: String,
    /// Cosine to what the model says of the image.
    pub similarity: Option<f32>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Curated {
    /// What to train on.
    pub kept: Vec<Row>,
    /// What is left out, with the reason.
    pub dropped: Vec<(Row, String)>,
    /// Captions whose image the model says nothing of.
    pub unjudged: usize,
}

/// Curates.
///
/// # Errors
/// Files that cannot be read; a validation that shares images, or has captions that are not real; an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Curated, JobError> {
    if !(0.0..100.0).contains(&request.drop_percent)
        || request.max_synthetic.is_nan()
        || request.max_synthetic < 0.0
    {
        let what =
            "--drop-percent: give 0 to below 100; --max-synthetic: a number that is not negative";
        return Err(JobError::usage(what));
    }
    let images = Images::open(request.features.as_deref())?;
    let mut curated = Curated::default();
    let files = std::iter::once((&request.captions, REAL));
    for (path, source) in files.chain(request.synthetic.iter().map(|path| (path, SYNTHETIC))) {
        curated.read(path, source, request)?;
    }
    if let Some(path) = &request.validation {
        curated.check_validation(path, &images, request)?;
    }
    curated.drop_doubles(&images);
    if let Some(path) = &request.beside {
        curated.judge(path, &images, request, session)?;
        curated.drop_unlike(request.drop_percent);
    }
    curated.drop_surplus(request.max_synthetic, &images);
    match curated.kept.is_empty() {
        true => Err(JobError::invalid(format!("{}: nothing is left", request.captions.display()))),
        false => Ok(curated),
    }
}

impl Curated {
    fn read(&mut self, path: &Path, default: &str, request: &Request) -> Result<(), JobError> {
        let reading = ReadOptions { role: Role::References, ..request.reading.clone() };
        let file = read(path, &reading).map_err(unreadable)?;
        let mut reasons: HashMap<u64, String> = HashMap::new();
        for finding in linted(&file, false) {
            match finding.row {
                Some(row) if finding.severity == Severity::Error => {
                    reasons.entry(row).or_insert(finding.message);
                }
                // Nothing of one row: the file as a whole is not what it should be.
                None if finding.severity == Severity::Error => {
                    let message = format!("{}: {}", path.display(), finding.message);
                    return Err(JobError::invalid(message));
                }
                _ => {}
            }
        }
        let said = file.column(SOURCE).is_some();
        let sources = sources(&file);
        for (caption, source) in file.captions.into_iter().zip(sources) {
            let reason = reasons.get(&caption.row).cloned();
            let row = Row {
                file: path.to_path_buf(),
                row: caption.row,
                id: caption.id,
                text: caption.text.trim().to_owned(),
                source: if said { source } else { default.to_owned() },
                similarity: None,
            };
            match reason {
                Some(reason) => self.dropped.push((row, reason)),
                None => self.kept.push(row),
            }
        }
        Ok(())
    }

    fn check_validation(
        &self,
        path: &Path,
        images: &Images,
        request: &Request,
    ) -> Result<(), JobError> {
        let reading = ReadOptions { role: Role::References, ..request.reading.clone() };
        let file = read(path, &reading).map_err(unreadable)?;
        super::train::learnable::refuse_synthetic(&file)?;
        let learned: HashSet<&str> = self.kept.iter().map(|row| images.of(&row.id)).collect();
        let shared: Vec<&str> = {
            let ids = file.captions.iter().map(|caption| caption.id.as_str());
            ids.filter(|id| learned.contains(images.of(id))).collect()
        };
        match shared.first() {
            Some(first) => Err(JobError::usage(format!(
                "{}: {} captions are of images that are to be learned too; the first is {first}. Take them out of one of the two",
                path.display(),
                shared.len()
            ))),
            None => Ok(()),
        }
    }

    /// Images that are the same get one id; the same words again, whatever case and spaces, go.
    fn drop_doubles(&mut self, images: &Images) {
        let mut ids: HashMap<String, String> = HashMap::new();
        let mut seen: HashMap<(String, String), (PathBuf, u64)> = HashMap::new();
        self.drop_where(|row| {
            let image = images.of(&row.id).to_owned();
            row.id = ids.entry(image).or_insert_with(|| row.id.clone()).clone();
            let words: Vec<String> = row.text.split_whitespace().map(str::to_lowercase).collect();
            let place = (row.file.clone(), row.row);
            match seen.entry((row.id.clone(), words.join(" "))) {
                std::collections::hash_map::Entry::Occupied(first) => {
                    let (file, at) = first.get();
                    Some(format!("the image has it already: {}, row {at}", file.display()))
                }
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(place);
                    None
                }
            }
        });
    }

    /// Cosines to what the model says.
    fn judge(
        &mut self,
        path: &Path,
        images: &Images,
        request: &Request,
        session: &mut Session,
    ) -> Result<(), JobError> {
        let file = read(path, &request.reading).map_err(unreadable)?;
        let said: HashMap<&str, usize> = {
            let ids = file.captions.iter().enumerate().rev();
            ids.map(|(at, caption)| (images.of(&caption.id), at)).collect()
        };
        let mut texts: Vec<&str> = self.kept.iter().map(|row| row.text.as_str()).collect();
        let own = texts.len();
        texts.extend(file.captions.iter().map(|caption| caption.text.as_str()));
        let total = texts.len() as u64;
        let rows = Embedding::new(session, &request.encoding, total).embed(&texts)?;
        for (at, row) in self.kept.iter_mut().enumerate() {
            row.similarity =
                said.get(images.of(&row.id)).map(|said| rows.row(at).dot(&rows.row(own + said)));
        }
        self.unjudged = self.kept.iter().filter(|row| row.similarity.is_none()).count();
        Ok(())
    }

    fn drop_unlike(&mut self, percent: f64) {
        let mut unlike = HashSet::new();
        for is_real in [true, false] {
            let mut judged: Vec<(f32, usize)> = self
                .kept
                .iter()
                .enumerate()
                .filter(|(_, row)| (row.source == REAL) == is_real)
                .filter_map(|(at, row)| Some((row.similarity?, at)))
                .collect();
            judged.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let count = (judged.len() as f64 * percent / 100.0).floor() as usize;
            unlike.extend(judged[..count].iter().map(|(_, at)| *at));
        }
        let mut at = 0;
        self.drop_where(|row| {
            at += 1;
            let cosine = row.similarity.unwrap_or_default();
            let say = || {
                format!(
                    "its cosine to the model's caption, {cosine:.3}, is among the lowest {percent}%"
                )
            };
            unlike.contains(&(at - 1)).then(say)
        });
    }

    /// Of an image's synthetic captions stay those most like what the model says, else the first ones.
    fn drop_surplus(&mut self, most: f64, images: &Images) {
        let mut real: HashMap<String, f64> = HashMap::new();
        let mut synthetic: HashMap<String, Vec<(f32, usize)>> = HashMap::new();
        for (at, row) in self.kept.iter().enumerate() {
            let image = images.of(&row.id).to_owned();
            match row.source == REAL {
                true => *real.entry(image).or_default() += 1.0,
                false => {
                    synthetic.entry(image).or_default().push((row.similarity.unwrap_or(0.0), at));
                }
            }
        }
        let mut surplus = HashSet::new();
        for (image, mut rows) in synthetic {
            let bearable = (most * real.get(&image).copied().unwrap_or(0.0)).floor() as usize;
            rows.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            surplus.extend(rows.iter().skip(bearable).map(|(_, at)| *at));
        }
        let mut at = 0;
        self.drop_where(|_| {
            at += 1;
            let say = || format!("more than {most} synthetic captions per real one of its image");
            surplus.contains(&(at - 1)).then(say)
        });
    }

    fn drop_where(&mut self, mut reason: impl FnMut(&mut Row) -> Option<String>) {
        for mut row in std::mem::take(&mut self.kept) {
            match reason(&mut row) {
                Some(reason) => self.dropped.push((row, reason)),
                None => self.kept.push(row),
            }
        }
    }

    /// Captions that stay by where they come from.
    pub fn by_source(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        self.kept.iter().for_each(|row| *counts.entry(row.source.as_str()).or_default() += 1);
        counts
    }

    /// What to train on, with columns `image_id`, `caption` and `source`.
    ///
    /// # Errors
    /// What the writer fails at.
    pub fn captions_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["image_id", "caption", SOURCE])?;
        for row in &self.kept {
            writer.write_record([&row.id, &row.text, &row.source])?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }

    /// What is left out and why, in the order of the rules.
    ///
    /// # Errors
    /// What the writer fails at.
    pub fn dropped_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["file", "row", "image_id", "caption", SOURCE, "reason"])?;
        for (row, reason) in &self.dropped {
            let file = row.file.display().to_string();
            let at = row.row.to_string();
            writer.write_record([&file, &at, &row.id, &row.text, &row.source, reason])?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}
