//! A run in numbers, as its record has them.

use std::collections::BTreeMap;

use fgd_captioner::train::cost::Cost;
use fgd_captioner::train::{Order, Trainer};
use fgd_record::{
    CheckpointInfo, Comparability, Host, Measure, Record, Results, TrainExample, TrainPoint,
    TrainResults, TrainValidation,
};
use fgd_store::digest::Digest;
use serde_json::{Value, json};

use super::course::Outcome;
use super::material::{Material, Texts};
use super::metrics::Line;
use super::{Objective, Request};
use crate::host;
use crate::jobs::METRIC_VERSION;
use crate::jobs::provenance::{self, Origin};

/// Points of the curve in a record: as many as a picture shows.
const POINTS: usize = 200;

/// All that a record tells of.
pub struct Whole<'a> {
    pub request: &'a Request,
    pub host: Host,
    pub checkpoint: CheckpointInfo,
    pub texts: &'a Texts,
    pub material: &'a Material,
    pub trainer: &'a Trainer<'a>,
    pub order: &'a Order<'a>,
    pub outcome: Outcome,
    /// Steps that were there before.
    pub resumed: usize,
    pub cost: Cost,
    pub load_seconds: f64,
}

/// The record of a run.
pub fn record(whole: Whole) -> Record {
    let Whole { request, outcome, trainer, order, material, .. } = &whole;
    let fresh = trainer.step_count() - whole.resumed;
    let results = TrainResults {
        steps: trainer.step_count() as u64,
        planned_steps: order.steps() as u64,
        resumed_steps: whole.resumed as u64,
        epochs: trainer.step_count() as f64 / order.steps_per_epoch() as f64,
        captions: material.train.captions.len() as u64,
        images: material.train.images.len() as u64,
        tokens: material.train.tokens() as u64,
        sources: whole.texts.sources(),
        validation_captions: material.validation.as_ref().map(|data| data.captions.len() as u64),
        modules: trainer.lora().modules().len() as u64,
        parameters: trainer.lora().parameters() as u64,
        curve: curve(&outcome.lines),
        validation: outcome.lines.iter().filter_map(validation).collect(),
        examples: examples(outcome, whole.texts),
        best_step: outcome.best.map(|step| step as u64),
        step_gflop: whole.cost.step_flop / 1e9,
        load_seconds: whole.load_seconds,
        seconds: outcome.seconds,
        seconds_per_step: rate(fresh, outcome.train_seconds / fresh.max(1) as f64),
        tokens_per_second: rate(fresh, outcome.tokens as f64 / outcome.train_seconds),
        peak_memory_bytes: host::peak_memory_bytes(),
    };
    let settings = settings(request);
    let key = [("checkpoint", &whole.checkpoint.sha256)]
        .iter()
        .fold(Digest::new("training's comparability", METRIC_VERSION), |key, (name, value)| {
            key.field(name, value)
        })
        .field("encoder", outcome.encoder.as_ref().map_or("", |encoder| &encoder.sha256))
        .field("validation", material.validation.as_ref().map_or_else(String::new, |v| v.sha256()));
    let timings = BTreeMap::from([
        ("load".to_owned(), results.load_seconds),
        ("train".to_owned(), outcome.train_seconds),
        ("total".to_owned(), results.load_seconds + results.seconds),
    ]);
    let origin = Origin {
        host: whole.host.clone(),
        encoder: outcome.encoder.clone(),
        comparability: Comparability {
            key: provenance::key(key),
            encoder_sha256: outcome.encoder.as_ref().map(|encoder| encoder.sha256.clone()),
            tokenizer: outcome.encoder.as_ref().and_then(|encoder| encoder.tokenizer.clone()),
            config: outcome.encoder.as_ref().and_then(|encoder| encoder.config.clone()),
            precision: whole.checkpoint.dtype.clone(),
            pooling: None,
            max_length: None,
            references_sha256: None,
            metric_version: METRIC_VERSION,
        },
        checkpoint: Some(whole.checkpoint.clone()),
        inputs: whole.texts.inputs(),
        settings,
        findings: whole.texts.findings.clone(),
        timings,
    };
    provenance::record(origin, Results::Train(Box::new(results)))
}

fn rate(fresh: usize, value: f64) -> Measure {
    match fresh > 0 && value.is_finite() {
        true => Measure::exact(value),
        false => Measure::missing("this run took no step"),
    }
}

/// The settings, by the names of the request.
fn settings(request: &Request) -> BTreeMap<String, Value> {
    let all = json!({
        "prompt": request.prompt,
        "learning": request.learning,
        "order": request.order,
        "objective": request.objective,
        "device": request.device,
        "scst": (request.objective == Objective::Scst).then_some(&request.scst),
        "distill": (request.objective == Objective::Distill).then_some(&request.distill),
        "watching": request.watching,
        "adapter": request.adapter,
        "lenient": request.lenient,
    });
    match all {
        Value::Object(map) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

fn validation(line: &Line) -> Option<TrainValidation> {
    let paired = line.fgd_paired.map(|value| {
        match (line.fgd_paired_se, line.fgd_paired_low, line.fgd_paired_high) {
            (Some(se), Some(low), Some(high)) => Measure::estimated(value, se, [low, high]),
            _ => Measure::exact(value),
        }
    });
    Some(TrainValidation {
        step: line.step as u64,
        loss: line.eval_loss?,
        fgd_paired: paired,
        fgd_set: line.fgd_set,
        cider_d: line.cider_d,
        p_value: line.p_value,
        broken_captions: line.broken.map(|count| count as u64),
        distinct_words: line.distinct_words.map(|count| count as u64),
        is_poorer: line.is_poorer,
    })
}

fn examples(outcome: &Outcome, texts: &Texts) -> Vec<TrainExample> {
    let examples = outcome.examples.iter();
    examples
        .map(|(id, [before, now])| TrainExample {
            image_id: id.clone(),
            before: before.clone(),
            now: now.clone(),
            reference: texts.reference(id).unwrap_or_default().to_owned(),
        })
        .collect()
}

/// The steps' lines, the mean of some neighbours each where there are many.
fn curve(lines: &[Line]) -> Vec<TrainPoint> {
    let steps: Vec<(&Line, [f64; 3])> = lines
        .iter()
        .filter_map(|line| Some((line, [line.loss?, line.grad_norm?, line.learning_rate?])))
        .collect();
    let group = steps.len().div_ceil(POINTS).max(1);
    steps
        .chunks(group)
        .map(|group| {
            let mean = |which: usize| {
                group.iter().map(|(_, values)| values[which]).sum::<f64>() / group.len() as f64
            };
            let mut sources: BTreeMap<String, Vec<f64>> = BTreeMap::new();
            for (source, loss) in group.iter().flat_map(|(line, _)| &line.by_source) {
                sources.entry(source.clone()).or_default().push(*loss);
            }
            let of_all = |losses: Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
            TrainPoint {
                step: group.last().map_or(0, |(line, _)| line.step as u64),
                loss: mean(0),
                sources: sources.into_iter().map(|(name, losses)| (name, of_all(losses))).collect(),
                grad_norm: mean(1),
                learning_rate: mean(2),
            }
        })
        .collect()
}
