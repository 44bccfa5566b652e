//! Mean and covariance of captions or embeddings, in memory that does not grow, and the whole from its shards.

mod part;

use std::path::{Path, PathBuf};

use fgd_captions::{ReadOptions, Role};
use fgd_metrics::MetricError;
use fgd_metrics::moments::{Embedded, ExactSums, Moments, Stream};
use fgd_store::arrays::{self, ArrayKind, EmbeddingRows, MeanCovariance};
use fgd_store::digest::{self, Digest};
use ndarray::{Array1, s};
use serde::{Deserialize, Serialize};

use super::embedding::{Embedding, texts};
use super::options::Encoding;
use super::provenance;
use super::scoring::system::moments_of;
use super::shard::Shard;
use super::validate::read_and_say;
use super::{JobError, Session};
use part::Parts;
pub use part::{Part, missing_in_words};

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
    /// Sums that are the same to the bit whatever the shards and their order.
    #[serde(default)]
    pub exact: bool,
    /// How caption files are read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// How captions are embedded.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What was summed, and of which parts of a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Summed {
    /// The sums.
    pub sums: Sums,
    /// The parts that they are of, where that is known.
    pub parts: Vec<Part>,
}

/// Sums of embeddings.
#[derive(Debug, Clone, PartialEq)]
pub enum Sums {
    /// Up to rounding, in which the order of shards shows.
    Rounded(Moments),
    /// To the bit, from embeddings within ±1.
    Exact(ExactSums),
}

/// Sums of a file while it is read.
enum Growing<T> {
    Rounded(Stream<T>),
    Exact(ExactSums),
}

impl<T: Embedded> Growing<T> {
    fn new(d: usize, exact: bool) -> Self {
        match exact {
            true => Self::Exact(ExactSums::new(d)),
            false => Self::Rounded(Stream::new(d, rayon::current_num_threads())),
        }
    }

    fn sums(self) -> Sums {
        match self {
            Self::Rounded(stream) => Sums::Rounded(stream.moments()),
            Self::Exact(sums) => Sums::Exact(sums),
        }
    }
}

impl Sums {
    fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        match (&mut *self, other) {
            (Self::Exact(sums), Self::Exact(other)) => sums.merge(other),
            (Self::Rounded(moments), other) => moments.merge(&other.moments()),
            (Self::Exact(sums), other) => {
                let mut moments = sums.moments();
                moments.merge(&other.moments())?;
                *self = Self::Rounded(moments);
                Ok(())
            }
        }
    }

    /// Count, mean and co-moment.
    pub fn moments(&self) -> Moments {
        match self {
            Self::Rounded(moments) => moments.clone(),
            Self::Exact(sums) => sums.moments(),
        }
    }
}

impl Summed {
    /// What a `.npz` file holds of them.
    ///
    /// # Errors
    /// Fewer than two rows, or some that were not finite.
    pub fn for_file(&self) -> Result<MeanCovariance, MetricError> {
        let moments = self.sums.moments();
        Ok(MeanCovariance {
            sigma: moments.covariance(1)?,
            mu: moments.mean().to_owned(),
            n: Some(moments.n()),
            exact: match &self.sums {
                Sums::Exact(sums) => Some(sums.integers().to_vec()),
                Sums::Rounded(_) => None,
            },
            shards: self.parts.iter().map(|part| part.row()).collect(),
        })
    }

    fn read(file: &Path) -> Result<Self, JobError> {
        let mut read = arrays::read_moments(file)?;
        let Some(n) = read.n else {
            return Err(JobError::usage(format!(
                "{}: has no `n`, so its weight in the whole is not known; write it with `fgd moments`",
                file.display()
            )));
        };
        let (exact, shards) = (read.exact.take(), std::mem::take(&mut read.shards));
        let moments = moments_of(read, file)?;
        let sums = match exact {
            None => Sums::Rounded(moments),
            Some(integers) => {
                let sums = ExactSums::from_integers(moments.dim(), integers);
                let sums = sums.map_err(JobError::at(file))?;
                if sums.n() != n {
                    return Err(JobError::usage(format!(
                        "{}: its sums are of {} rows, and `n` is {n}",
                        file.display(),
                        sums.n()
                    )));
                }
                Sums::Exact(sums)
            }
        };
        let parts = shards.into_iter().map(Part::of_row).collect::<Result<_, String>>();
        let parts = parts.map_err(|wrong| {
            JobError::usage(format!("{}: array `shards`: {wrong}", file.display()))
        })?;
        Ok(Self { sums, parts })
    }
}

/// Computes the moments of all files together.
///
/// # Errors
/// Files that cannot be read or are of different dimensions, captions with errors, an encoder that cannot be had, embeddings that cannot be summed
/// exactly where they should.
pub fn run(request: &Request, session: &mut Session) -> Result<Summed, JobError> {
    request.encoding.check()?;
    let (mut total, mut encoder) = (None, 0);
    let mut whole = Digest::new("whole", 1);
    for file in &request.files {
        let sums = if ArrayKind::of(file) == Some(ArrayKind::Embeddings) {
            whole = whole.field("embeddings", part::identity(file)?);
            of_embeddings(file, request, session)?
        } else {
            let (sums, sha256, by) = of_captions(file, request, session)?;
            whole = whole.field("captions", sha256);
            encoder = by;
            sums
        };
        add(&mut total, sums, file)?;
    }
    let sums = total.ok_or_else(|| JobError::usage("no file given"))?;
    let whole = digest::number(&whole.finish());
    Ok(Summed { sums, parts: vec![Part { whole, shard: request.shard, encoder }] })
}

/// The moments of the whole from those of its shards: exact, where those of all shards are.
///
/// # Errors
/// Files that cannot be read, do not say how much they weigh, are of different dimensions or encoders, or overlap.
pub fn merge(files: &[PathBuf]) -> Result<Summed, JobError> {
    let (mut total, mut parts) = (None, Parts::default());
    let mut seen: Vec<(&Path, u64, Array1<f64>)> = Vec::new();
    for file in files {
        if seen.iter().any(|(earlier, ..)| earlier == file) {
            return Err(JobError::usage(format!("{}: is named twice", file.display())));
        }
        let part = Summed::read(file)?;
        let moments = part.sums.moments();
        let same = |(_, n, mean): &&(_, u64, Array1<f64>)| {
            *n == moments.n() && moments.n() > 0 && mean == moments.mean()
        };
        if let Some((earlier, ..)) = seen.iter().find(same) {
            return Err(JobError::usage(format!(
                "{} holds the same moments as {}: a shard counts once",
                file.display(),
                earlier.display()
            )));
        }
        seen.push((file, moments.n(), moments.mean().to_owned()));
        parts.add(part.parts, file)?;
        add(&mut total, part.sums, file)?;
    }
    let sums = total.ok_or_else(|| JobError::usage("no file given"))?;
    Ok(Summed { sums, parts: parts.joined() })
}

fn add(total: &mut Option<Sums>, part: Sums, file: &Path) -> Result<(), JobError> {
    let Some(total) = total else {
        *total = Some(part);
        return Ok(());
    };
    let place = || format!("{}: does not fit the files before it", file.display());
    total.merge(&part).map_err(|error| JobError::because(place(), error))
}

fn of_embeddings(file: &Path, request: &Request, session: &Session) -> Result<Sums, JobError> {
    let mut rows = EmbeddingRows::open(file)?;
    if request.exact && rows.is_double() {
        return Err(JobError::usage(format!(
            "{}: holds float64, of which products are not exact; save it as float32, or leave out --exact",
            file.display()
        )));
    }
    let range = request.shard.range(rows.rows());
    let mut sums = Growing::new(rows.dim(), request.exact);
    let (mut next, end) = (range.start, range.end);
    let bar = session.progress.begin("reading", "rows", end - next);
    rows.skip(next)?;
    let place = |first: u64| format!("{}, rows from {}", file.display(), first + 1);
    while next < end {
        let take = |piece: usize| (end - next).min(piece as u64);
        let taken = match &mut sums {
            Growing::Exact(sums) => {
                let Some(piece) = rows.next_piece()? else { break };
                let rows = take(piece.nrows());
                let pushed = sums.push_rows(piece.slice(s![..rows as usize, ..]));
                pushed.map_err(|error| JobError::usage(format!("{}: {error}", place(next))))?;
                rows
            }
            Growing::Rounded(stream) => {
                let Some(piece) = rows.next_wide_piece()? else { break };
                let rows = take(piece.nrows());
                stream.push_rows(piece.slice(s![..rows as usize, ..]))?;
                rows
            }
        };
        next += taken;
        bar.advance(taken);
    }
    Ok(sums.sums())
}

/// Sums of a file's captions, its hash, and that of the encoder.
fn of_captions(
    file: &Path,
    request: &Request,
    session: &mut Session,
) -> Result<(Sums, String, u64), JobError> {
    // What others are judged by is what moments are kept of.
    let reading =
        ReadOptions { without_ids: true, role: Role::References, ..request.reading.clone() };
    let captions = read_and_say(file, &reading, &*session.progress)?;
    let texts = &texts(&captions)[request.shard.indices(captions.captions.len())];
    let mut sums = Growing::new(session.embedder(&request.encoding)?.dim(), request.exact);
    let mut embedding = Embedding::new(session, &request.encoding, texts.len() as u64);
    for piece in texts.chunks(PIECE) {
        let rows = embedding.embed(piece)?;
        match &mut sums {
            Growing::Exact(sums) => sums.push_rows(rows.view())?,
            Growing::Rounded(stream) => stream.push_rows(rows.view())?,
        }
    }
    let encoder = provenance::encoder_number(embedding.encoder().as_ref());
    Ok((sums.sums(), captions.sha256.clone(), encoder))
}
