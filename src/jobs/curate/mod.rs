//! What to train on: captions without what a model should not learn, with no more synthetic ones than bear it.
//!
//! In this order: what the linter finds harmful goes, then captions that an image has already, then those that mean least what a model
//! says of their image (<https://arxiv.org/abs/2305.03610>), then synthetic ones beyond so many per real one of their image: mixing
//! helps, replacing does not (<https://arxiv.org/abs/2307.10350>). Every caption that goes has its reason in a list.

mod images;
mod results;
mod rules;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captions::{CaptionFile, ReadOptions, Role, read};
use fgd_record::{Comparability, Record, Results};
use fgd_store::file::Output;
use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::apart::Apart;
use super::embedding::Embedding;
use super::options::Encoding;
use super::provenance::{self, Origin, captions_input};
use super::scoring::system::stem;
use super::train::learnable::{REAL, refuse_synthetic};
use super::validate::unreadable;
use super::{JobError, Session};
use crate::host;
use images::Images;
use rules::Heaps;

/// Where the captions of a file of synthetic ones come from, if it does not say.
const SYNTHETIC: &str = "synthetic";

/// What `fgd curate` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
    /// Where what to train on goes.
    pub output: PathBuf,
    /// Where what is left out goes, with the reasons.
    pub dropped: Option<PathBuf>,
    /// How the files are read.
    pub reading: ReadOptions,
    /// Who tells how alike captions are.
    pub encoding: Encoding,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        let others = self.synthetic.iter().chain(&self.validation).chain(&self.beside);
        [&self.captions].into_iter().chain(others).map(|path| &**path).collect()
    }

    fn outputs(&self) -> Vec<&Path> {
        [&*self.output].into_iter().chain(self.dropped.as_deref()).collect()
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            captions: PathBuf::new(),
            synthetic: Vec::new(),
            validation: None,
            features: None,
            beside: None,
            drop_percent: 5.0,
            max_synthetic: 1.0,
            output: "train.csv".into(),
            dropped: None,
            reading: ReadOptions::default(),
            encoding: Encoding::default(),
        }
    }
}

/// Chooses what to train on, and writes it and what is left out.
///
/// # Errors
/// Files that cannot be read or written; a validation that shares images, or has captions that are not real; an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let (begin, host) = (Instant::now(), host::describe());
    request.encoding.check()?;
    let Request { drop_percent, max_synthetic, .. } = request;
    if !(0.0..100.0).contains(drop_percent) || max_synthetic.is_nan() || *max_synthetic < 0.0 {
        let what =
            "--drop-percent: give 0 to below 100; --max-synthetic: a number that is not negative";
        return Err(JobError::usage(what));
    }
    request.keep_apart([])?;
    let output = Output::create(&request.output)?;
    let list = request.dropped.as_deref().map(Output::create).transpose()?;

    let mut images = Images::open(request.features.as_deref())?;
    let mut inputs = Vec::new();
    let mut open = |path: &Path, role: &str, reading: &ReadOptions| {
        let file = read(path, reading).map_err(unreadable)?;
        images.see(&file);
        inputs.push(captions_input(role, stem(&file.path), &file));
        Ok::<_, JobError>(file)
    };
    let several = ReadOptions { role: Role::References, ..request.reading.clone() };
    let mut heaps = Heaps::default();
    heaps.read(open(&request.captions, "captions", &several)?, REAL)?;
    for path in &request.synthetic {
        heaps.read(open(path, SYNTHETIC, &several)?, SYNTHETIC)?;
    }
    let validation = request.validation.as_ref();
    let validation = validation.map(|path| open(path, "validation", &several)).transpose()?;
    let beside = request.beside.as_ref();
    let beside = beside.map(|path| open(path, "beside", &request.reading)).transpose()?;
    validation.map_or(Ok(()), |file| check_validation(&file, &heaps, &images))?;
    heaps.drop_repeated(&images);
    let (mut unjudged, mut encoder) = (0, None);
    if let Some(said) = &beside {
        let mut embedding = Embedding::new(
            session,
            &request.encoding,
            (heaps.kept.len() + said.captions.len()) as u64,
        );
        unjudged = judge(&mut heaps, said, &images, &mut embedding)?;
        encoder = embedding.encoder();
        heaps.drop_unlike(*drop_percent);
    }
    heaps.drop_surplus(*max_synthetic, &images);
    if heaps.kept.is_empty() {
        let path = request.captions.display();
        return Err(JobError::invalid(format!("{path}: nothing is left")));
    }
    write(output, results::captions_csv(&heaps), &request.output)?;
    if let (Some(list), Some(path)) = (list, &request.dropped) {
        write(list, results::dropped_csv(&heaps), path)?;
    }
    heaps.findings.extend(images.without_features(&heaps.kept));
    let results = results::results(&heaps, unjudged);
    let settings = BTreeMap::from([
        ("drop_percent".to_owned(), json!(drop_percent)),
        ("max_synthetic".to_owned(), json!(max_synthetic)),
        ("by_content".to_owned(), json!(request.features.is_some())),
    ]);
    let origin = Origin {
        host,
        comparability: Comparability {
            references_sha256: None,
            ..provenance::comparability(encoder.as_ref(), String::new())
        },
        encoder,
        checkpoint: None,
        inputs,
        settings,
        findings: heaps.findings,
        timings: BTreeMap::from([("curate".to_owned(), begin.elapsed().as_secs_f64())]),
    };
    Ok(provenance::record(origin, Results::Curate(Box::new(results))))
}

fn write(output: Output, bytes: Result<Vec<u8>, csv::Error>, path: &Path) -> Result<(), JobError> {
    Ok(output.commit_with(&bytes.map_err(JobError::at(path))?)?)
}

fn check_validation(file: &CaptionFile, heaps: &Heaps, images: &Images) -> Result<(), JobError> {
    refuse_synthetic(file)?;
    let learned: HashSet<String> = heaps.kept.iter().map(|row| images.of(&row.id)).collect();
    let ids = file.captions.iter().map(|caption| caption.id.as_str());
    let shared: Vec<&str> = ids.filter(|id| learned.contains(&images.of(id))).collect();
    match shared.first() {
        Some(first) => Err(JobError::usage(format!(
            "{}: {} captions are of images that are to be learned too; the first is {first}. Take them out of one of the two",
            file.path.display(),
            shared.len()
        ))),
        None => Ok(()),
    }
}

/// Gives captions their cosine to what a model says of their image; the number of those of which it says nothing.
fn judge(
    heaps: &mut Heaps,
    said: &CaptionFile,
    images: &Images,
    embedding: &mut Embedding,
) -> Result<usize, JobError> {
    let place: HashMap<String, usize> = {
        let ids = said.captions.iter().enumerate().rev();
        ids.map(|(at, caption)| (images.of(&caption.id), at)).collect()
    };
    let own = heaps.kept.len();
    let texts: Vec<&str> = heaps.kept.iter().map(|row| row.text.as_str()).collect();
    let texts = [texts, super::embedding::texts(said)].concat();
    let rows = embedding.embed(&texts)?;
    drop(texts);
    let mut unjudged = 0;
    for (at, row) in heaps.kept.iter_mut().enumerate() {
        let place = place.get(&images.of(&row.id));
        row.similarity = place.map(|place| cosine(rows.row(at), rows.row(own + place)));
        unjudged += usize::from(place.is_none());
    }
    Ok(unjudged)
}

/// An encoder need not give unit vectors.
fn cosine(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f32 {
    let dot = |a: ArrayView1<f32>, b: ArrayView1<f32>| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()) as f32
}
