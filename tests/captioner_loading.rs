//! Loading: every form a checkpoint and an adapter come in, and every way they can be wrong.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use fgd::captioner::{Captioner, Error, GenerationConfig, LoadOptions, Precision, Result};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

fn tiny(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/tiny-blip2")
        .join(part)
}

type Tensors = HashMap<String, Tensor>;

fn tensors_in(dir: &Path) -> Tensors {
    let mut all = Tensors::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            all.extend(candle_core::safetensors::load(path, &Device::Cpu).unwrap());
        }
    }
    all
}

/// The tiny checkpoint in one file, after `change`.
fn checkpoint(change: impl FnOnce(&mut Tensors)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "config.json",
        "generation_config.json",
        "processor_config.json",
        "tokenizer.json",
    ] {
        std::fs::copy(tiny("base").join(name), dir.path().join(name)).unwrap();
    }
    let mut tensors = tensors_in(&tiny("base"));
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, dir.path().join("model.safetensors")).unwrap();
    dir
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

/// The tiny adapter with another configuration and other tensors.
fn adapter(config: impl FnOnce(&mut Value), change: impl FnOnce(&mut Tensors)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(
        tiny("adapter/adapter_config.json"),
        dir.path().join("adapter_config.json"),
    )
    .unwrap();
    edit_json(&dir.path().join("adapter_config.json"), config);
    let mut tensors = tensors_in(&tiny("adapter"));
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, dir.path().join("adapter_model.safetensors")).unwrap();
    dir
}

fn load(dir: &Path, adapter: Option<&Path>, precision: Precision) -> Result<Captioner> {
    Captioner::load(
        dir,
        adapter,
        LoadOptions {
            precision,
            device: Device::Cpu,
        },
        &|_| {},
    )
}

fn refusal(dir: &Path, adapter: Option<&Path>) -> String {
    match load(dir, adapter, Precision::F32) {
        Ok(_) => panic!("{} was accepted", dir.display()),
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains('\n'), "more than one line: {message}");
            message
        }
    }
}

/// Logits of the first decoder steps for the reference image: one number list that feels every weight.
fn logits(captioner: &Captioner) -> Vec<f32> {
    let pixels =
        candle_core::safetensors::load(tiny("ref_base.safetensors"), &Device::Cpu).unwrap();
    let queries = captioner
        .queries(&captioner.image_tokens(&pixels["pixel_values"]).unwrap())
        .unwrap();
    let prompt = captioner.tokenizer().encode("a dog").unwrap();
    let (embedded, mask) = captioner
        .embed(
            &captioner.project(&queries).unwrap(),
            &[prompt.clone(), prompt],
        )
        .unwrap();
    let t5 = captioner.language_model();
    let mut cache = t5.start(&embedded, mask.as_ref(), 1, 3).unwrap();
    let mut all = Vec::new();
    for ids in [[0, 0], [50, 60], [70, 80]] {
        all.extend(
            t5.step(&ids, &mut cache)
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap(),
        );
    }
    all
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max)
}

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
            all.values_mut()
                .for_each(|t| *t = round(t).to_dtype(DType::F32).unwrap())
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
    for precision in [Precision::Bf16, Precision::Q8] {
        let rounded = logits(&load(&tiny("base"), None, precision).unwrap());
        let difference = largest_difference(&exact, &rounded);
        assert!(
            difference > 1e-4 && difference < 0.1 * largest,
            "{precision:?}: {difference} of {largest}"
        );
    }
}

#[test]
fn rounding_to_bf16_changes_nothing_in_a_bf16_checkpoint() {
    let stored = checkpoint(|all| {
        all.values_mut()
            .for_each(|t| *t = t.to_dtype(DType::BF16).unwrap())
    });
    let a = logits(&load(stored.path(), None, Precision::F32).unwrap());
    assert_eq!(
        a,
        logits(&load(stored.path(), None, Precision::Bf16).unwrap())
    );
}

#[test]
fn every_wrong_tensor_is_listed_at_once() {
    let dir = checkpoint(|all| {
        all.remove("query_tokens");
        all.remove("language_model.decoder.block.1.layer.1.EncDecAttention.k.weight");
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        all.insert(
            "vision_model.encoder.layers.0.mlp.fc1.bias".into(),
            zeros(&[7]),
        );
        all.insert("vision_model.something.weight".into(), zeros(&[2]));
        let ids = Tensor::zeros((32, 6), DType::I64, &Device::Cpu).unwrap();
        all.insert(
            "language_model.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
                .into(),
            ids,
        );
    });
    let message = refusal(dir.path(), None);
    for part in [
        "5 problem(s)",
        "missing query_tokens [1, 4, 32]",
        "missing language_model.decoder.block.1.layer.1.EncDecAttention.k.weight [48, 40]",
        "vision_model.encoder.layers.0.mlp.fc1.bias is [7], expected [96]",
        "unexpected vision_model.something.weight",
        "relative_attention_bias.weight is I64",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
}

#[test]
fn aliases_and_buffers_of_old_checkpoints_are_no_problem() {
    let dir = checkpoint(|all| {
        let shared = all["language_model.shared.weight"].clone();
        all.insert(
            "language_model.encoder.embed_tokens.weight".into(),
            shared.clone(),
        );
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
    assert_eq!(
        tied,
        logits(&load(copied.path(), None, Precision::F32).unwrap())
    );
}

#[test]
fn logits_are_scaled_as_the_configuration_says() {
    let plain = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    let with = |change: fn(&mut Value)| {
        let dir = checkpoint(|_| {});
        edit_json(&dir.path().join("config.json"), |config| {
            change(&mut config["text_config"])
        });
        logits(&load(dir.path(), None, Precision::F32).unwrap())
    };
    let scaled = with(|text| text["scale_decoder_outputs"] = json!(true));
    let expected: Vec<f32> = plain.iter().map(|v| v / 40f32.sqrt()).collect();
    assert!(largest_difference(&scaled, &expected) < 1e-4);
    // Old files say it through tie_word_embeddings.
    let old_tied = with(|text| {
        text.as_object_mut()
            .unwrap()
            .remove("scale_decoder_outputs");
    });
    assert_eq!(old_tied, scaled);
    let old_untied = with(|text| {
        text.as_object_mut()
            .unwrap()
            .remove("scale_decoder_outputs");
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
    assert_eq!(
        logits(&load(derived.path(), None, Precision::F32).unwrap()),
        base
    );
    assert!(
        largest_difference(
            &logits(&load(exact.path(), None, Precision::F32).unwrap()),
            &base
        ) > 1e-5
    );
}

#[test]
fn empty_sub_configurations_mean_the_published_model() {
    let dir = tempfile::tempdir().unwrap();
    let config = json!({ "model_type": "blip-2", "vision_config": {}, "qformer_config": null,
                         "text_config": { "model_type": "t5" } });
    std::fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
    let config = fgd::captioner::config::Config::read(dir.path()).unwrap();
    assert_eq!(
        (
            config.vision_config.hidden_size,
            config.vision_config.num_hidden_layers
        ),
        (1408, 39)
    );
    assert_eq!(
        (
            config.vision_config.intermediate_size,
            config.vision_config.image_size
        ),
        (6144, 224)
    );
    assert_eq!(
        (
            config.qformer_config.hidden_size,
            config.qformer_config.num_hidden_layers
        ),
        (768, 12)
    );
    assert_eq!(
        (
            config.text_config.vocab_size,
            config.text_config.num_decoder_layers()
        ),
        (32128, 6)
    );
    assert_eq!(
        (config.num_query_tokens, config.image_token_index),
        (32, None)
    );
    let special = config.special_tokens(dir.path()).unwrap();
    assert_eq!(
        (special.decoder_start, special.eos, special.pad),
        (0, vec![1], 0)
    );
}

#[test]
fn a_checkpoint_without_image_token_prepends_the_same_queries() {
    let old = checkpoint(|_| {});
    edit_json(&old.path().join("config.json"), |c| {
        c.as_object_mut().unwrap().remove("image_token_index");
    });
    let base = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    assert_eq!(
        logits(&load(old.path(), None, Precision::F32).unwrap()),
        base
    );
}

#[test]
fn unsupported_models_are_refused_by_name() {
    type Edit = fn(&mut Value);
    let edits: [(Edit, &str); 5] = [
        (|c| c["model_type"] = json!("blip"), "\"blip\""),
        (|c| c["text_config"]["model_type"] = json!("opt"), "\"opt\""),
        (
            |c| c["vision_config"]["hidden_act"] = json!("quick_gelu"),
            "quick_gelu",
        ),
        (
            |c| c["vision_config"]["hidden_size"] = json!(0),
            "hidden_size is 0",
        ),
        (
            |c| c["qformer_config"]["num_attention_heads"] = json!(5),
            "not a multiple of 5",
        ),
    ];
    for (edit, expected) in edits {
        let dir = checkpoint(|_| {});
        edit_json(&dir.path().join("config.json"), edit);
        let message = refusal(dir.path(), None);
        assert!(
            message.contains(expected) && message.contains("config.json"),
            "{message}"
        );
    }
}

#[test]
fn absent_files_are_named() {
    let dir = checkpoint(|_| {});
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    assert!(refusal(dir.path(), None).contains("tokenizer.json"));
    let dir = checkpoint(|_| {});
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert!(refusal(dir.path(), None).contains("no model.safetensors"));
    std::fs::write(dir.path().join("pytorch_model.bin"), b"").unwrap();
    assert!(refusal(dir.path(), None).contains("convert it to safetensors"));
    let index = json!({ "weight_map": { "a": "model-1.safetensors", "b": "model-2.safetensors" } });
    std::fs::write(
        dir.path().join("model.safetensors.index.json"),
        index.to_string(),
    )
    .unwrap();
    assert!(refusal(dir.path(), None).contains("2 of 2 shards are not here"));
    let index = json!({ "weight_map": { "a": "../model.safetensors" } });
    std::fs::write(
        dir.path().join("model.safetensors.index.json"),
        index.to_string(),
    )
    .unwrap();
    assert!(refusal(dir.path(), None).contains("not a plain file name"));
    assert!(refusal(&tiny("adapter"), None).contains("config.json"));
}

#[test]
fn files_cut_anywhere_are_errors() {
    let dir = checkpoint(|_| {});
    let path = dir.path().join("model.safetensors");
    let whole = std::fs::read(&path).unwrap();
    for length in [0, 1, 7, 8, 9, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let message = refusal(dir.path(), None);
        assert!(
            message.contains("model.safetensors"),
            "{length} bytes: {message}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A damaged header is an error or harmless, never a panic.
    #[test]
    fn damaged_headers_never_panic(at in 0usize..4000, value: u8) {
        let dir = checkpoint(|_| {});
        let path = dir.path().join("model.safetensors");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[at] = value;
        std::fs::write(&path, bytes).unwrap();
        let _ = load(dir.path(), None, Precision::F32);
    }

    /// So is a damaged configuration.
    #[test]
    fn damaged_configurations_never_panic(at in 0usize..1900, value in 32u8..127) {
        let dir = checkpoint(|_| {});
        let path = dir.path().join("config.json");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = at % bytes.len();
        bytes[at] = value;
        std::fs::write(&path, bytes).unwrap();
        let _ = load(dir.path(), None, Precision::F32);
    }
}

fn scaled(all: &mut Tensors, tail: &str, factor: f64) {
    for (name, tensor) in all.iter_mut() {
        if name.ends_with(tail) {
            *tensor = (&*tensor * factor).unwrap();
        }
    }
}

fn adapted(dir: &TempDir) -> Vec<f32> {
    logits(&load(&tiny("base"), Some(dir.path()), Precision::F32).unwrap())
}

#[test]
fn adapter_scales_follow_peft() {
    let plain = adapted(&adapter(|_| {}, |_| {}));
    let base = logits(&load(&tiny("base"), None, Precision::F32).unwrap());
    assert!(largest_difference(&plain, &base) > 1e-3);

    let doubled = adapted(&adapter(
        |c| c["alpha_pattern"] = json!({ "q": 32 }),
        |_| {},
    ));
    let by_hand = adapted(&adapter(|_| {}, |all| scaled(all, ".q.lora_B.weight", 2.0)));
    assert!(largest_difference(&doubled, &by_hand) < 1e-4);

    let rslora = adapted(&adapter(|c| c["use_rslora"] = json!(true), |_| {}));
    let by_hand = adapted(&adapter(
        |_| {},
        |all| scaled(all, "lora_B.weight", 8f64.sqrt()),
    ));
    assert!(largest_difference(&rslora, &by_hand) < 1e-3);

    // Rank 4 for the keys of one block: half of the factors, scale 16/4 instead of 16/8.
    let module = "language_model.encoder.block.1.layer.0.SelfAttention.k";
    let halve = |all: &mut Tensors| {
        for (name, tensor) in all.iter_mut().filter(|(name, _)| name.contains(module)) {
            *tensor = tensor
                .narrow(usize::from(name.contains("lora_B")), 0, 4)
                .unwrap()
                .contiguous()
                .unwrap();
        }
    };
    let pattern = json!({ r"encoder\.block\.1\.layer\.0\.SelfAttention\.k": 4 });
    let ranked = adapted(&adapter(|c| c["rank_pattern"] = pattern.clone(), halve));
    let by_hand = adapted(&adapter(
        |_| {},
        |all| {
            for (name, tensor) in all.iter_mut().filter(|(name, _)| name.contains(module)) {
                // The other half of A at zero, B doubled for the scale.
                if name.contains("lora_A") {
                    let kept = tensor.narrow(0, 0, 4).unwrap();
                    *tensor = Tensor::cat(&[&kept, &kept.zeros_like().unwrap()], 0).unwrap();
                } else {
                    *tensor = (&*tensor * 2.0).unwrap();
                }
            }
        },
    ));
    assert!(largest_difference(&ranked, &by_hand) < 1e-4);
}

#[test]
fn what_an_adapter_needs_beyond_lora_is_refused_by_name() {
    let settings = [
        ("use_dora", json!(true)),
        ("lora_bias", json!(true)),
        ("modules_to_save", json!(["lm_head"])),
        ("fan_in_fan_out", json!(true)),
        ("bias", json!("all")),
        ("use_qalora", json!(true)),
        ("layer_replication", json!([[0, 1]])),
        ("target_parameters", json!(["x"])),
        ("trainable_token_indices", json!([1])),
        ("init_lora_weights", json!("pissa_niter_4")),
        ("peft_type", json!("LOHA")),
    ];
    for (key, value) in settings {
        let dir = adapter(|c| c[key] = value.clone(), |_| {});
        let message = refusal(&tiny("base"), Some(dir.path()));
        assert!(
            message.contains(key) && message.contains("adapter_config.json"),
            "{key}: {message}"
        );
    }
}

#[test]
fn adapters_that_do_not_fit_list_every_problem() {
    let dir = adapter(
        |_| {},
        |all| {
            let factor =
                |rows, cols| Tensor::zeros((rows, cols), DType::F32, &Device::Cpu).unwrap();
            all.insert(
                "base_model.model.language_model.nowhere.lora_A.weight".into(),
                factor(8, 40),
            );
            all.insert(
                "base_model.model.language_model.nowhere.lora_B.weight".into(),
                factor(48, 8),
            );
            let module = "base_model.model.language_model.encoder.block.0.layer.0.SelfAttention.q";
            all.insert(format!("{module}.lora_A.weight"), factor(8, 41));
        },
    );
    let message = refusal(&tiny("base"), Some(dir.path()));
    assert!(
        message.contains("language_model.nowhere, which is no matrix"),
        "{message}"
    );
    assert!(
        message.contains("SelfAttention.q: B·A is [48, 41], the weight is [48, 40]"),
        "{message}"
    );

    let half = adapter(
        |_| {},
        |all| {
            all.retain(|name, _| !name.ends_with("block.0.layer.0.SelfAttention.q.lora_B.weight"))
        },
    );
    assert!(refusal(&tiny("base"), Some(half.path())).contains("only one of lora_A and lora_B"));
    let rank = adapter(|c| c["r"] = json!(16), |_| {});
    assert!(
        refusal(&tiny("base"), Some(rank.path())).contains("do not have the configured rank 16")
    );
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
    Captioner::load(&tiny("base"), None, LoadOptions::default(), &|p| {
        seen.borrow_mut().push(p)
    })
    .unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|p| p.done));
    assert_eq!(seen.last().map(|p| p.done), seen.last().map(|p| p.total));
}

#[test]
fn senseless_settings_are_refused() {
    let captioner = load(&tiny("base"), None, Precision::F32).unwrap();
    let queries = Tensor::zeros((1, 4, 32), DType::F32, &Device::Cpu).unwrap();
    let refuse =
        |config: GenerationConfig| match captioner.caption(&queries, &[vec![1]], &[0], &config) {
            Err(Error::Setting(message)) => message,
            other => panic!("{config:?} gave {other:?}"),
        };
    let plain = GenerationConfig::default;
    assert!(
        refuse(GenerationConfig {
            num_beams: 0,
            ..plain()
        })
        .contains("num_beams")
    );
    assert!(
        refuse(GenerationConfig {
            max_new_tokens: 0,
            ..plain()
        })
        .contains("max_new_tokens")
    );
    assert!(
        refuse(GenerationConfig {
            repetition_penalty: 0.0,
            ..plain()
        })
        .contains("repetition_penalty")
    );
    assert!(
        refuse(GenerationConfig {
            length_penalty: f64::NAN,
            ..plain()
        })
        .contains("length_penalty")
    );
    let prompt = captioner.tokenizer().encode("a <image> of a dog");
    assert!(matches!(prompt, Err(Error::Setting(m)) if m.contains("image token")));
}

#[test]
fn devices_are_named_or_refused() {
    assert!(fgd::captioner::parse_device("cpu").is_ok());
    for name in ["", "gpu", "cuda:x", "cpu:1"] {
        assert!(
            matches!(fgd::captioner::parse_device(name), Err(Error::Setting(_))),
            "{name:?}"
        );
    }
    #[cfg(not(feature = "cuda"))]
    {
        let message = fgd::captioner::parse_device("cuda:0")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("cuda feature") && message.contains("--device cpu"),
            "{message}"
        );
    }
}
