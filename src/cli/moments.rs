//! `fgd moments`: mean and covariance of captions or embeddings, in memory that does not grow.

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::CaptionArgs;
use super::output::{Output, Sink};
use anyhow::Context;
use fgd_captions as captions;
use fgd_encoder::Embedder;
use fgd_metrics::moments::Moments;
use fgd_store::arrays::{self, EmbeddingRows};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Captions embedded at a time, so that only one piece of embeddings is in memory.
const PIECE: usize = 16_384;

/// Arguments of `fgd moments`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Caption files, or .npy files of embeddings.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the moments go: a .npz file with mu, sigma (ddof 1) and n.
    #[arg(short, long, value_name = "FILE.npz", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// Take only the I-th of N parts of every file (I counts from 1), for work on several machines.
    #[arg(long, value_name = "I/N", env = "FGD_SHARD")]
    shard: Option<Shard>,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
}

/// One of several parts of a file: rows `[start, end)` of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shard {
    index: u64,
    count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not I/N with 1 ≤ I ≤ N, such as 1/8");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let (index, count): (u64, u64) = (
            index.parse().map_err(|_| wrong())?,
            count.parse().map_err(|_| wrong())?,
        );
        if index == 0 || index > count {
            return Err(wrong());
        }
        Ok(Self { index, count })
    }
}

impl Shard {
    const WHOLE: Self = Self { index: 1, count: 1 };

    fn range(self, rows: u64) -> std::ops::Range<u64> {
        let at =
            |index: u64| (u128::from(rows) * u128::from(index) / u128::from(self.count)) as u64;
        at(self.index - 1)..at(self.index)
    }
}

/// Runs `fgd moments`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    if args
        .output
        .extension()
        .is_none_or(|extension| extension != "npz")
    {
        return Err(usage(format!(
            "{}: moments are written as .npz; name the output FILE.npz",
            args.output.display()
        )));
    }
    let sink = Sink::open(Some(&args.output))?;
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let mut total: Option<Moments> = None;
    let mut embedder: Option<Embedder> = None;
    for file in &args.files {
        let part = if file.extension().is_some_and(|extension| extension == "npy") {
            of_embeddings(file, shard, output)?
        } else {
            let embedder = match &mut embedder {
                Some(embedder) => embedder,
                None => embedder.insert(args.encoder.open(output)?),
            };
            of_captions(file, shard, args, embedder, output)?
        };
        match &mut total {
            None => total = Some(part),
            Some(total) => total
                .merge(&part)
                .with_context(|| format!("{}: does not fit the files before it", file.display()))?,
        }
    }
    let total = total.ok_or_else(|| usage("no file given"))?;
    let mut bytes = Cursor::new(Vec::new());
    let (mu, sigma) = (total.mean(), total.covariance(1)?);
    arrays::write_moments(&mut bytes, mu.view(), sigma.view(), total.n())?;
    sink.write(bytes.get_ref())?;
    output.say(format!(
        "moments of {} embeddings of {} dimensions",
        total.n(),
        total.dim()
    ));
    Ok(Exit::Success)
}

fn of_embeddings(file: &Path, shard: Shard, output: &Output) -> anyhow::Result<Moments> {
    let mut rows = EmbeddingRows::open(file)?;
    let range = shard.range(rows.rows());
    let mut moments = Moments::new(rows.dim());
    let bar = output.bar(range.end - range.start, "reading");
    rows.skip(range.start)?;
    let mut left = range.end - range.start;
    while left > 0 {
        let Some(piece) = rows.next_piece()? else {
            break;
        };
        let take = left.min(piece.nrows() as u64);
        moments.push_rows(piece.slice(ndarray::s![..take as usize, ..]))?;
        left -= take;
        bar.inc(take);
    }
    bar.finish_and_clear();
    Ok(moments)
}

fn of_captions(
    file: &Path,
    shard: Shard,
    args: &Args,
    embedder: &mut Embedder,
    output: &Output,
) -> anyhow::Result<Moments> {
    let captions = captions::read(file, &args.captions.options())?.captions;
    let range = shard.range(captions.len() as u64);
    let texts: Vec<&str> = captions[range.start as usize..range.end as usize]
        .iter()
        .map(|caption| caption.text.as_str())
        .collect();
    let mut moments = Moments::new(embedder.dim());
    let bar = output.bar(texts.len() as u64, "embedding");
    for piece in texts.chunks(PIECE) {
        let embeddings = embedder.embed(piece, &|done| bar.inc(done as u64))?;
        moments.push_rows(embeddings.view())?;
    }
    bar.finish_and_clear();
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
