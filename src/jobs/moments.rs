//! Mean and covariance of captions or embeddings, in memory that does not grow, and the whole from its shards.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use fgd_captions::ReadOptions;
use fgd_metrics::moments::Moments;
use fgd_store::arrays::EmbeddingRows;
use serde::{Deserialize, Serialize};

use super::embedding::{Embedding, texts};
use super::options::Encoding;
use super::scoring::system::read_moments;
use super::{JobError, Session};

/// Captions embedded at a time, so that only one piece of embeddings is in memory.
const PIECE: usize = 16_384;

/// What `fgd moments` is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Caption files, or `.npy` files of embeddings.
    pub files: Vec<PathBuf>,
    /// Only this part of every file, for work on several machines.
    #[serde(default)]
    pub shard: Shard,
    /// How caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
}

/// One of several parts of a file, written `I/N` with I from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Default for Shard {
    /// The whole.
    fn default() -> Self {
        Self { index: 1, count: 1 }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not I/N with 1 ≤ I ≤ N, such as 1/8");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count): (u64, u64) =
            (index.parse().map_err(|_| wrong())?, count.parse().map_err(|_| wrong())?);
        if index == 0 || index > count {
            return Err(wrong());
        }
        Ok(Self { index, count })
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        format!("{}/{}", shard.index, shard.count)
    }
}

impl Shard {
    /// The rows of the part, of a file of `rows`.
    fn range(self, rows: u64) -> std::ops::Range<u64> {
        let at =
            |index: u64| (u128::from(rows) * u128::from(index) / u128::from(self.count)) as u64;
        at(self.index - 1)..at(self.index)
    }
}

/// Computes the moments of all files together.
///
/// # Errors
/// Files that cannot be read or are of different dimensions, an encoder that cannot be had.
pub fn run(request: &Request, session: &mut Session) -> Result<Moments, JobError> {
    let mut total: Option<Moments> = None;
    for file in &request.files {
        let part = if file.extension().is_some_and(|extension| extension == "npy") {
            of_embeddings(file, request.shard, session)?
        } else {
            of_captions(file, request, session)?
        };
        add(&mut total, part, file)?;
    }
    total.ok_or_else(|| JobError::usage("no file given"))
}

/// The moments of the whole from those of its shards.
///
/// # Errors
/// Files that cannot be read, do not say how much they weigh, or are of different dimensions.
pub fn merge(files: &[PathBuf]) -> Result<Moments, JobError> {
    let mut total = None;
    for file in files {
        let (moments, n) = read_moments(file)?;
        if n.is_none() {
            return Err(JobError::usage(format!(
                "{}: has no `n`, so its weight in the whole is not known; write it with `fgd moments`",
                file.display()
            )));
        }
        add(&mut total, moments, file)?;
    }
    total.ok_or_else(|| JobError::usage("no file given"))
}

fn add(total: &mut Option<Moments>, part: Moments, file: &Path) -> Result<(), JobError> {
    let Some(total) = total else {
        *total = Some(part);
        return Ok(());
    };
    let place = || format!("{}: does not fit the files before it", file.display());
    total.merge(&part).map_err(|error| JobError::because(place(), error))
}

fn of_embeddings(file: &Path, shard: Shard, session: &Session) -> Result<Moments, JobError> {
    let mut rows = EmbeddingRows::open(file)?;
    let range = shard.range(rows.rows());
    let mut moments = Moments::new(rows.dim());
    let mut left = range.end - range.start;
    let bar = session.progress.begin("reading", "rows", left);
    rows.skip(range.start)?;
    while left > 0 {
        let Some(piece) = rows.next_piece()? else {
            break;
        };
        let take = left.min(piece.nrows() as u64);
        moments.push_rows(piece.slice(ndarray::s![..take as usize, ..]))?;
        left -= take;
        bar.advance(take);
    }
    Ok(moments)
}

fn of_captions(file: &Path, request: &Request, session: &mut Session) -> Result<Moments, JobError> {
    let reading = ReadOptions { without_ids: true, ..request.reading.clone() };
    let captions = fgd_captions::read(file, &reading)?;
    let range = request.shard.range(captions.captions.len() as u64);
    let texts = &texts(&captions)[range.start as usize..range.end as usize];
    let mut moments = Moments::new(session.embedder(&request.encoding)?.dim());
    let mut embedding = Embedding::new(session, &request.encoding, texts.len() as u64);
    for piece in texts.chunks(PIECE) {
        moments.push_rows(embedding.embed(piece)?.view())?;
    }
    Ok(moments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_every_row_once() {
        for rows in [0, 1, 7, 1000] {
            for count in [1, 2, 3, 8] {
                let mut next = 0;
                for index in 1..=count {
                    let range = Shard { index, count }.range(rows);
                    assert_eq!(range.start, next);
                    next = range.end;
                }
                assert_eq!(next, rows);
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "0/3", "4/3", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
