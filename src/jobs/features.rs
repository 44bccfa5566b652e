//! Images to the features that training begins at: the frozen vision tower and Q-Former, once and for all.

use std::ops::ControlFlow;
use std::path::PathBuf;

use fgd_captioner::run::{OnError, list_images};
use fgd_captioner::train::features::{Made, Making, make};
use fgd_captioner::{LoadOptions, Precision, parse_device};
use serde::{Deserialize, Serialize};

use super::caption::{Checkpoint, DECODE_THREADS, check_images};
use super::{JobError, Session};

/// What `fgd features` is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The checkpoint: a directory or a hub id.
    pub checkpoint: String,
    /// The images: a directory, or a list with a column image_id and optionally path.
    pub images: PathBuf,
    /// Where the paths of the list start; its own directory by default.
    pub image_root: Option<PathBuf>,
    /// The folder of features.
    pub output: PathBuf,
    /// What the checkpoint's weights are kept in.
    pub dtype: Precision,
    /// Images per batch.
    pub batch_size: usize,
    /// What to do with an image that cannot be read.
    pub on_error: OnError,
    /// `cpu`, or `cuda:N`.
    pub device: String,
}

/// Computes the features that the folder does not have yet.
///
/// # Errors
/// Images or a checkpoint that cannot be used, a folder that cannot be written, an interrupt.
pub fn run(request: &Request, session: &Session) -> Result<Made, JobError> {
    let options = LoadOptions { precision: request.dtype, device: parse_device(&request.device)? };
    if request.batch_size == 0 {
        return Err(JobError::usage("the batch size is 0; it must be a number from 1 on"));
    }
    let list = list_images(&request.images, request.image_root.as_deref())?;
    list.notes().iter().for_each(|note| session.progress.say(note));
    let images = list.images;
    check_images(&images, request.on_error)?;
    std::fs::create_dir_all(&request.output).map_err(JobError::no_folder(&request.output))?;
    let checkpoint = Checkpoint::resolve(&request.checkpoint, None, session)?;
    checkpoint.check(&options)?;
    let captioner = checkpoint.load(options, session)?;
    let bar = session.progress.begin("features", "images", images.len() as u64);
    let making = Making {
        images: &images,
        batch_size: request.batch_size,
        on_error: request.on_error,
        decode_threads: DECODE_THREADS,
    };
    let made = make(&captioner, &making, &request.output, &mut |done| {
        bar.set(done as u64, images.len() as u64);
        match (session.interrupt)() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    for (id, reason) in &made.broken {
        bar.say(&format!("skipped image {id}: {reason}"));
    }
    Ok(made)
}
