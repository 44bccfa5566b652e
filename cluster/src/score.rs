//! `fgd-cluster score`: one query for each bucket, its sums kept beside the buckets, and a record of all of them.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use fgd_metrics::pair_sums::SlicedSums;
use fgd_store::digest::Digest;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;

use crate::Scheduler;
use crate::fingerprint::{EncoderArgs, Fingerprint};
use crate::functions::REFUSED;
use crate::program::Program;
use crate::progress::Progress;
use crate::query::sums_of;
use crate::storage::Folder;

/// Arguments of `fgd-cluster score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that `fgd-cluster prepare` wrote, by a path or an s3:// address that every process of the cluster knows.
    buckets: String,
    #[command(flatten)]
    scheduler: Scheduler,
    /// Write the record to a file instead of stdout.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// The images are a sample, drawn without replacement, of these N, and the score is to speak for them.
    #[arg(long, value_name = "N", env = "FGD_POPULATION")]
    population: Option<u64>,
    /// Buckets at a time.
    #[arg(long, value_name = "N", default_value_t = 8, env = "FGD_JOBS")]
    jobs: usize,
    /// Times that a bucket is tried before the score ends, waiting up to 30 seconds in between.
    #[arg(long, value_name = "N", default_value_t = 20, env = "FGD_ATTEMPTS")]
    attempts: usize,
    #[command(flatten)]
    program: Program,
    /// Write nothing to stderr but errors.
    #[arg(short, long, env = "FGD_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    quiet: bool,
}

/// What this program needs to know of a folder of buckets.
#[derive(Debug, Deserialize)]
struct Manifest {
    version: u32,
    pairs: u64,
    buckets: Vec<u64>,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Sources {
    slice: Vec<String>,
}

const MANIFEST: &str = "pairs.json";

/// A score that goes on.
struct Score<'a> {
    args: &'a Args,
    folder: Folder,
    manifest: Manifest,
    fingerprint: Fingerprint,
    /// The folder of the sums: of these buckets by this encoder.
    kept: String,
    progress: Mutex<Progress>,
}

/// Scores buckets.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let folder = Folder::open(&args.buckets)?;
    let bytes = folder.read(MANIFEST).await?.with_context(|| {
        format!("{}: holds no {MANIFEST}; `fgd-cluster prepare` writes such a folder", args.buckets)
    })?;
    let manifest: Manifest =
        serde_json::from_slice(&bytes).with_context(|| format!("{}/{MANIFEST}", args.buckets))?;
    if manifest.version != 1 {
        bail!(
            "{}: version {} of buckets, and this program knows 1",
            args.buckets,
            manifest.version
        );
    }
    let fingerprint = Fingerprint::of(&args.encoder.open()?);
    let key = Digest::new("cluster-sums", 1)
        .field("pairs", &bytes)
        .field("encoder", fingerprint.to_string())
        .finish();
    let progress = Mutex::new(Progress::new(manifest.pairs, args.quiet));
    let kept = format!("sums-{}", &key[..16]);
    let score = Score { args: &args, folder, manifest, fingerprint, kept, progress };
    let sums = score.all().await?;
    if sums.whole.n() != score.manifest.pairs {
        bail!("{} pairs were summed of {}", sums.whole.n(), score.manifest.pairs);
    }
    let place = tempfile::tempdir()?;
    let (whole, pairs) = (place.path().join("whole.sums"), place.path().join(MANIFEST));
    std::fs::write(&whole, sums.to_bytes())?;
    std::fs::write(&pairs, bytes)?;
    let request = json!({
        "job": "sums",
        "buckets": place.path(),
        "sums": whole,
        "encoding": {"encoder": args.encoder.encoder, "max_length": args.encoder.max_length},
        "population": args.population,
    });
    args.program.job(&request, args.output.as_deref())
}

impl Score<'_> {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sums of all buckets: those that are kept, and those that are made now.
    async fn all(&self) -> anyhow::Result<SlicedSums> {
        let mut whole: Option<SlicedSums> = None;
        let mut add = |sums: SlicedSums| -> anyhow::Result<()> {
            match &mut whole {
                Some(whole) => whole.merge(&sums)?,
                none => *none = Some(sums),
            }
            Ok(())
        };
        let mut missing = Vec::new();
        for (bucket, &pairs) in self.manifest.buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
            match self.known(bucket, pairs).await? {
                Some(sums) => {
                    self.progress().found(pairs);
                    add(sums)?;
                }
                None => missing.push((bucket, pairs)),
            }
        }
        self.progress().begin();
        let made =
            stream::iter(missing.into_iter().map(|(bucket, pairs)| self.make(bucket, pairs)));
        let mut made = made.buffer_unordered(self.args.jobs.max(1));
        while let Some(sums) = made.try_next().await? {
            add(sums)?;
        }
        whole.context("there is no pair")
    }

    fn name(&self, bucket: usize) -> String {
        format!("{}/bucket-{bucket:06}.sums", self.kept)
    }

    /// The sums that an earlier run kept. What is not whole is made again.
    async fn known(&self, bucket: usize, pairs: u64) -> anyhow::Result<Option<SlicedSums>> {
        let bytes = self.folder.read(&self.name(bucket)).await?;
        let sums = bytes.and_then(|bytes| SlicedSums::from_bytes(&bytes).ok());
        Ok(sums.filter(|sums| sums.whole.n() == pairs))
    }

    /// Has a bucket summed, as often as it takes, and keeps its sums.
    async fn make(&self, bucket: usize, pairs: u64) -> anyhow::Result<SlicedSums> {
        let folder = self.folder.address(&format!("bucket-{bucket:06}/"))?;
        let url = self.args.scheduler.url("")?;
        let slices = self.manifest.sources.slice.len();
        let mut attempt = 1;
        let sums = loop {
            match sums_of(&url, &folder, slices, &self.fingerprint).await {
                Ok(sums) => break sums,
                Err(error) => {
                    let text = error.strip_backtrace();
                    if let Some((_, reason)) = text.split_once(REFUSED) {
                        bail!("bucket {bucket}: {}", reason.trim());
                    }
                    if attempt >= self.args.attempts {
                        bail!(
                            "bucket {bucket} failed {attempt} times; what was summed is kept: {text}"
                        );
                    }
                    self.progress().retry(bucket, attempt, &text);
                    tokio::time::sleep(Duration::from_secs((1 << attempt.min(5)).min(30))).await;
                    attempt += 1;
                }
            }
        };
        if sums.whole.n() != pairs {
            bail!("{folder}: {} pairs and not {pairs}; prepare it again", sums.whole.n());
        }
        self.folder.write(&self.name(bucket), sums.to_bytes()).await?;
        self.progress().advance(pairs);
        Ok(sums)
    }
}
