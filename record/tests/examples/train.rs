//! A fine-tuning.

use super::*;

/// One that went on after a stop and ended early.
pub fn train() -> Record {
    let point = |step: u64| {
        let t = step as f64 / 600.0;
        TrainPoint {
            step,
            loss: 1.4 + 1.9 * (-4.0 * t).exp(),
            sources: [
                ("real".to_owned(), 1.5 + 1.9 * (-4.0 * t).exp()),
                ("synthetic".to_owned(), 1.2 + 1.9 * (-4.0 * t).exp()),
            ]
            .into(),
            grad_norm: 0.6 + 2.0 * (-6.0 * t).exp(),
            learning_rate: 1.5e-5 * (1.0 + (std::f64::consts::PI * t / 2.0).cos()),
        }
    };
    let validation = |step: u64, loss: f64, fgd: f64, p_value: Option<f64>| TrainValidation {
        step,
        loss,
        fgd_paired: Some(Measure::estimated(fgd, 0.0021, [fgd - 0.0041, fgd + 0.0041])),
        fgd_set: Some(fgd / 3.0),
        cider_d: Some(1.4 - 3.0 * fgd),
        p_value,
        broken_captions: Some(u64::from(step == 0)),
        distinct_words: Some(1214 - step / 2),
        is_poorer: None,
    };
    let results = TrainResults {
        steps: 600,
        planned_steps: 1336,
        resumed_steps: 334,
        epochs: 1.796,
        captions: 21_367,
        images: 4411,
        tokens: 587_592,
        sources: [("real".to_owned(), 14_245), ("synthetic".to_owned(), 7122)].into(),
        validation_captions: Some(3771),
        modules: 216,
        parameters: 113_246_208,
        curve: (1..=60).map(|at| point(10 * at)).collect(),
        validation: vec![
            validation(0, 3.312, 0.2243, None),
            validation(334, 1.5021, 0.1702, Some(0.0001)),
            validation(500, 1.4893, 0.1661, Some(0.012)),
            validation(600, 1.4917, 0.1664, Some(0.71)),
        ],
        best_step: Some(500),
        examples: vec![TrainExample {
            image_id: "000311.jpg".into(),
            before: "a picture".into(),
            now: HOSTILE.into(),
            reference: "A red bus in a street.".into(),
        }],
        step_gflop: 39_232.0,
        load_seconds: 41.5,
        seconds: 28_142.7,
        seconds_per_step: Measure::exact(105.8),
        tokens_per_second: Measure::exact(16.63),
        peak_memory_bytes: Some(9_663_676_416),
    };
    let mut record = record(Results::Train(Box::new(results)), "");
    record.checkpoint =
        Some(CheckpointInfo { adapter: None, device: "cpu".into(), ..caption::checkpoint() });
    record.inputs = vec![input("captions", "train", 21_367), input("validation", "val", 3771)];
    record.settings = [("learning".to_string(), json!({ "lora": { "r": 128 }, "seed": 0 }))].into();
    record.signature = "fgd:0.1.0|train:v1|checkpoint:Salesforce/blip2-flan-t5-xl|weights:d4d4d4d4|bf16|cpu|captions:c3c3c3c3|key:c157a79031e1c40f".into();
    record
}
