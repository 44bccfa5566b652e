//! A run of a captioner.

use super::*;

/// A captioner's run with a broken image and an earlier run behind it.
pub fn captioning() -> CaptionResults {
    CaptionResults {
        images: 3771,
        captions: 3769,
        captions_sha256: None,
        resumed: 1200,
        tokens: 79_210,
        failures: vec![
            CaptionFailure {
                image_id: "000311.jpg".into(),
                reason: "broken image: unexpected end of file".into(),
            },
            CaptionFailure {
                image_id: "<b>.png".into(),
                reason: "not an image; supported are JPEG, PNG, WebP and GIF".into(),
            },
        ],
        batch: 16,
        cached_features: 1024,
        load_seconds: 41.52,
        seconds: 118.4,
        stages: CaptionStages { preprocess: 1.31, vision: 48.2, language: 67.9 },
        images_per_second: Measure::exact(21.73),
        tokens_per_second: Measure::exact(456.2),
        caption_ms: Some(CaptionMilliseconds {
            captions: 3769,
            mean: 45.2,
            p50: 44.5,
            p90: 50.1,
            p99: Some(70.0),
            max: 131.7,
        }),
        peak_memory_bytes: Some(9_663_676_416),
    }
}

pub fn checkpoint() -> CheckpointInfo {
    CheckpointInfo {
        id: "Salesforce/blip2-flan-t5-xl".into(),
        revision: None,
        sha256: "d4".repeat(32),
        adapter: Some(("blip2-lora".into(), "e5".repeat(32))),
        dtype: "bf16".into(),
        device: "cuda:0".into(),
    }
}

/// A run of a checkpoint with an adapter.
pub fn caption() -> Record {
    let mut record = record(Results::Caption(Box::new(captioning())), "");
    record.encoder = None;
    record.checkpoint = Some(checkpoint());
    record.inputs = vec![input("images", "photos", 3771)];
    record.settings = [
        ("prompt".to_string(), json!("Provide a detailed caption for this photo.")),
        ("generation".to_string(), json!({ "max_new_tokens": 30, "num_beams": 1 })),
    ]
    .into();
    record.comparability = Comparability {
        key: "c157a79031e1c40f".into(),
        encoder_sha256: None,
        tokenizer: None,
        config: None,
        precision: "bf16".into(),
        pooling: None,
        max_length: None,
        references_sha256: None,
        metric_version: 1,
    };
    record.signature = "fgd:0.1.0|checkpoint:Salesforce/blip2-flan-t5-xl|weights:d4d4d4d4|adapter:e5e5e5e5|bf16|cuda:0|images:c3c3c3c3|key:c157a79031e1c40f".into();
    record
}
