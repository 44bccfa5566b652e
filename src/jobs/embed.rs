//! Captions to embeddings, row by row.

use std::path::PathBuf;

use fgd_captions::ReadOptions;
use fgd_record::EncoderInfo;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::embedding::{Embedding, texts};
use super::options::Encoding;
use super::validate::read_and_say;
use super::{JobError, Session};

/// What `fgd embed` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The captions.
    pub file: PathBuf,
    /// How the file is read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Embeddings {
    /// `[captions, d]`, in the order of the file.
    pub rows: Array2<f32>,
    /// The encoder; `None` for a file without captions.
    pub encoder: Option<EncoderInfo>,
    /// How many captions the cache did not have.
    pub encoded: usize,
}

/// Embeds the captions of a file.
///
/// # Errors
/// A file that cannot be read, captions with errors, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Embeddings, JobError> {
    request.encoding.check()?;
    let reading = ReadOptions { without_ids: true, ..request.reading.clone() };
    let file = read_and_say(&request.file, &reading, &*session.progress)?;
    let texts = texts(&file);
    let mut embedding = Embedding::new(session, &request.encoding, texts.len() as u64);
    Ok(Embeddings {
        rows: embedding.embed(&texts)?,
        encoder: embedding.encoder(),
        encoded: embedding.encoded(),
    })
}
