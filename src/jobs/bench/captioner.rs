//! `fgd bench captioner`: images in, captions out.

use std::path::{Path, PathBuf};
use std::time::Instant;

use fgd_captioner::run::list_images;
use fgd_captioner::{
    Captioner, DEFAULT_PROMPT, GenerationConfig, LoadOptions, Precision, parse_device, tensors_of,
};
use fgd_record::{BenchTarget, Input, Record};
use serde::{Deserialize, Serialize};

use super::{Description, check_items, input, items_sha256, measure};
use crate::bench::captioner::CaptionerTarget;
use crate::bench::load::{Load, Subject};
use crate::bench::workload;
use crate::host;
use crate::jobs::caption::Checkpoint;
use crate::jobs::{JobError, Session};

/// Images that are made up where no number is given.
const MADE_UP: usize = 8;

/// A captioner and the images that it is asked about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaptionerRequest {
    /// Checkpoint that captions: a directory or a hub id.
    pub checkpoint: String,
    /// LoRA adapter to merge into the checkpoint.
    pub adapter: Option<String>,
    /// Images to caption: a directory, or a CSV file of ids and paths; made up from the seed by default.
    pub images: Option<PathBuf>,
    /// Images that queries are made of: the first of the directory, or so many made up (8 by default).
    pub items: Option<usize>,
    /// What the model is asked; may be empty.
    pub prompt: String,
    /// Tokens of every caption.
    pub max_new_tokens: usize,
    /// Beams per image; 1 is greedy.
    pub num_beams: usize,
    /// End captions where the model does; otherwise all are made equally long, so that speeds compare.
    pub stop_at_end: bool,
    /// What weights are kept in.
    pub dtype: Precision,
    /// `cpu`, or `cuda:N`.
    pub device: String,
    /// How it is asked.
    pub load: Load,
}

impl Default for CaptionerRequest {
    fn default() -> Self {
        Self {
            checkpoint: String::new(),
            adapter: None,
            images: None,
            items: None,
            prompt: DEFAULT_PROMPT.into(),
            max_new_tokens: 30,
            num_beams: 1,
            stop_at_end: false,
            dtype: Precision::F32,
            device: "cpu".into(),
            load: Load::default(),
        }
    }
}

pub fn run(request: &CaptionerRequest, session: &Session) -> Result<Record, JobError> {
    let began = Instant::now();
    let host = host::describe();
    let generation = GenerationConfig {
        max_new_tokens: request.max_new_tokens,
        num_beams: request.num_beams,
        ignore_eos: !request.stop_at_end,
        ..GenerationConfig::default()
    };
    generation.check().map_err(JobError::usage)?;
    let device = parse_device(&request.device).map_err(JobError::usage)?;
    let (images, inputs) = images(request)?;
    request.load.check(images.len()).map_err(JobError::Usage)?;
    let items_sha256 = items_sha256(images.iter().map(Vec::as_slice));

    let adapter = request.adapter.as_deref();
    let checkpoint = Checkpoint::resolve(&request.checkpoint, adapter, session)?;
    let options = LoadOptions { precision: request.dtype, device };
    let loading = Instant::now();
    let captioner = checkpoint.load(options, session)?;
    let load_seconds = loading.elapsed().as_secs_f64();
    let info = checkpoint.info(&captioner, &request.device);
    let bytes_per_weight = bytes_per_weight(&checkpoint.base.dir, &captioner)?;
    let mut target =
        CaptionerTarget::new(captioner, images, &request.prompt, generation, bytes_per_weight)?;
    let subject = Subject {
        target: BenchTarget::Captioner,
        item: "image",
        min_queries: 64,
        bound: 60.0,
        batch_sizes: &[1, 2, 4, 8],
        load_seconds: Some(load_seconds),
        peak_memory: &host::peak_memory_bytes,
        has_ceilings: request.device == "cpu",
    };
    let settings = [
        ("prompt", request.prompt.clone().into()),
        ("max-new-tokens", request.max_new_tokens.into()),
        ("num-beams", request.num_beams.into()),
        ("stop-at-end", request.stop_at_end.into()),
    ];
    let description = Description {
        began,
        host,
        encoder: None,
        checkpoint: Some(info),
        inputs,
        items_sha256,
        settings: settings.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    measure(&mut target, &subject, &request.load, description, session)
}

/// The files of the images, and where they come from.
fn images(request: &CaptionerRequest) -> Result<(Vec<Vec<u8>>, Vec<Input>), JobError> {
    check_items(request.items)?;
    let Some(source) = &request.images else {
        let count = request.items.unwrap_or(MADE_UP);
        let images = workload::images(count, request.load.seed)
            .map_err(|error| JobError::Failed(error.into()))?;
        return Ok((images, Vec::new()));
    };
    let mut list = list_images(source, None)?.images;
    list.truncate(request.items.unwrap_or(usize::MAX));
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| {
            JobError::because(format_args!("{}: cannot be read", path.display()), error)
        })
    };
    let images: Vec<Vec<u8>> =
        (list.iter().map(|image| read(&image.path))).collect::<Result<_, _>>()?;
    let sha256 = items_sha256(images.iter().map(Vec::as_slice));
    let input = input("images", source, sha256, images.len() as u64);
    Ok((images, vec![input]))
}

/// What a weight takes in memory: as on disk, where files hold little else, unless it is rounded to two bytes.
fn bytes_per_weight(dir: &Path, captioner: &Captioner) -> Result<f64, JobError> {
    if captioner.options().precision != Precision::F32 {
        return Ok(2.0);
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).map_err(JobError::at(dir))? {
        let path = entry.map_err(JobError::at(dir))?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            bytes += path.metadata().map_err(JobError::at(&path))?.len();
        }
    }
    let shapes = tensors_of(captioner.config())?;
    let weights: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    // Files hold numbers of two or four bytes.
    Ok(match bytes as f64 / (weights.max(1) as f64) < 3.0 {
        true => 2.0,
        false => 4.0,
    })
}
