//! `fgd bench encoder`: captions in, embeddings out.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::Instant;

use fgd_captions::ReadOptions;
use fgd_record::{BenchTarget, Input, Record};
use serde::{Deserialize, Serialize};

use super::{Description, check_items, input, items_sha256, measure};
use crate::bench::encoder::EncoderTarget;
use crate::bench::load::{Load, Subject};
use crate::bench::workload;
use crate::host;
use crate::jobs::options::Encoding;
use crate::jobs::validate::read_valid;
use crate::jobs::{JobError, Session, provenance};

/// Captions that are made up where no number is given.
const MADE_UP: usize = 2048;

/// An encoder and the captions that it is asked about.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncoderRequest {
    /// Captions to embed; made up from the seed by default.
    pub captions: Option<PathBuf>,
    /// Distinct captions that queries are made of: the first of the file, or so many made up (2048 by default).
    pub items: Option<usize>,
    /// How they are asked.
    pub load: Load,
    /// How the caption file is read.
    pub reading: ReadOptions,
    /// The encoder. Nothing comes from its cache.
    pub encoding: Encoding,
}

pub fn run(request: &EncoderRequest, session: &Session) -> Result<Record, JobError> {
    let began = Instant::now();
    let host = host::describe();
    request.encoding.check()?;
    let (captions, inputs) = captions(request)?;
    request.load.check(captions.len()).map_err(JobError::Usage)?;
    let items_sha256 = items_sha256(captions.iter().map(|caption| caption.as_bytes()));

    let embedder = session.uncached_embedder(&request.encoding)?;
    let loading = Instant::now();
    let encoder = embedder.load()?;
    let load_seconds = loading.elapsed().as_secs_f64();
    let mut target =
        EncoderTarget::new(encoder, captions).map_err(|error| JobError::Failed(error.into()))?;
    let subject = Subject {
        target: BenchTarget::Encoder,
        item: "caption",
        min_queries: 2048,
        bound: 0.1,
        batch_sizes: &[1, 4, 16, 64, 256],
        load_seconds: Some(load_seconds),
        peak_memory: &host::peak_memory_bytes,
        has_ceilings: request.encoding.device == "cpu",
    };
    let description = Description {
        began,
        host,
        encoder: Some(provenance::encoder_info(&embedder)),
        checkpoint: None,
        inputs,
        items_sha256,
        settings: BTreeMap::new(),
    };
    measure(&mut target, &subject, &request.load, description, session)
}

/// The distinct captions, and the file they come from.
fn captions(request: &EncoderRequest) -> Result<(Vec<String>, Vec<Input>), JobError> {
    check_items(request.items)?;
    let Some(path) = &request.captions else {
        let count = request.items.unwrap_or(MADE_UP);
        return Ok((distinct(workload::captions(count, request.load.seed)), Vec::new()));
    };
    let reading = ReadOptions { without_ids: true, ..request.reading.clone() };
    let (file, _) = read_valid(path, &reading)?;
    let input = input("captions", path, file.sha256, file.captions.len() as u64);
    let texts = file.captions.into_iter().map(|caption| caption.text);
    let mut captions = distinct(texts.collect());
    captions.truncate(request.items.unwrap_or(usize::MAX));
    if captions.is_empty() {
        let problem = format!("{}: holds no caption to embed", path.display());
        return Err(JobError::Usage(problem));
    }
    Ok((captions, vec![input]))
}

/// Equal captions are encoded once, which would look like speed.
fn distinct(mut captions: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    captions.retain(|caption| seen.insert(caption.clone()));
    captions
}
