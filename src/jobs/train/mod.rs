//! LoRA fine-tuning of a captioner's language model: captions and features in, PEFT adapters and a record out.
//!
//! A run is a directory: `request.json` (what was asked), `metrics.jsonl` (one line per step and evaluation), `tensorboard/` (the
//! same), `last/` (the newest adapter and all that is needed to go on), `best/` (the adapter that was judged best), `step-N/` where
//! wanted, and `record.json` in the end. The same request goes on where it was, to the bit: `material` is what it is about, `course`
//! the steps, `rest` what comes between them, `judge` says what they are worth.

mod announce;
mod course;
mod distill;
mod judge;
pub(crate) mod learnable;
mod material;
mod metrics;
mod request;
mod rest;
mod results;
mod self_critical;
mod tensorboard;
mod tracking;

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use fgd_captioner::features::FeaturesCache;
use fgd_captioner::train::{Batches, Order, Trainer, saved};
use fgd_captioner::weights::{Adapter, TensorFiles};
use fgd_captioner::{LoadOptions, parse_device};
use fgd_encoder::EngineKind;
use fgd_record::{Record, Results};
use fgd_store::digest::Digest;
use fgd_store::{file, hub};

use super::caption::Checkpoint;
use super::{JobError, Session};
use crate::host;
use course::Course;
use judge::Judge;
use material::Material;
use metrics::Metrics;
use self_critical::SelfCritical;
use tracking::Trackers;

pub use distill::Distill;
pub use fgd_captioner::train::features::LIST as FEATURES_LIST;
pub use judge::Judging;
pub use request::{EXAMPLE, Objective, Request, Watching};
pub use self_critical::Scst;
pub use tracking::Tracking;

/// The files and folders of a run.
const REQUEST: &str = "request.json";
const METRICS: &str = "metrics.jsonl";
/// The record of a finished run.
pub const RECORD: &str = "record.json";
const LAST: &str = "last";
const BEST: &str = "best";
/// The adapter that draws captions, at the step in flight.
const DRAWING: &str = "drawing";

/// Trains, going on from an earlier run of the same request, and writes the run's record.
///
/// # Errors
/// Settings without a meaning; captions, features, a checkpoint or a run that cannot be used; a loss that is not finite; an
/// interrupt, behind which the same request goes on.
pub fn run(request: &Request, session: &mut Session) -> Result<Record, JobError> {
    request.check()?;
    let host = host::describe();
    let begin = Instant::now();
    let device = parse_device(&request.device)?;
    let _others_are_refused = hold_output(request)?;
    let mut texts = material::Texts::read(request, session)?;
    let options = LoadOptions { precision: request.dtype, device };
    let checkpoint = base_checkpoint(request, &options, session)?;
    let captioner = checkpoint.load(options, session)?.without_eyes();
    let features = FeaturesCache::open(&request.features, captioner.identity())?;
    let material = Material::new(request, &texts, &captioner)?;
    let batches = Batches::new(&captioner, features, &request.prompt)?;
    for data in [Some(&material.train), material.validation.as_ref()].into_iter().flatten() {
        batches.check(data)?;
    }
    texts.note_unwritable(&material.train, captioner.tokenizer().unknown(), session);
    let images = material.train.captions.iter().map(|caption| caption.image).collect();
    let seed = request.learning.seed;
    let mut order = Order::new(&request.order, images, seed)?;
    let mut trainer = Trainer::new(&captioner, request.learning.clone(), order.steps())?;
    trainer.keep(host::room(&host).unwrap_or(0) as usize);
    let adapter = adopted(request, &mut trainer, session)?;
    let id = identity(request, &captioner, &material, &adapter)?;
    let last = request.output.join(LAST);
    let goes_on = last.join(saved::STATE).exists();
    if goes_on {
        let (lora, optimizer) = trainer.state_mut();
        saved::read_state(&last, lora, optimizer, &id)?;
    }
    let first = trainer.step_count();
    if !goes_on {
        // What ended here before was another run.
        forget(&request.output.join(RECORD))?;
    } else if let Some((record, best)) = finished(request, first) {
        if let Some(step) = best {
            adapter_is_there(&request.output.join(BEST), step)?;
        }
        session.progress.say(&format!("nothing is left to do after step {first}"));
        return Ok(record);
    }
    let text =
        serde_json::to_string_pretty(request).map_err(|error| JobError::because(REQUEST, error))?;
    file::write(&request.output.join(REQUEST), text.as_bytes())?;
    let trackers = Trackers::begin(request, session)?;
    let metrics = Metrics::open(&request.output.join(METRICS), goes_on.then_some(first), trackers)?;
    if let Some(best) = metrics.best() {
        adapter_is_there(&request.output.join(BEST), best.step)?;
    }
    if goes_on {
        session.progress.say(&format!("going on after step {first} of {}", order.steps()));
    }
    let loaded = begin.elapsed().as_secs_f64();
    let judge = match &request.watching.judging {
        Some(judging) => Some(Judge::new(request, judging, &checkpoint, &captioner, session)?),
        None => None,
    };
    let self_critical = match (request.objective, &request.watching.judging) {
        (Objective::Scst, Some(Judging { encoding, .. })) => Some(SelfCritical {
            scst: &request.scst,
            checkpoint: &checkpoint,
            options: captioner.options().clone(),
            encoding,
            prompt: captioner.tokenizer().encode(&request.prompt)?,
            seed,
            adapter: request.output.join(DRAWING),
            references: texts.mean_embeddings(&material.train, encoding, session)?,
        }),
        _ => None,
    };
    let course = Course {
        request,
        self_critical,
        judge,
        base: &base_name(request, &checkpoint)?,
        id: &id,
        material: &material,
        batches,
        metrics,
        begin: Instant::now(),
    };
    let cost = course.announce(&trainer, &order, &captioner, &host, session)?;
    let outcome = course.run(&mut trainer, &mut order, session)?;
    let info = checkpoint.info(&captioner, &request.device);
    let record = results::record(results::Whole {
        request,
        host,
        checkpoint: info,
        texts: &texts,
        material: &material,
        trainer: &trainer,
        order: &order,
        outcome,
        resumed: first,
        cost,
        load_seconds: loaded,
    });
    file::write(&request.output.join(RECORD), record.to_json().as_bytes())?;
    Ok(record)
}

/// The checkpoint that an adapter is trained for.
fn base_checkpoint(
    request: &Request,
    options: &LoadOptions,
    session: &Session,
) -> Result<Checkpoint, JobError> {
    let checkpoint = Checkpoint::resolve(&request.checkpoint, None, session)?;
    if checkpoint.adapter.is_some() {
        let name = &request.checkpoint;
        return Err(JobError::usage(format!(
            "{name}: is an adapter; give its base as --checkpoint and this as --adapter"
        )));
    }
    checkpoint.check(options)?;
    Ok(checkpoint)
}

/// Begins with the adapter that was given; its hash, or nothing where there is none.
fn adopted(
    request: &Request,
    trainer: &mut Trainer,
    session: &Session,
) -> Result<String, JobError> {
    let Some(name) = &request.adapter else { return Ok(String::new()) };
    let found = hub::resolve(name, hub::Kind::Adapter, &session.settings.hub)?;
    trainer.lora_mut().adopt(&found.dir)?;
    Ok(Adapter::read(&found.dir, &TensorFiles::none())?.sha256(|_| true))
}

/// What the adapter calls its base, as PEFT does: by its id what is found on the Hub, or where it lies.
fn base_name(request: &Request, checkpoint: &Checkpoint) -> Result<String, JobError> {
    let given = Path::new(&request.checkpoint);
    match given.is_dir() {
        true => Ok(std::path::absolute(given).map_err(JobError::at(given))?.display().to_string()),
        false => Ok(checkpoint.base.id.clone()),
    }
}

/// Makes the run's folder and keeps other processes out of it.
fn hold_output(request: &Request) -> Result<File, JobError> {
    let output = &request.output;
    std::fs::create_dir_all(output).map_err(JobError::no_folder(output))?;
    Ok(fgd_store::lock::hold_folder(output)?)
}

/// The best adapter was written before what says that it is the best.
fn adapter_is_there(best: &Path, step: usize) -> Result<(), JobError> {
    if best.join(saved::TENSORS).is_file() {
        return Ok(());
    }
    let best = best.display();
    Err(JobError::usage(format!(
        "{best}: the adapter of step {step}, the best of this run, is gone: put it back, or train into another folder"
    )))
}

/// Takes a file away, where it is.
fn forget(path: &Path) -> Result<(), JobError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(JobError::at(path)(error))
        }
        _ => Ok(()),
    }
}

/// The record of the run, whose state is that of `steps` steps, and its best step, if nothing is left to do: it has the speeds that
/// nobody measures any more. Other settings that decide no number, as how often it saves, make no other run of it.
fn finished(request: &Request, steps: usize) -> Option<(Record, Option<usize>)> {
    let record = super::saved::read(&request.output.join(RECORD)).ok()?;
    let Results::Train(results) = &record.results else { return None };
    let validations = results.validation.iter().map(|point| (point.step, point.is_poorer));
    let has_ended = results.steps == results.planned_steps
        || rest::gives_up(request.watching.patience, results.best_step, validations);
    let best = results.best_step.map(|step| step as usize);
    (results.steps == steps as u64 && has_ended).then_some((record, best))
}

/// What decides the numbers of a validation's captions.
fn judged_by(judging: &Judging) -> (&str, EngineKind, Option<usize>, usize) {
    let Judging { encoding, max_new_tokens } = judging;
    (&encoding.encoder, encoding.engine, encoding.max_length, *max_new_tokens)
}

/// How draws are rewarded, where they are.
fn rewards(request: &Request) -> Option<&Scst> {
    (request.objective == Objective::Scst).then_some(&request.scst)
}

/// All that decides the numbers: a state is read back for no other run.
fn identity(
    request: &Request,
    captioner: &fgd_captioner::Captioner,
    material: &Material,
    adapter: &str,
) -> Result<String, JobError> {
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| JobError::because("settings", error))
    };
    let identity = captioner.identity();
    Ok(Digest::new("training", 1)
        .field("checkpoint", &identity.checkpoint_sha256)
        .field("config", &identity.config_sha256)
        .field("features", &identity.frozen_sha256)
        .field("adapter", adapter)
        .field("prompt", &request.prompt)
        .field("captions", material.train.sha256())
        .field(
            "validation",
            material.validation.as_ref().map(|data| data.sha256()).unwrap_or_default(),
        )
        .field("learning", json(serde_json::to_string(&request.learning))?)
        .field("order", json(serde_json::to_string(&request.order))?)
        .field("objective", json(serde_json::to_string(&(request.objective, rewards(request))))?)
        // Validations of one run are of one encoder, one length of captions and one figure.
        .field("judging", json(serde_json::to_string(&request.watching.judging.as_ref().map(judged_by)))?)
        .finish())
}
