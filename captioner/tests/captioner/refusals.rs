//! Checkpoints and settings that cannot be used: one clear error each, and never a panic.

use candle_core::{DType, Device, Tensor};
use fgd_captioner::{Error, GenerationConfig, Precision};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::checkpoint::*;

#[test]
fn every_wrong_tensor_is_listed_at_once() {
    let dir = checkpoint(|all| {
        all.remove("query_tokens");
        all.remove("language_model.decoder.block.1.layer.1.EncDecAttention.k.weight");
        let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
        all.insert("vision_model.encoder.layers.0.mlp.fc1.bias".into(), zeros(&[7]));
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
fn a_message_about_many_tensors_stays_a_line_that_can_be_read() {
    let dir = checkpoint(|all| all.retain(|name, _| !name.starts_with("vision_model.")));
    let message = refusal(dir.path(), None);
    assert!(message.contains("missing vision_model") && message.contains("; and "), "{message}");
    assert!(message.ends_with(" more") && message.len() < 3000, "{} bytes", message.len());
}

#[test]
fn unsupported_models_are_refused_by_name() {
    type Edit = fn(&mut Value);
    let edits: [(Edit, &str); 6] = [
        (|c| c["model_type"] = json!("blip"), "\"blip\""),
        (|c| c["text_config"]["model_type"] = json!("opt"), "\"opt\""),
        (|c| c["vision_config"]["hidden_act"] = json!("quick_gelu"), "quick_gelu"),
        (|c| c["vision_config"]["hidden_size"] = json!(0), "hidden_size is 0"),
        (
            |c| c["quantization_config"] = json!({ "quant_method": "bitsandbytes" }),
            "quantised (bitsandbytes)",
        ),
        (|c| c["qformer_config"]["num_attention_heads"] = json!(5), "not a multiple of 5"),
    ];
    for (edit, expected) in edits {
        let dir = checkpoint(|_| {});
        edit_json(&dir.path().join("config.json"), edit);
        let message = refusal(dir.path(), None);
        assert!(message.contains(expected) && message.contains("config.json"), "{message}");
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
    let message = refusal(dir.path(), None);
    assert!(message.contains("pytorch_model.bin is a pickle"), "{message}");
    assert!(message.contains("Blip2ForConditionalGeneration"), "{message}");
    let index = json!({ "weight_map": { "a": "model-1.safetensors", "b": "model-2.safetensors" } });
    std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    assert!(refusal(dir.path(), None).contains("2 of 2 shards are not here"));
    let index = json!({ "weight_map": { "a": "../model.safetensors" } });
    std::fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
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
        assert!(message.contains("model.safetensors"), "{length} bytes: {message}");
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
    assert!(refuse(GenerationConfig { num_beams: 0, ..plain() }).contains("num_beams"));
    assert!(refuse(GenerationConfig { max_new_tokens: 0, ..plain() }).contains("max_new_tokens"));
    assert!(
        refuse(GenerationConfig { repetition_penalty: 0.0, ..plain() })
            .contains("repetition_penalty")
    );
    assert!(
        refuse(GenerationConfig { length_penalty: f64::NAN, ..plain() }).contains("length_penalty")
    );
    let prompt = captioner.tokenizer().encode("a <image> of a dog");
    assert!(matches!(prompt, Err(Error::Setting(m)) if m.contains("image token")));
}

#[test]
fn devices_are_named_or_refused() {
    assert!(fgd_captioner::parse_device("cpu").is_ok());
    for name in ["", "gpu", "cuda:x", "cpu:1"] {
        assert!(matches!(fgd_captioner::parse_device(name), Err(Error::Setting(_))), "{name:?}");
    }
    #[cfg(not(feature = "cuda"))]
    {
        let message = fgd_captioner::parse_device("cuda:0").unwrap_err().to_string();
        assert!(message.contains("cuda feature") && message.contains("--device cpu"), "{message}");
    }
}
