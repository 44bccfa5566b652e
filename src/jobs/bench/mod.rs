//! How fast is it, and how sure is that? A target is opened, put under a load, and what was measured becomes a record.

mod captioner;
mod encoder;
mod score;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use fgd_record::{
    BenchResults, CheckpointInfo, Comparability, EncoderInfo, Host, Input, Record, Results,
    Scenario, Server,
};
use fgd_store::digest::Digest;
use fgd_store::file;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::provenance::{self, Origin};
use super::scoring::system::stem;
use super::{JobError, Session};
use crate::bench::load::{Load, Subject};
use crate::bench::results::{Run, results};
use crate::bench::search::search;
use crate::bench::server::{self, Service};
use crate::bench::sweep::sweep;
use crate::bench::{DEFINITION_VERSION, Harness, Target, WallClock, ceilings, queries};
use crate::jobs::apart::Apart;

pub use captioner::CaptionerRequest;
pub use encoder::EncoderRequest;
pub use score::ScoreRequest;

/// Time for each ceiling.
const CEILINGS: Duration = Duration::from_millis(300);

/// What `fgd bench` is asked, by target.
#[allow(clippy::large_enum_variant, reason = "there is one of a job")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "target", rename_all = "snake_case")]
pub enum Request {
    /// Captions in, embeddings out.
    Encoder(EncoderRequest),
    /// Images in, captions out, split into the parts of the model.
    Captioner(CaptionerRequest),
    /// Whole `fgd score` jobs, each a process of its own.
    Score(ScoreRequest),
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        match self {
            Self::Encoder(request) => request.captions.as_deref().into_iter().collect(),
            Self::Captioner(request) => request.images.as_deref().into_iter().collect(),
            Self::Score(request) => request.score.inputs(),
        }
    }

    fn outputs(&self) -> Vec<&Path> {
        let (load, own) = match self {
            Self::Encoder(request) => (&request.load, Vec::new()),
            Self::Captioner(request) => (&request.load, Vec::new()),
            Self::Score(request) => (&request.load, request.score.outputs()),
        };
        own.into_iter().chain(load.queries.as_deref()).collect()
    }
}

impl Request {
    /// What can be wrong with a request is found before anything is read.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what would do.
    pub fn check(&self) -> Result<(), String> {
        let load = match self {
            Self::Encoder(request) => &request.load,
            Self::Captioner(request) if request.checkpoint.is_empty() => {
                return Err("give the captioner a `checkpoint`".into());
            }
            Self::Captioner(request) => &request.load,
            Self::Score(request) => &request.load,
        };
        // How many items there are is known when they are read.
        load.check(usize::MAX)
    }
}

/// Measures. A run that does not count has a record too, whose `validity` says why.
///
/// # Errors
/// A request that makes no sense; a target that cannot be opened.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    request.check().map_err(JobError::Usage)?;
    request.keep_apart([])?;
    match request {
        Request::Encoder(request) => encoder::run(request, session),
        Request::Captioner(request) => captioner::run(request, session),
        Request::Score(request) => score::run(request, session),
    }
}

/// A target as a record describes it.
struct Description {
    /// When the job began.
    began: Instant,
    /// The machine, as it was then.
    host: Host,
    encoder: Option<EncoderInfo>,
    checkpoint: Option<CheckpointInfo>,
    inputs: Vec<Input>,
    /// Hash of the items that queries are made of.
    items_sha256: String,
    /// Settings by flag name, besides those of the load.
    settings: BTreeMap<String, Value>,
}

/// Puts a target under a load and answers the record.
fn measure(
    target: &mut dyn Target,
    subject: &Subject,
    load: &Load,
    description: Description,
    session: &Session,
) -> Result<Record, JobError> {
    let items = target.items();
    let running = Instant::now();
    let results = put_under_load(target, subject, load, &description.host, session)?;
    let seconds = [
        ("load", subject.load_seconds),
        ("bench", Some(running.elapsed().as_secs_f64())),
        ("total", Some(description.began.elapsed().as_secs_f64())),
    ];
    let timings = seconds.into_iter();
    let timings = timings.filter_map(|(step, seconds)| Some((step.to_owned(), seconds?)));
    let mut settings = load.settings(subject, items);
    settings.extend(description.settings.clone());
    let origin = Origin {
        comparability: comparability(&results, &description, &settings),
        host: description.host,
        encoder: description.encoder,
        checkpoint: description.checkpoint,
        inputs: description.inputs,
        settings,
        findings: Vec::new(),
        timings: timings.collect(),
    };
    Ok(provenance::record(origin, Results::Bench(Box::new(results))))
}

/// Runs the scenario and everything that is measured around it.
fn put_under_load(
    target: &mut dyn Target,
    subject: &Subject,
    load: &Load,
    host: &Host,
    session: &Session,
) -> Result<BenchResults, JobError> {
    let items = target.items();
    let samples_file = load.queries.as_deref().map(file::Output::create).transpose()?;
    let limits = load.limits(subject);
    let clock = WallClock::new();
    let overhead = queries::overhead(&clock);
    let bar = session.progress.begin("measuring", "%", 100);
    let harness = Harness {
        clock: &clock,
        limits,
        seed: load.seed,
        stop: &*session.interrupt,
        progress: &|share| bar.set((100.0 * share) as u64, 100),
    };
    // Who listens for the interrupt does so from here on.
    (session.interrupt)();
    let batch = load.batch(subject, items);
    let (mut server, mut unsettled, mut cells) = (None, None, Vec::new());
    let samples = match load.scenario {
        Scenario::Single => queries::single(target, batch, &harness),
        Scenario::Offline => queries::offline(target, &harness),
        Scenario::Server => {
            let service = Service { bound: load.bound(subject), batch };
            let run = match load.rate {
                Some(rate) => server::at_rate(target, rate, &service, &harness),
                None => search(target, &service, &harness),
            };
            unsettled = run.unsettled;
            server = Some(Server {
                bound_seconds: service.bound,
                seed: load.seed,
                given_rate: load.rate,
                highest_rate: run.highest_rate,
                points: run.points,
            });
            run.samples
        }
        Scenario::Sweep => {
            let (found, samples) = sweep(target, &load.grid(subject, items), &harness)
                .map_err(|error| JobError::Failed(error.into()))?;
            cells = found;
            samples
        }
    };
    drop(bar);
    // Before the ceilings, whose own memory is not the target's.
    let peak_memory_bytes = (subject.peak_memory)();
    let ceilings = match subject.has_ceilings && load.scenario != Scenario::Sweep {
        true => Some(ceilings::measure(CEILINGS).map_err(|error| JobError::Failed(error.into()))?),
        false => None,
    };
    if let Some(mut file) = samples_file {
        samples.write(&mut file).map_err(JobError::at(file.path()))?;
        file.commit()?;
    }
    Ok(results(Run {
        target: subject.target,
        scenario: load.scenario,
        item: subject.item,
        items_per_query: batch,
        samples: &samples,
        server,
        unsettled,
        sweep: cells,
        ceilings,
        peak_memory_bytes,
        load_seconds: subject.load_seconds,
        overhead,
        limits: &limits,
        host,
    }))
}

/// Speeds are compared where target, scenario, model, items, threads and load are the same; how long was measured does
/// not matter, and the machine is looked at apart.
fn comparability(
    results: &BenchResults,
    description: &Description,
    settings: &BTreeMap<String, Value>,
) -> Comparability {
    let encoder = description.encoder.as_ref();
    let mut comparability = provenance::comparability(encoder, description.items_sha256.clone());
    comparability.metric_version = DEFINITION_VERSION;
    let length = ["duration", "min-queries", "warm-up"];
    let mut digest = provenance::digest(&comparability)
        .field("target", results.target.name())
        .field("engine", encoder.map_or("", |encoder| &encoder.engine))
        .field("threads", description.host.threads.to_string());
    if let Some(checkpoint) = &description.checkpoint {
        let adapter = checkpoint.adapter.as_ref().map_or("", |(_, sha256)| sha256);
        digest = digest
            .field("checkpoint", &checkpoint.sha256)
            .field("adapter", adapter)
            .field("dtype", &checkpoint.dtype)
            .field("device", &checkpoint.device);
    }
    let load = settings.iter().filter(|(flag, _)| !length.contains(&flag.as_str()));
    let digest = load.fold(digest, |all, (flag, value)| all.field(flag, value.to_string()));
    comparability.key = provenance::key(digest);
    comparability
}

/// Hash of items, in their order.
fn items_sha256<'a>(items: impl Iterator<Item = &'a [u8]>) -> String {
    let mut digest = Digest::default();
    items.for_each(|item| digest.push(item));
    digest.finish()
}

/// A file or folder as it stands in the record.
fn input(role: &str, path: &Path, sha256: String, rows: u64) -> Input {
    Input { role: role.into(), name: stem(path), path: path.display().to_string(), sha256, rows }
}

/// Items are held in memory: more is a typing error.
const MOST_ITEMS: usize = 100_000_000;

fn check_items(items: Option<usize>) -> Result<(), JobError> {
    match items {
        Some(items) if items > MOST_ITEMS => {
            Err(JobError::usage(format!("--items {items}: give at most {MOST_ITEMS}")))
        }
        Some(0) => Err(JobError::usage("--items 0: a query needs something to ask about")),
        _ => Ok(()),
    }
}
