//! What jobs share: the surroundings, one encoder behind its cache, somebody who is told how far they are, and a way to
//! stop them.

use std::sync::Arc;

use fgd_encoder::cache::CacheError;
use fgd_encoder::{Embedder, Keep, Options};

use super::JobError;
use super::options::Encoding;
use crate::settings::Settings;

/// Who is told how far a job is: a terminal, a notebook, nobody.
pub trait Progress: Send + Sync {
    /// A sentence about the job.
    fn say(&self, line: &str);
    /// Begins to count: `what` is done to `total` of `unit`, such as embedding to captions.
    fn begin(&self, what: &'static str, unit: &'static str, total: u64) -> Box<dyn Bar>;
}

/// A count that grows until it is dropped.
pub trait Bar: Send + Sync {
    /// Some more are done.
    fn advance(&self, count: u64);
    /// So many are done in all, of so many. The first call says where this run begins.
    fn set(&self, done: u64, total: u64);
    /// A sentence, kept apart from what may be drawn.
    fn say(&self, line: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn say(&self, _: &str) {}
    fn begin(&self, _: &'static str, _: &'static str, _: u64) -> Box<dyn Bar> {
        Box::new(Silent)
    }
}

impl Bar for Silent {
    fn advance(&self, _: u64) {}
    fn set(&self, _: u64, _: u64) {}
    fn say(&self, _: &str) {}
}

/// Whether a job is to end early; asked between pieces of work.
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

/// The surroundings of jobs, one after the other.
pub struct Session {
    /// What the environment says.
    pub settings: Settings,
    /// Who is told.
    pub progress: Arc<dyn Progress>,
    /// Whether to stop.
    pub interrupt: Interrupt,
    /// The encoder of the last job and what it was opened with, so that the next job finds it loaded.
    embedder: Option<(Encoding, Embedder)>,
}

impl Session {
    /// A session that tells nobody and is never interrupted.
    pub fn new(settings: Settings) -> Self {
        Self { settings, progress: Arc::new(Silent), interrupt: Arc::new(|| false), embedder: None }
    }

    /// The encoder, found now and loaded when a caption is not in its cache.
    ///
    /// # Errors
    /// An encoder that cannot be found, downloaded or understood; no place for a cache.
    pub fn embedder(&mut self, encoding: &Encoding) -> Result<&mut Embedder, JobError> {
        let found = match self.embedder.take().filter(|(known, _)| known == encoding) {
            Some(found) => found,
            None => (encoding.clone(), self.open(encoding)?),
        };
        Ok(&mut self.embedder.insert(found).1)
    }

    /// The encoder with no cache at all: what is measured must be computed.
    ///
    /// # Errors
    /// As [`Session::embedder`].
    pub fn uncached_embedder(&self, encoding: &Encoding) -> Result<Embedder, JobError> {
        let options = options(encoding)?;
        Ok(Embedder::open(&encoding.encoder, options, Keep::Nowhere, &self.settings.hub)?)
    }

    fn open(&self, encoding: &Encoding) -> Result<Embedder, JobError> {
        let options = options(encoding)?;
        let keep = match (encoding.cache, &self.settings.cache) {
            (true, Some(folder)) => Keep::Folder(folder),
            (true, None) => return Err(CacheError::NoFolder.into()),
            (false, _) => Keep::Process,
        };
        Ok(Embedder::open(&encoding.encoder, options, keep, &self.settings.hub)?)
    }
}

fn options(encoding: &Encoding) -> Result<Options, JobError> {
    encoding.check()?;
    if encoding.max_length.is_some_and(|tokens| tokens < 3) {
        return Err(JobError::usage(
            "--max-length: a caption needs at least 3 tokens, two of which mark its ends",
        ));
    }
    Ok(Options {
        engine: encoding.engine,
        device: encoding.device.clone(),
        max_length: encoding.max_length,
    })
}
