//! `fgd-cluster score`: one query for each bucket, its sums kept beside the buckets, and a record of all of them.

use std::ops::Range;
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
use crate::functions::refusal;
use crate::program::Program;
use crate::progress::Progress;
use crate::query::{Asked, sums_of};
use crate::storage::Folder;
use crate::tls::{Key, KeyArgs};

/// Arguments of `fgd-cluster score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder that `fgd-cluster prepare` wrote, by a path or an s3:// address that every process of the cluster knows.
    buckets: String,
    #[command(flatten)]
    scheduler: Scheduler,
    #[command(flatten)]
    key: KeyArgs,
    /// Write the record to a file instead of stdout. Of several submissions, a folder for a record of each.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// The images are a sample, drawn without replacement, of these N, and the score is to speak for them.
    #[arg(long, value_name = "N", env = "FGD_POPULATION")]
    population: Option<u64>,
    /// Buckets at a time: enough that every executor has tasks, a bucket being four or fewer.
    #[arg(long, value_name = "N", default_value_t = 4, env = "FGD_JOBS")]
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
    #[serde(default)]
    others: Vec<Sources>,
}

#[derive(Debug, Deserialize)]
struct Sources {
    inputs: Vec<Input>,
    slice: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Input {
    name: String,
}

impl Manifest {
    /// Submissions.
    fn systems(&self) -> usize {
        1 + self.others.len()
    }

    /// What the record of each is called.
    fn names(&self) -> impl Iterator<Item = String> {
        let all = [&self.sources].into_iter().chain(&self.others).enumerate();
        all.map(|(system, sources)| match sources.inputs.first() {
            Some(input) => format!("{system:03}-{}.json", input.name),
            None => format!("{system:03}.json"),
        })
    }
}

/// Systems of one query, which share the embeddings of the references: their sums are in memory at the same time.
const SYSTEMS: usize = 32;
const MANIFEST: &str = "pairs.json";

/// A score that goes on.
struct Score<'a> {
    args: &'a Args,
    key: Option<Key>,
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
    let records = match (&args.output, manifest.systems()) {
        (output, 1) => vec![output.clone()],
        (Some(folder), _) => manifest.names().map(|name| Some(folder.join(name))).collect(),
        (None, systems) => {
            bail!("{systems} submissions have a record each; say with -o which folder they go to")
        }
    };
    let fingerprint = Fingerprint::of(&args.encoder.open()?);
    let key = Digest::new("cluster-sums", 1)
        .field("pairs", &bytes)
        .field("encoder", fingerprint.to_string())
        .finish();
    let systems = manifest.systems();
    // References are embedded once for the systems of a query.
    let captions = 1.0 + systems.div_ceil(SYSTEMS) as f64 / systems as f64;
    let progress = Progress::new(manifest.pairs * systems as u64, captions, args.quiet);
    let progress = Mutex::new(progress);
    let kept = format!("sums-{}", &key[..16]);
    let score =
        Score { args: &args, key: args.key.read()?, folder, manifest, fingerprint, kept, progress };
    let all = score.all().await?;
    let place = tempfile::tempdir()?;
    std::fs::write(place.path().join(MANIFEST), bytes)?;
    if let [Some(first), _, ..] = &records[..] {
        std::fs::create_dir_all(first.parent().unwrap_or(first))?;
    }
    for (system, (sums, record)) in all.into_iter().zip(records).enumerate() {
        if sums.whole.n() != score.manifest.pairs {
            bail!("{} pairs were summed of {}", sums.whole.n(), score.manifest.pairs);
        }
        let whole = place.path().join("whole.sums");
        std::fs::write(&whole, sums.to_bytes())?;
        let mut request = json!({
            "job": "sums",
            "buckets": place.path(),
            "sums": whole,
            "encoding": {"encoder": args.encoder.encoder, "max_length": args.encoder.max_length},
            "population": args.population,
        });
        if system > 0 {
            request["system"] = system.into();
        }
        args.program.job(&request, record.as_deref())?;
    }
    Ok(())
}

impl Score<'_> {
    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sums of all buckets, by system: those that are kept, and those that are made now.
    async fn all(&self) -> anyhow::Result<Vec<SlicedSums>> {
        let systems = self.manifest.systems();
        let mut whole: Vec<Option<SlicedSums>> = vec![None; systems];
        let mut missing = Vec::new();
        for (bucket, &pairs) in self.manifest.buckets.iter().enumerate().filter(|(_, n)| **n > 0) {
            for systems in (0..systems).step_by(SYSTEMS).map(|at| at..systems.min(at + SYSTEMS)) {
                match self.known(bucket, systems.clone(), pairs).await? {
                    Some(sums) => {
                        self.progress().found(pairs * systems.len() as u64);
                        add(&mut whole, systems, sums)?;
                    }
                    None => missing.push((bucket, systems, pairs)),
                }
            }
        }
        self.progress().begin();
        let made = missing.into_iter().map(|(bucket, systems, pairs)| async move {
            self.make(bucket, systems.clone(), pairs).await.map(|sums| (systems, sums))
        });
        let mut made = stream::iter(made).buffer_unordered(self.args.jobs.max(1));
        while let Some((systems, sums)) = made.try_next().await? {
            add(&mut whole, systems, sums)?;
        }
        let whole: Option<Vec<SlicedSums>> = whole.into_iter().collect();
        whole.context("there is no pair")
    }

    fn name(&self, bucket: usize, system: usize) -> String {
        let system = match system {
            0 => String::new(),
            system => format!("-{system}"),
        };
        format!("{}/bucket-{bucket:06}{system}.sums", self.kept)
    }

    /// The sums that an earlier run kept. What is not whole is made again.
    async fn known(
        &self,
        bucket: usize,
        systems: Range<usize>,
        pairs: u64,
    ) -> anyhow::Result<Option<Vec<SlicedSums>>> {
        let mut all = Vec::new();
        for system in systems {
            let bytes = self.folder.read(&self.name(bucket, system)).await?;
            let sums = bytes.and_then(|bytes| SlicedSums::from_bytes(&bytes).ok());
            let Some(sums) = sums.filter(|sums| sums.whole.n() == pairs) else { return Ok(None) };
            all.push(sums);
        }
        Ok(Some(all))
    }

    /// Has a bucket summed, as often as it takes, and keeps its sums.
    async fn make(
        &self,
        bucket: usize,
        systems: Range<usize>,
        pairs: u64,
    ) -> anyhow::Result<Vec<SlicedSums>> {
        let folder = self.folder.address(&format!("bucket-{bucket:06}/"))?;
        let url = self.args.scheduler.url("")?;
        let asked = Asked {
            folder: &folder,
            slices: self.manifest.sources.slice.len(),
            systems: systems.clone(),
            fingerprint: &self.fingerprint,
        };
        let mut attempt = 1;
        let all = loop {
            match sums_of(&url, self.key.as_ref(), &asked).await {
                Ok(all) => break all,
                Err(error) => {
                    let text = error.strip_backtrace();
                    if let Some(reason) = refusal(&text) {
                        bail!("bucket {bucket}: {reason}");
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
        for (system, sums) in systems.clone().zip(&all) {
            if sums.whole.n() != pairs {
                bail!("{folder}: {} pairs and not {pairs}; prepare it again", sums.whole.n());
            }
            self.folder.write(&self.name(bucket, system), sums.to_bytes()).await?;
        }
        self.progress().advance(pairs * systems.len() as u64);
        Ok(all)
    }
}

/// Adds the sums of some systems.
fn add(
    whole: &mut [Option<SlicedSums>],
    systems: Range<usize>,
    sums: Vec<SlicedSums>,
) -> anyhow::Result<()> {
    for (whole, sums) in whole[systems].iter_mut().zip(sums) {
        match whole {
            Some(whole) => whole.merge(&sums)?,
            none => *none = Some(sums),
        }
    }
    Ok(())
}
