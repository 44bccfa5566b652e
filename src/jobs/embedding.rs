//! Captions to vectors for one job: the session's encoder, opened at the first caption, with the job's count of progress.

use std::time::{Duration, Instant};

use fgd_captions::{self as captions, CaptionFile, Finding};
use fgd_encoder::Embedder;
use fgd_record::EncoderInfo;
use ndarray::Array2;

use super::options::Encoding;
use super::provenance::encoder_info;
use super::{Bar, JobError, Session, Silent};

/// The encoder of a job. It is not even looked for before the first caption.
pub struct Embedding<'a> {
    session: &'a mut Session,
    encoding: &'a Encoding,
    bar: Box<dyn Bar>,
    encoder: Option<EncoderInfo>,
    encoded: usize,
    spent: Duration,
}

impl<'a> Embedding<'a> {
    /// Gets ready to embed about `total` captions.
    pub fn new(session: &'a mut Session, encoding: &'a Encoding, total: u64) -> Self {
        let bar = session.progress.begin("embedding", "captions", total);
        Self { bar, ..Self::silent(session, encoding) }
    }

    /// The same for a job that counts something else.
    pub fn silent(session: &'a mut Session, encoding: &'a Encoding) -> Self {
        Self {
            bar: Box::new(Silent),
            session,
            encoding,
            encoder: None,
            encoded: 0,
            spent: Duration::ZERO,
        }
    }

    /// The encoder, if a caption was embedded.
    pub fn encoder(&self) -> Option<EncoderInfo> {
        self.encoder.clone()
    }

    /// How many captions the cache did not have.
    pub fn encoded(&self) -> usize {
        self.encoded
    }

    /// Seconds spent on captions.
    pub fn seconds(&self) -> f64 {
        self.spent.as_secs_f64()
    }

    /// Embeddings `[texts, d]`, row by row.
    ///
    /// # Errors
    /// An encoder that cannot be had, a caption it refuses, a cache that fails.
    pub fn embed(&mut self, texts: &[&str]) -> Result<Array2<f32>, JobError> {
        let start = Instant::now();
        let bar = &*self.bar;
        let embedder = self.session.embedder(self.encoding)?;
        let before = embedder.encoded();
        let rows = embedder.embed(texts, &|done| bar.advance(done as u64))?;
        if let Some(trouble) = embedder.take_trouble() {
            let progress = self.session.progress.clone();
            progress.say(&format!("going on without the cache: {trouble}"));
        }
        let embedder = self.session.embedder(self.encoding)?;
        self.encoded += embedder.encoded() - before;
        self.encoder = Some(encoder_info(embedder));
        self.spent += start.elapsed();
        Ok(rows)
    }

    /// Notes on the captions that the encoder cuts off.
    ///
    /// # Errors
    /// As [`Embedding::embed`].
    pub fn too_long(&mut self, file: &CaptionFile) -> Result<Vec<Finding>, JobError> {
        let embedder: &Embedder = self.session.embedder(self.encoding)?;
        let counts = embedder.token_counts(&texts(file))?;
        Ok(captions::too_long(file, &counts, embedder.max_length()))
    }
}

/// The captions of a file, in its order.
pub fn texts(file: &CaptionFile) -> Vec<&str> {
    file.captions.iter().map(|c| c.text.as_str()).collect()
}
