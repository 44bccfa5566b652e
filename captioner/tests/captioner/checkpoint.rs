//! The tiny checkpoint and its adapter, to be changed, loaded and felt.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use fgd_captioner::{Captioner, LoadOptions, Precision, Result};
use serde_json::Value;
use tempfile::TempDir;

pub fn tiny(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny-blip2").join(part)
}

pub type Tensors = HashMap<String, Tensor>;

pub fn tensors_in(dir: &Path) -> Tensors {
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
pub fn checkpoint(change: impl FnOnce(&mut Tensors)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "generation_config.json", "processor_config.json", "tokenizer.json"]
    {
        std::fs::copy(tiny("base").join(name), dir.path().join(name)).unwrap();
    }
    let mut tensors = tensors_in(&tiny("base"));
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, dir.path().join("model.safetensors")).unwrap();
    dir
}

pub fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

/// The tiny adapter with another configuration and other tensors.
pub fn adapter(config: impl FnOnce(&mut Value), change: impl FnOnce(&mut Tensors)) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(tiny("adapter/adapter_config.json"), dir.path().join("adapter_config.json"))
        .unwrap();
    edit_json(&dir.path().join("adapter_config.json"), config);
    let mut tensors = tensors_in(&tiny("adapter"));
    change(&mut tensors);
    candle_core::safetensors::save(&tensors, dir.path().join("adapter_model.safetensors")).unwrap();
    dir
}

pub fn load(dir: &Path, adapter: Option<&Path>, precision: Precision) -> Result<Captioner> {
    Captioner::load(dir, adapter, LoadOptions { precision, device: Device::Cpu }, &|_| {})
}

pub fn refusal(dir: &Path, adapter: Option<&Path>) -> String {
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
pub fn logits(captioner: &Captioner) -> Vec<f32> {
    let pixels =
        candle_core::safetensors::load(tiny("ref_base.safetensors"), &Device::Cpu).unwrap();
    let queries =
        captioner.queries(&captioner.image_tokens(&pixels["pixel_values"]).unwrap()).unwrap();
    let prompt = captioner.tokenizer().encode("a dog").unwrap();
    let (embedded, mask) =
        captioner.embed(&captioner.project(&queries).unwrap(), &[prompt.clone(), prompt]).unwrap();
    let t5 = captioner.language_model();
    let mut cache = t5.start(&embedded, mask.as_ref(), 1, 3).unwrap();
    let mut all = Vec::new();
    for ids in [[0, 0], [50, 60], [70, 80]] {
        all.extend(t5.step(&ids, &mut cache).unwrap().concat());
    }
    all
}

pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
