//! The sums of all buckets: one query of the engine for each bucket and some of the systems, kept beside the buckets.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use fgd_metrics::pair_sums::{Distances, FieldSums, SlicedSums};
use fgd_store::digest::Digest;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Scheduler;
use crate::fingerprint::{EncoderArgs, Fingerprint};
use crate::functions::refusal;
use crate::manifest::{MANIFEST, Manifest};
use crate::program::Program;
use crate::progress::Progress;
use crate::query::{Asked, Found, sums_of};
use crate::scheduler::MESSAGE;
use crate::storage::Folder;
use crate::tls::{Key, KeyArgs};

/// What sums are made of, and how.
#[derive(Debug, clap::Args)]
pub struct SummingArgs {
    /// The folder that `fgd-cluster prepare` wrote, by a path or an s3:// address that every process of the cluster knows.
    buckets: String,
    #[command(flatten)]
    scheduler: Scheduler,
    #[command(flatten)]
    key: KeyArgs,
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
    pub program: Program,
    /// Write nothing to stderr but errors.
    #[arg(short, long, env = "FGD_QUIET", value_parser = clap::builder::FalseyValueParser::new())]
    quiet: bool,
}

/// Most systems of one query, which share the embeddings of the references: their sums are in memory at the same time.
const SYSTEMS: usize = 32;

/// Sums that are being made.
pub struct Summing<'a> {
    args: &'a SummingArgs,
    key: Option<Key>,
    folder: Folder,
    /// What is in the folder.
    pub manifest: Manifest,
    bytes: Vec<u8>,
    fingerprint: Fingerprint,
    /// Systems of one query.
    together: usize,
    /// Whether distances of single images are kept too, which systems are compared by.
    distances: bool,
    /// The folder of the sums: of these buckets by this encoder.
    kept: String,
    progress: Mutex<Progress>,
}

impl<'a> Summing<'a> {
    /// Reads what is in the folder; nothing is summed yet.
    pub async fn open(args: &'a SummingArgs, distances: bool) -> anyhow::Result<Self> {
        let folder = Folder::open(&args.buckets)?;
        let (manifest, bytes) = Manifest::read(&folder, &args.buckets).await?;
        let encoder = args.encoder.open()?;
        let fingerprint = Fingerprint::of(&encoder);
        let key = Digest::new("cluster-sums", 1)
            .field("pairs", &bytes)
            .field("encoder", fingerprint.to_string())
            .finish();
        let together = together(encoder.dim(), manifest.has_several());
        let systems = manifest.systems();
        // References are embedded once for the systems of a query.
        let references = manifest.references() as f64 / manifest.pairs.max(1) as f64;
        let captions = 1.0 + references * systems.div_ceil(together) as f64 / systems as f64;
        let progress = Progress::new(manifest.pairs * systems as u64, captions, args.quiet);
        Ok(Self {
            args,
            key: args.key.read()?,
            folder,
            manifest,
            bytes,
            fingerprint,
            together,
            distances,
            kept: format!("sums-{}", &key[..16]),
            progress: Mutex::new(progress),
        })
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The buckets that have images, with how many.
    fn buckets(&self) -> impl Iterator<Item = (usize, u64)> {
        let all = self.manifest.buckets.iter().copied().enumerate();
        all.filter(|(_, pairs)| *pairs > 0)
    }

    /// Makes the sums that an earlier run has not kept.
    pub async fn make_all(&self) -> anyhow::Result<()> {
        let all = self.manifest.systems();
        let mut missing = Vec::new();
        for (bucket, pairs) in self.buckets() {
            for systems in (0..all).step_by(self.together).map(|at| at..all.min(at + self.together))
            {
                match self.is_kept(bucket, systems.clone(), pairs).await? {
                    true => self.progress().found(pairs * systems.len() as u64),
                    false => missing.push((bucket, systems, pairs)),
                }
            }
        }
        self.progress().begin();
        let made = missing.into_iter().map(|(bucket, of, pairs)| self.make(bucket, of, pairs));
        let made = stream::iter(made).buffer_unordered(self.args.jobs.max(1));
        made.try_collect().await
    }

    fn name(&self, bucket: usize, system: usize, what: &str) -> String {
        let system = match system {
            0 => String::new(),
            system => format!("-{system}"),
        };
        format!("{}/bucket-{bucket:06}{system}.{what}", self.kept)
    }

    async fn kept_sums(&self, bucket: usize, system: usize) -> anyhow::Result<Option<SlicedSums>> {
        let bytes = self.folder.read(&self.name(bucket, system, "sums")).await?;
        Ok(bytes.and_then(|bytes| SlicedSums::from_bytes(&bytes).ok()))
    }

    async fn kept_distances(
        &self,
        bucket: usize,
        system: usize,
    ) -> anyhow::Result<Option<Distances>> {
        let bytes = self.folder.read(&self.name(bucket, system, "distances")).await?;
        Ok(bytes.and_then(|bytes| Distances::from_bytes(&bytes)))
    }

    /// Whether an earlier run kept everything of these systems. What is not whole is made again.
    async fn is_kept(
        &self,
        bucket: usize,
        systems: Range<usize>,
        pairs: u64,
    ) -> anyhow::Result<bool> {
        for system in systems {
            let sums = self.kept_sums(bucket, system).await?;
            let distances = match self.distances {
                true => self.kept_distances(bucket, system).await?.map(|of| of.n()),
                false => Some(pairs),
            };
            if sums.map(|sums| sums.whole.n()) != Some(pairs) || distances != Some(pairs) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has a bucket summed, as often as it takes, and keeps its sums.
    async fn make(&self, bucket: usize, systems: Range<usize>, pairs: u64) -> anyhow::Result<()> {
        let folder = self.folder.address(&format!("bucket-{bucket:06}/"))?;
        let url = self.args.scheduler.url("")?;
        let asked = Asked {
            folder: &folder,
            slices: self.manifest.slices(),
            systems: systems.clone(),
            distances: self.distances,
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
        for (system, Found { sums, distances }) in systems.clone().zip(all) {
            if sums.whole.n() != pairs {
                bail!("{folder}: {} pairs and not {pairs}; prepare it again", sums.whole.n());
            }
            if self.distances {
                let name = self.name(bucket, system, "distances");
                self.folder.write(&name, distances.to_bytes()).await?;
            }
            self.folder.write(&self.name(bucket, system, "sums"), sums.to_bytes()).await?;
        }
        self.progress().advance(pairs * systems.len() as u64);
        Ok(())
    }

    /// The sums of a system, of all buckets. They are read one by one: memory is that of one system, however many there are.
    pub async fn sums(&self, system: usize) -> anyhow::Result<SlicedSums> {
        let mut whole: Option<SlicedSums> = None;
        for (bucket, _) in self.buckets() {
            let sums = self.kept_sums(bucket, system).await?.with_context(lost(bucket))?;
            match &mut whole {
                Some(whole) => whole.merge(&sums)?,
                none => *none = Some(sums),
            }
        }
        let whole = whole.context("there is no pair")?;
        if whole.whole.n() != self.manifest.pairs {
            bail!("{} pairs were summed of {}", whole.whole.n(), self.manifest.pairs);
        }
        Ok(whole)
    }

    /// The differences of all systems, bucket by bucket.
    pub async fn field(&self) -> anyhow::Result<FieldSums> {
        let mut field = FieldSums::new(self.manifest.systems());
        for (bucket, _) in self.buckets() {
            let mut all = Vec::with_capacity(field.systems());
            for system in 0..field.systems() {
                let distances = self.kept_distances(bucket, system).await?;
                all.push(distances.with_context(lost(bucket))?);
            }
            field.push(&all).with_context(|| format!("bucket {bucket}"))?;
        }
        Ok(field)
    }

    /// A folder that what `fgd` is to read goes to, with what it must know of the buckets.
    pub fn place(&self) -> anyhow::Result<TempDir> {
        let place = tempfile::tempdir()?;
        std::fs::write(place.path().join(MANIFEST), &self.bytes)?;
        Ok(place)
    }

    /// What jobs are asked alike.
    pub fn request(&self, job: &str, place: &TempDir) -> Value {
        let EncoderArgs { encoder, max_length } = &self.args.encoder;
        json!({
            "job": job,
            "buckets": place.path(),
            "encoding": {"encoder": encoder, "max_length": max_length},
            "population": self.args.population,
        })
    }
}

fn lost(bucket: usize) -> impl Fn() -> String {
    move || format!("bucket {bucket}: its sums are gone; run the same command again")
}

/// Systems of one query: their sums come in one message.
fn together(dim: usize, several: bool) -> usize {
    let entries = |d: usize| (d + 1) * (d + 2) / 2;
    let own = if several { entries(dim) } else { 0 };
    let bytes = size_of::<i128>() * (entries(2 * dim) + own);
    (MESSAGE as usize / 4 * 3 / bytes).clamp(1, SYSTEMS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_of_a_query_fit_into_a_message() {
        assert_eq!([16, 384, 1024, 4096].map(|dim| together(dim, false)), [32, 32, 5, 1]);
        assert_eq!(together(384, true), 32);
    }
}
