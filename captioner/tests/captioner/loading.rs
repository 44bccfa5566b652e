//! Loading: every form a checkpoint comes in.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use fgd_captioner::{Captioner, LoadOptions, Precision, SpecialTokens};
use fgd_kernels::Level;
use serde_json::{Value, json};

use super::checkpoint::*;

#[test]
fn one_file_is_the_same_as_its_shards() {
    let single = checkpoint(|_| {});
    let single = load(single.path(), None, Precision::F32).unwrap();
    let sharded = load(&tiny("base"), None, Precision::F32).unwrap();
    assert_eq!(single.identity(), sharded.identity());
    assert_eq!(logits(&single), logits(&sharded));
}

#[test]
fn half_precision_files_widen_exactly() {
    for dtype in [DType::F16, DType::BF16] {
        let round = |t: &Tensor| t.to_dtype(dtype).unwrap();
        let stored = checkpoint(|all| all.values_mut().for_each(|t| *t = round(t)));
        let widened = checkpoint(|all| {
            all.values_mut().for_each(|t| *t = round(t).to_dtype(DType::F32).unwrap())
        });
        let stored = logits(&load(stored.path(), None, Precision::F32).unwrap());
        let widened = logits(&load(widened.path(), None, Precision::F32).unwrap());
        let difference = largest_difference(&stored, &widened);
        assert!(difference < 1e-4, "{dtype:?}: differs by {difference}");
    }
}

#[test]
fn lower_precisions_stay_near_and_are_not_the_same() {
    let exact = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    let largest = exact.iter().fold(0f32, |m, v| m.max(v.abs()));
    for (precision, most) in [(Precision::Bf16, 0.05), (Precision::Q8, 0.15)] {
        let rounded = logits(&load(&tiny("base"), None, precision).unwrap());
        let difference = largest_difference(&exact, &rounded);
        assert!(
            difference > 1e-4 && difference < most * largest,
            "{precision:?}: {difference} of {largest}"
        );
    }
}

/// Rounding weights to bf16 changes nothing in a checkpoint of bf16; where the CPU multiplies bf16, what is multiplied with
/// them is rounded too, whatever the checkpoint.
#[test]
fn a_bf16_checkpoint_needs_no_rounding() {
    let rounded = |all: &mut HashMap<String, Tensor>, dtype: DType| {
        let round = |t: &Tensor| t.to_dtype(DType::BF16).unwrap().to_dtype(dtype).unwrap();
        all.values_mut().for_each(|t| *t = round(t));
    };
    let stored = checkpoint(|all| rounded(all, DType::BF16));
    let widened = checkpoint(|all| rounded(all, DType::F32));
    let [a, b] =
        [&stored, &widened].map(|dir| logits(&load(dir.path(), None, Precision::Bf16).unwrap()));
    assert_eq!(a, b);
    let exact = logits(&load(stored.path(), None, Precision::F32).unwrap());
    assert_eq!(a == exact, !Level::current().has_bf16());
}

#[test]
fn aliases_and_buffers_of_old_checkpoints_are_no_problem() {
    let dir = checkpoint(|all| {
        let shared = all["language_model.shared.weight"].clone();
        all.insert("language_model.encoder.embed_tokens.weight".into(), shared.clone());
        all.insert("language_model.decoder.embed_tokens.weight".into(), shared);
        let ids = Tensor::zeros((1, 4), DType::I64, &Device::Cpu).unwrap();
        all.insert("qformer.embeddings.position_ids".into(), ids);
    });
    load(dir.path(), None, Precision::F32).unwrap();
}

#[test]
fn tied_checkpoints_use_the_embedding_as_output_layer() {
    let tied = checkpoint(|all| {
        all.remove("language_model.lm_head.weight");
    });
    let copied = checkpoint(|all| {
        let shared = all["language_model.shared.weight"].clone();
        all.insert("language_model.lm_head.weight".into(), shared);
    });
    let tied = logits(&load(tied.path(), None, Precision::F32).unwrap());
    assert_eq!(tied, logits(&load(copied.path(), None, Precision::F32).unwrap()));
}

#[test]
fn logits_are_scaled_as_the_configuration_says() {
    let plain = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    let with = |change: fn(&mut Value)| {
        let dir = checkpoint(|_| {});
        edit_json(&dir.path().join("config.json"), |config| change(&mut config["text_config"]));
        logits(&load(dir.path(), None, Precision::F32).unwrap())
    };
    let scaled = with(|text| text["scale_decoder_outputs"] = json!(true));
    let expected: Vec<f32> = plain.iter().map(|v| v / 40f32.sqrt()).collect();
    assert!(largest_difference(&scaled, &expected) < 1e-4);
    // Old files say it through tie_word_embeddings.
    let old_tied = with(|text| {
        text.as_object_mut().unwrap().remove("scale_decoder_outputs");
    });
    assert_eq!(old_tied, scaled);
    let old_untied = with(|text| {
        text.as_object_mut().unwrap().remove("scale_decoder_outputs");
        text["tie_word_embeddings"] = json!(false);
    });
    assert_eq!(old_untied, plain);
}

#[test]
fn a_stated_activation_wins_over_the_projections_name() {
    let exact = checkpoint(|_| {});
    edit_json(&exact.path().join("config.json"), |c| {
        c["text_config"]["dense_act_fn"] = json!("gelu")
    });
    let derived = checkpoint(|_| {});
    edit_json(&derived.path().join("config.json"), |c| {
        c["text_config"]["dense_act_fn"] = Value::Null
    });
    let base = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    assert_eq!(logits(&load(derived.path(), None, Precision::F32).unwrap()), base);
    assert!(
        largest_difference(&logits(&load(exact.path(), None, Precision::F32).unwrap()), &base)
            > 1e-5
    );
}

#[test]
fn empty_sub_configurations_mean_the_published_model() {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({ "model_type": "blip-2", "vision_config": {}, "qformer_config": null,
                         "text_config": { "model_type": "t5" } });
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let config = fgd_captioner::config::Config::read(dir.path()).unwrap();
    assert_eq!(
        (config.vision_config.hidden_size, config.vision_config.num_hidden_layers),
        (1408, 39)
    );
    assert_eq!(
        (config.vision_config.intermediate_size, config.vision_config.image_size),
        (6144, 224)
    );
    assert_eq!(
        (config.qformer_config.hidden_size, config.qformer_config.num_hidden_layers),
        (768, 12)
    );
    assert_eq!(
        (config.text_config.vocab_size, config.text_config.num_decoder_layers()),
        (32128, 6)
    );
    assert_eq!((config.num_query_tokens, config.image_token_index), (32, None));
    let special = SpecialTokens::of(&config);
    assert_eq!((special.decoder_start, special.eos, special.pad), (0, vec![1], 0));
}

#[test]
fn a_checkpoint_without_image_token_prepends_the_same_queries() {
    let old = checkpoint(|_| {});
    edit_json(&old.path().join("config.json"), |c| {
        c.as_object_mut().unwrap().remove("image_token_index");
    });
    let base = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    assert_eq!(logits(&load(old.path(), None, Precision::F32).unwrap()), base);
}

#[test]
fn identities_tell_what_differs() {
    let base = load(&tiny("base"), None, Precision::F32).unwrap();
    let merged = load(&tiny("merged"), None, Precision::F32).unwrap();
    let adapted = load(&tiny("base"), Some(&tiny("adapter")), Precision::F32).unwrap();
    let [base, merged, adapted] = [base, merged, adapted].map(|c| c.identity().clone());
    assert_ne!(base.checkpoint_sha256, merged.checkpoint_sha256);
    assert_eq!(base.checkpoint_sha256, adapted.checkpoint_sha256);
    assert_ne!(base.adapter_sha256, adapted.adapter_sha256);
    // A LoRA on the language model leaves the vision features alone.
    assert_eq!(base.frozen_sha256, merged.frozen_sha256);
    assert_eq!(base.frozen_sha256, adapted.frozen_sha256);
}

#[test]
fn progress_reaches_the_whole() {
    let seen = std::cell::RefCell::new(Vec::new());
    Captioner::load(&tiny("base"), None, LoadOptions::default(), &|p| seen.borrow_mut().push(p))
        .unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|p| p.done));
    assert_eq!(seen.last().map(|p| p.done), seen.last().map(|p| p.total));
}
