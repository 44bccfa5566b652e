//! LoRA adapters: what they add, and those that do not fit.

use candle_core::{DType, Device, Tensor};
use fgd_captioner::Precision;
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
    assert!(message.contains("language_model.nowhere, which is no matrix"), "{message}");
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
