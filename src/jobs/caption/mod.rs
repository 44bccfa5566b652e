//! Images to captions, by a checkpoint.
//!
//! A [`Request`] names the checkpoint, the images and the file of captions; [`run`] answers with the record. [`Checkpoint`] is
//! what its names lead to, [`Run`] one checkpoint over some images, which other jobs have too, and `results` its numbers.

mod checkpoint;
mod durable;
mod ended;
mod results;
mod shards;

use std::path::{Path, PathBuf};

use fgd_captioner::run::{BatchSize, OnError, list_images};
use fgd_captioner::{DEFAULT_PROMPT, GenerationConfig, LoadOptions, Precision, parse_device};
use fgd_captions::TableFile;
use fgd_record::Record;
use serde::{Deserialize, Serialize};

use super::apart::Apart;
use super::options::Encoding;
use super::select::{By, Choosing};
use super::shard::Shard;
use super::{JobError, Session};

pub use checkpoint::Checkpoint;
pub(super) use durable::{DECODE_THREADS, check_images};
pub use durable::{Run, prepare};
pub use ended::CaptionRun;
pub use shards::{Merged, Part, merge};

/// What a captioner is asked, how it searches for captions, and how it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Captioning {
    /// What the model is asked; may be empty.
    pub prompt: String,
    /// How captions are decoded; the seed of what is drawn is here and nowhere else.
    pub generation: GenerationConfig,
    /// What the checkpoint's weights are kept in.
    pub dtype: Precision,
    /// Images captioned together; also what is lost at most when the process is killed.
    pub batch_size: BatchSize,
    /// What to do with an image that cannot be read.
    pub on_error: OnError,
    /// Keep and reuse the vision features here.
    pub features_cache: Option<PathBuf>,
    /// Forget an earlier run's journal.
    pub restart: bool,
}

impl Default for Captioning {
    fn default() -> Self {
        Self {
            prompt: DEFAULT_PROMPT.into(),
            generation: GenerationConfig::default(),
            dtype: Precision::F32,
            batch_size: BatchSize::Auto,
            on_error: OnError::Fail,
            features_cache: None,
            restart: false,
        }
    }
}

impl Captioning {
    /// Whether an image has several captions, of which one is chosen.
    pub fn draws_several(&self) -> bool {
        self.generation.num_return_sequences > 1
    }

    /// Checks what can be checked before gigabytes are read; answers how the checkpoint is to be loaded.
    ///
    /// # Errors
    /// Settings without a meaning, a device that is not there.
    pub fn check(&self, device: &str) -> Result<LoadOptions, JobError> {
        self.generation.check()?;
        Ok(LoadOptions { precision: self.dtype, device: parse_device(device)? })
    }
}

/// What `fgd caption` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Checkpoint that captions: a directory or a hub id; an adapter brings its base.
    pub checkpoint: String,
    /// LoRA adapter to merge into the checkpoint.
    #[serde(default)]
    pub adapter: Option<String>,
    /// The images: a directory, a list (a column image_id, path or both), or one image.
    pub images: PathBuf,
    /// Where the paths of the list start; its own directory by default.
    #[serde(default)]
    pub image_root: Option<PathBuf>,
    /// Only this part of the images, for work on several machines.
    #[serde(default)]
    pub shard: Shard,
    /// The captions; beside them stand the journal and the record.
    pub output: PathBuf,
    /// `cpu`, or `cuda:N`.
    #[serde(default = "cpu")]
    pub device: String,
    /// How it captions.
    #[serde(default)]
    pub captioning: Captioning,
    /// How one of several captions of an image is chosen.
    #[serde(default)]
    pub choosing: Choosing,
    /// How captions are embedded for that.
    #[serde(default)]
    pub encoding: Encoding,
    /// Where all of them go: `.jsonl`, `.csv` or `.parquet`; by default beside the captions, in `FILE.samples.jsonl`.
    #[serde(default)]
    pub samples_file: Option<PathBuf>,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        vec![&self.images]
    }

    fn outputs(&self) -> Vec<&Path> {
        [&*self.output].into_iter().chain(self.samples_file.as_deref()).collect()
    }
}

fn cpu() -> String {
    "cpu".into()
}

/// Captions the images, going on from the journal of an earlier run; writes the captions and their record.
///
/// # Errors
/// Settings without a meaning; images, a checkpoint or a journal that cannot be used; a broken image where that ends the run.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let captioning = &request.captioning;
    captioning.check(&request.device)?;
    if captioning.draws_several() && request.choosing.by == By::Oracle {
        return Err(JobError::usage(
            "--select oracle looks at references: caption first, then `fgd select` on the samples",
        ));
    }
    request.keep_apart([])?;
    if let Some(samples) = &request.samples_file {
        // Let go at once: an unwritable place is found out before the work.
        TableFile::create(samples)?;
    }
    let list = list_images(&request.images, request.image_root.as_deref())?;
    list.notes().iter().for_each(|note| session.progress.say(note));
    let own = &list.images[request.shard.indices(list.images.len())];
    prepare(&request.output, own, captioning.on_error)?;
    let adapter = request.adapter.as_deref();
    let checkpoint = Checkpoint::resolve(&request.checkpoint, adapter, session)?;
    let run = Run {
        checkpoint: &checkpoint,
        images: own,
        part: Part::of(request.shard, &list.images),
        source: &request.images,
        output: &request.output,
        device: &request.device,
        captioning,
        choosing: &request.choosing,
        encoding: &request.encoding,
        samples_file: request.samples_file.as_deref(),
    };
    Ok(run.caption(session)?.into_record())
}
