//! A score from sums alone: the same bits from any order of the captions and any number of machines.
//!
//! [`pairs`] are the captions that belong together. In one process they are embedded piece by piece and summed; for many
//! machines [`buckets`] writes them to files by way of the disk, which `fgd-cluster` sums elsewhere, and [`sums`] makes the record of what came
//! back. `results` says what sums are worth, in both cases.

pub mod board;
pub mod buckets;
mod dealt;
mod files;
pub mod pairs;
mod reading;
mod results;
mod rows;
mod sample;
mod sides;
mod sorted;
pub mod sums;

use std::time::Instant;

use fgd_metrics::pair_sums::{Distances, PairSums, SlicedSums};
use fgd_metrics::paired::Pairs;
use fgd_record::Record;
use ndarray::Axis;

use super::embedding::Embedding;
use super::score::Request;
use super::{Bar, JobError, Session};
use crate::host;
use pairs::TextPairs;

/// Pairs embedded at a time, so that only one piece of embeddings is in memory.
const PIECE: usize = 8_192;

/// Scores a submission by sums.
///
/// # Errors
/// As [`score::run`](super::score::run); a request for what sums do not tell.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let (start, host) = (Instant::now(), host::describe());
    refuse(request)?;
    let (pairs, sources) = TextPairs::read(request)?;
    let read = start.elapsed().as_secs_f64();

    let bar = session.progress.begin("summing", "images", pairs.len() as u64);
    let mut embedding = Embedding::silent(session, &request.encoding);
    let sums = sums_of(&pairs, &mut embedding, None, &*bar)?;
    drop(bar);
    let (encoder, embed) = (embedding.encoder(), embedding.seconds());
    drop(embedding);
    sums::record(
        sources,
        &sums,
        encoder,
        &request.measuring,
        host,
        [start.elapsed().as_secs_f64(), read, embed],
    )
}

/// Embeds all images, piece by piece, and adds them up.
fn sums_of(
    pairs: &TextPairs,
    embedding: &mut Embedding,
    mut distances: Option<&mut Distances>,
    bar: &dyn Bar,
) -> Result<SlicedSums, JobError> {
    let mut sums = None;
    let all: Vec<usize> = (0..pairs.len()).collect();
    for piece in all.chunks(PIECE) {
        add(&mut sums, piece, pairs, embedding, distances.as_deref_mut())?;
        bar.advance(piece.len() as u64);
    }
    sums.ok_or_else(|| JobError::invalid("no image has a caption"))
}

/// Embeds some of the images and adds them up, apart for each combination of their values.
fn add(
    sums: &mut Option<SlicedSums>,
    piece: &[usize],
    pairs: &TextPairs,
    embedding: &mut Embedding,
    mut distances: Option<&mut Distances>,
) -> Result<(), JobError> {
    let mut texts: Vec<&str> = piece.iter().map(|&pair| pairs.candidate(pair)).collect();
    let mut image_of = Vec::with_capacity(piece.len());
    for (at, &pair) in piece.iter().enumerate() {
        let references = pairs.references(pair);
        image_of.extend(std::iter::repeat_n(at, references.len()));
        texts.extend(references);
    }
    let rows = embedding.embed(&texts)?;
    let (candidates, references) = rows.view().split_at(Axis(0), piece.len());
    let d = rows.ncols();
    let sums = sums.get_or_insert_with(|| SlicedSums::new(d, pairs.slices()));
    for (values, members) in pairs.by_values(piece) {
        let ids: Vec<&str> = members.iter().map(|&at| pairs.id(piece[at])).collect();
        let mut place = vec![None; piece.len()];
        members.iter().enumerate().for_each(|(own, &at)| place[at] = Some(own));
        let (own, image_of): (Vec<usize>, Vec<usize>) =
            (image_of.iter().enumerate()).filter_map(|(row, &at)| Some((row, place[at]?))).unzip();
        let candidates = candidates.select(Axis(0), &members);
        let references = references.select(Axis(0), &own);
        let (candidates, references) = (candidates.view(), references.view());
        let own = Pairs { candidates, references, image_of: &image_of };
        let mut part = PairSums::new(d);
        part.push(&ids, &own).map_err(JobError::usage)?;
        if let Some(distances) = &mut distances {
            distances.push(&ids, &own)?;
        }
        sums.add(&values, &part)?;
    }
    Ok(())
}

/// Refuses what needs every row at once.
fn refuse(request: &Request) -> Result<(), JobError> {
    let asked = [
        (request.unpaired, "--unpaired"),
        (request.per_caption.is_some(), "--per-caption"),
        (request.worst > 0, "--worst"),
        (!request.measuring.metrics.is_empty(), "--metrics"),
        (request.measuring.cluster.is_some(), "--cluster"),
        (request.images.is_some(), "--images"),
        (request.keeping.captions, "--keep-captions"),
        (request.keeping.thumbnails.is_some(), "--thumbnails"),
    ];
    match asked.iter().find(|(is_asked, _)| *is_asked) {
        None => Ok(()),
        Some((_, flag)) => Err(JobError::usage(format!(
            "{flag} needs every caption at once, and --exact keeps sums only; leave one of them out, or score a sample: the files of \
             `fgd prepare` are samples of the images (docs/machines.md)"
        ))),
    }
}
