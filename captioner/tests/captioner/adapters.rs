//! LoRA adapters: what they add, and those that do not fit.

use candle_core::{DType, Device, Tensor};
use fgd_captioner::{GenerationConfig, Precision};
use serde_json::json;
use tempfile::TempDir;

use super::checkpoint::*;

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

    let doubled = adapted(&adapter(|c| c["alpha_pattern"] = json!({ "q": 32 }), |_| {}));
    let by_hand = adapted(&adapter(|_| {}, |all| scaled(all, ".q.lora_B.weight", 2.0)));
    assert!(largest_difference(&doubled, &by_hand) < 1e-4);

    let rslora = adapted(&adapter(|c| c["use_rslora"] = json!(true), |_| {}));
    let by_hand = adapted(&adapter(|_| {}, |all| scaled(all, "lora_B.weight", 8f64.sqrt())));
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
fn what_the_target_modules_do_not_name_is_refused() {
    let dir = adapter(|config| config["target_modules"] = serde_json::json!(["wo"]), |_| {});
    let message = refusal(&tiny("base"), Some(dir.path()));
    assert!(message.contains("is not among the target_modules"), "{message}");
}

#[test]
fn adapters_that_do_not_fit_list_every_problem() {
    let dir = adapter(
        |_| {},
        |all| {
            let factor =
                |rows, cols| Tensor::zeros((rows, cols), DType::F32, &Device::Cpu).unwrap();
            all.insert(
                "base_model.model.language_model.nowhere.q.lora_A.weight".into(),
                factor(8, 40),
            );
            all.insert(
                "base_model.model.language_model.nowhere.q.lora_B.weight".into(),
                factor(48, 8),
            );
            let module = "base_model.model.language_model.encoder.block.0.layer.0.SelfAttention.q";
            all.insert(format!("{module}.lora_A.weight"), factor(8, 41));
        },
    );
    let message = refusal(&tiny("base"), Some(dir.path()));
    assert!(message.contains("language_model.nowhere.q, which is no matrix"), "{message}");
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
    let embedding = adapter(
        |_| {},
        |all| {
            let factor = Tensor::zeros((8, 256), DType::F32, &Device::Cpu).unwrap();
            all.insert("base_model.model.language_model.shared.lora_embedding_A".into(), factor);
        },
    );
    let message = refusal(&tiny("base"), Some(embedding.path()));
    assert!(message.contains("an embedding") && message.contains("merge_and_unload"), "{message}");
    let rank = adapter(|c| c["r"] = json!(16), |_| {});
    assert!(
        refusal(&tiny("base"), Some(rank.path())).contains("do not have the configured rank 16")
    );
}

#[derive(serde::Deserialize)]
struct Golden {
    adapter: String,
    checkpoint: String,
    ids: Vec<u32>,
    logits: Vec<f32>,
}

/// Every form in which PEFT saves an adapter, against PEFT: of a part of the model alone, of an output layer with or without
/// a matrix of its own, in a folder named after it.
#[test]
fn every_form_of_adapter_equals_peft() {
    let goldens = std::fs::read(tiny("adapters.json")).unwrap();
    let goldens: Vec<Golden> = serde_json::from_slice(&goldens).unwrap();
    assert!(goldens.len() >= 7);
    let tied = checkpoint(|all| drop(all.remove("language_model.lm_head.weight")));
    let pixels =
        candle_core::safetensors::load(tiny("ref_base.safetensors"), &Device::Cpu).unwrap();
    let pixels = pixels["pixel_values"].narrow(0, 0, 1).unwrap();
    for golden in goldens {
        let name = &golden.adapter;
        let base = match golden.checkpoint.as_str() {
            "tied" => tied.path().to_owned(),
            other => tiny(other),
        };
        let captioner = load(&base, Some(&tiny("adapters").join(name)), Precision::F32).unwrap();
        let queries = captioner.queries(&captioner.image_tokens(&pixels).unwrap()).unwrap();
        let prompt = captioner.tokenizer().encode("a dog").unwrap();
        let prompts = [prompt];
        let (embedded, mask) =
            captioner.embed(&captioner.project(&queries).unwrap(), &prompts).unwrap();
        let t5 = captioner.language_model();
        let mut cache = t5.start(&embedded, mask.as_ref(), 1, 3).unwrap();
        let step = |id| t5.step(&[id], &mut cache).unwrap().concat();
        let logits = [0, 50, 70].map(step).concat();
        let difference = largest_difference(&logits, &golden.logits);
        assert!(difference < 2e-3, "{name}: logits differ by {difference}");
        let config = GenerationConfig { max_new_tokens: 20, ..GenerationConfig::default() };
        let caption = captioner.caption(&queries, &prompts, &[0], &config).unwrap();
        let ids = &golden.ids[1..];
        let end = ids.iter().position(|id| *id == 1).map_or(ids.len(), |at| at + 1);
        assert_eq!(caption[0].sequence.ids, ids[..end], "{name}");
        // The adapter is felt, and so is not merely accepted.
        let plain = load(&base, None, Precision::F32).unwrap();
        let queries = plain.queries(&plain.image_tokens(&pixels).unwrap()).unwrap();
        assert_ne!(plain.caption(&queries, &prompts, &[0], &config).unwrap(), caption, "{name}");
    }
}

#[test]
fn a_weight_saved_with_the_adapter_replaces_the_checkpoints() {
    let head = "base_model.model.language_model.lm_head";
    let doubled = |name: String| {
        adapter(
            |_| {},
            |all| {
                let stored = &tensors_in(&tiny("base"))["language_model.lm_head.weight"];
                all.insert(name, (stored * 2.0).unwrap());
            },
        )
    };
    let plain = adapted(&adapter(|_| {}, |_| {}));
    let expected: Vec<f32> = plain.iter().map(|value| 2.0 * value).collect();
    for name in [format!("{head}.base_layer.weight"), format!("{head}.weight")] {
        let ours = adapted(&doubled(name.clone()));
        assert!(largest_difference(&ours, &expected) < 1e-4, "{name}");
    }
    let wrong = adapter(
        |_| {},
        |all| {
            let odd = Tensor::zeros((7, 40), DType::F32, &Device::Cpu).unwrap();
            all.insert(format!("{head}.base_layer.weight"), odd);
        },
    );
    let message = refusal(&tiny("base"), Some(wrong.path()));
    assert!(message.contains("lm_head: its own weight is [7, 40]"), "{message}");
}

#[test]
fn numbers_that_are_none_are_named() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let broken = |tensor: &mut Tensor| {
                let mut values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let last = values.len() - 1;
                values[last] = value;
                let whole = Tensor::from_vec(values, tensor.shape(), &Device::Cpu).unwrap();
                *tensor = whole.to_dtype(dtype).unwrap();
            };
            let (weight, bias) =
                ("vision_model.encoder.layers.1.mlp.fc1.weight", "qformer.layernorm.bias");
            let dir = checkpoint(|all| {
                broken(all.get_mut(weight).unwrap());
                broken(all.get_mut(bias).unwrap());
                // Nothing reads this one.
                let unused = Tensor::full(f32::NAN, (2, 2), &Device::Cpu).unwrap();
                all.insert("qformer.embeddings.word_embeddings.weight".into(), unused);
            });
            let message = refusal(dir.path(), None);
            assert!(message.contains("2 problem(s)"), "{message}");
            for name in [weight, bias] {
                assert!(message.contains(&format!("{name} holds NaN or infinite")), "{message}");
            }
            let name = "base_model.model.language_model.encoder.block.0.layer.0.SelfAttention.q.lora_B.weight";
            let dir = adapter(|_| {}, |all| broken(all.get_mut(name).unwrap()));
            let message = refusal(&tiny("base"), Some(dir.path()));
            assert!(message.contains(&format!("{name} holds NaN or infinite")), "{message}");
        }
    }
}

#[test]
fn pickled_adapters_are_refused_with_the_way_to_convert_them() {
    let dir = adapter(|_| {}, |_| {});
    std::fs::rename(
        dir.path().join("adapter_model.safetensors"),
        dir.path().join("adapter_model.bin"),
    )
    .unwrap();
    let message = refusal(&tiny("base"), Some(dir.path()));
    assert!(message.contains("adapter_model.bin is a pickle"), "{message}");
    assert!(message.contains("save_file"), "{message}");
}
