//! A score from sums alone: the same bits from any order of the captions and any number of machines.
//!
//! [`pairs`] are the captions that belong together. In one process they are embedded piece by piece and summed; for many
//! machines [`buckets`] writes them to files by way of the disk, which `fgd-cluster` sums elsewhere, and [`sums`] makes the record of what came
//! back. `results` says what sums are worth, in both cases.

pub mod buckets;
mod dealt;
pub mod pairs;
mod reading;
mod results;
mod rows;
mod sides;
pub mod sums;

use std::time::Instant;

use fgd_metrics::pair_sums::{PairSums, SlicedSums};
use fgd_record::Record;
use ndarray::Axis;

use super::embedding::Embedding;
use super::score::Request;
use super::{JobError, Session};
use crate::host;
use pairs::TextPairs;

/// Pairs embedded at a time, so that only one piece of embeddings is in memory.
const PIECE: usize = 8_192;

/// Scores a submission by sums.
///
/// # Errors
/// As [`score::run`](super::score::run); a request for what sums do not tell, or images with several references.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    let (start, host) = (Instant::now(), host::describe());
    refuse(request)?;
    let (pairs, sources) = TextPairs::read(request)?;
    let read = start.elapsed().as_secs_f64();

    let mut embedding = Embedding::new(session, &request.encoding, 2 * pairs.len() as u64);
    let mut sums = None;
    let all: Vec<usize> = (0..pairs.len()).collect();
    for piece in all.chunks(PIECE) {
        add(&mut sums, piece, &pairs, &mut embedding)?;
    }
    let (encoder, embed) = (embedding.encoder(), embedding.seconds());
    drop(embedding);
    let Some(sums) = sums else { return Err(JobError::invalid("no image has a caption")) };
    sums::record(
        sources,
        &sums,
        encoder,
        &request.measuring,
        host,
        [start.elapsed().as_secs_f64(), read, embed],
    )
}

/// Embeds some of the pairs and adds them up, apart for each combination of their values.
fn add(
    sums: &mut Option<SlicedSums>,
    piece: &[usize],
    pairs: &TextPairs,
    embedding: &mut Embedding,
) -> Result<(), JobError> {
    let texts: Vec<&str> = (piece.iter().map(|&pair| pairs.candidate(pair)))
        .chain(piece.iter().map(|&pair| pairs.reference(pair)))
        .collect();
    let rows = embedding.embed(&texts)?;
    let (candidates, references) = rows.view().split_at(Axis(0), piece.len());
    let d = rows.ncols();
    let sums = sums.get_or_insert_with(|| SlicedSums::new(d, pairs.slices()));
    for (values, members) in pairs.by_values(piece) {
        let ids: Vec<&str> = members.iter().map(|&at| pairs.id(piece[at])).collect();
        let own = [candidates, references].map(|rows| rows.select(Axis(0), &members));
        let mut part = PairSums::new(d);
        part.push(&ids, own[0].view(), own[1].view()).map_err(JobError::usage)?;
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
    ];
    match asked.iter().find(|(is_asked, _)| *is_asked) {
        None => Ok(()),
        Some((_, flag)) => Err(JobError::usage(format!(
            "{flag} needs every caption at once, and --exact keeps sums only; leave one of them out, or score a sample: the files of \
             `fgd prepare` are samples of the images (docs/machines.md)"
        ))),
    }
}
