//! An adapter and a training's state on disk: safetensors as PEFT writes and reads them, each file whole or not there.
//!
//! `DIR/adapter_config.json` and `DIR/adapter_model.safetensors` are a PEFT adapter. `DIR/state.safetensors` is all that a run needs to
//! go on to the bit: factors, AdamW's means, and in its metadata the step and what the run is of.

use std::collections::BTreeMap;
use std::path::Path;

use fgd_store::file;
use safetensors::Dtype;
use serde_json::{Value, json};

use super::lora::{Lora, LoraConfig};
use super::optimizer::AdamW;
use crate::error::{Error, Result};
pub use crate::weights::TENSORS;
use crate::weights::{
    Adapter, CONFIG, Header, HostMatrix, Targets, TensorFiles, put_f32, write_tensors,
};

/// The file of a state.
pub const STATE: &str = "state.safetensors";

/// Writes f32 tensors (name, shape, values), ordered by name as Python does.
fn write<'a>(
    path: &Path,
    metadata: &[(&str, String)],
    tensors: impl Iterator<Item = (String, Vec<usize>, &'a [f32])>,
) -> Result<()> {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let tensors: BTreeMap<String, (Vec<usize>, &[f32])> =
        tensors.map(|(name, shape, values)| (name, (shape, values))).collect();
    let headers: Vec<Header> = tensors
        .iter()
        .map(|(name, (shape, _))| Header {
            name: name.clone(),
            dtype: Dtype::F32,
            shape: shape.clone(),
        })
        .collect();
    write_tensors(path, &metadata, &headers, |header, to| {
        put_f32(tensors[&header.name].1, to).map_err(Error::io(path))
    })
}

/// Writes the adapter into `dir` and reads it back. `base` is what its configuration names as the checkpoint.
///
/// # Errors
/// A place that cannot be written; a file that reads back as something else.
pub fn write_adapter(dir: &Path, lora: &Lora, config: &LoraConfig, base: &str) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let text = serde_json::to_string_pretty(&peft_config(config, base))
        .map_err(|e| Error::Setting(format!("no JSON: {e}")))?;
    file::write(&dir.join(CONFIG), text.as_bytes())?;
    let metadata = [("format", "pt".to_owned())];
    let tensors = lora.tensors().zip(lora.values());
    let tensors = tensors.map(|((name, shape), values)| (name, shape.to_vec(), values.as_slice()));
    write(&dir.join(TENSORS), &metadata, tensors)?;
    let read = Adapter::read(dir, &TensorFiles::none())?;
    for (place, module) in lora.modules().iter().enumerate() {
        let factors = read.get(&module.name).map(|change| change.factors()).transpose()?;
        let same = match factors.flatten() {
            Some((a, b, _)) => {
                let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
                let [own_a, own_b] = lora.factors(place);
                bits(&a) == bits(own_a) && bits(&b) == bits(own_b)
            }
            None => false,
        };
        if !same {
            return Err(Error::checkpoint(
                dir.join(TENSORS),
                format!("{} reads back as something else than was written", module.name),
            ));
        }
    }
    Ok(())
}

/// `adapter_config.json` with the keys that PEFT 0.21 writes.
fn peft_config(config: &LoraConfig, base: &str) -> BTreeMap<&'static str, Value> {
    let targets = match &config.targets {
        Targets::Names(names) => {
            let mut names = names.clone();
            names.sort_unstable();
            json!(names)
        }
        Targets::Pattern(pattern) => json!(pattern),
    };
    let auto_mapping = json!({
        "base_model_class": "Blip2ForConditionalGeneration",
        "parent_library": "transformers.models.blip_2.modeling_blip_2",
    });
    let mut keys = BTreeMap::from([
        ("alpha_pattern", json!({})),
        ("auto_mapping", auto_mapping),
        ("base_model_name_or_path", json!(base)),
        ("bias", json!("none")),
        ("fan_in_fan_out", json!(false)),
        ("inference_mode", json!(true)),
        ("init_lora_weights", json!(true)),
        ("loftq_config", json!({})),
        ("lora_alpha", whole(config.alpha)),
        ("lora_bias", json!(false)),
        ("lora_dropout", json!(config.dropout)),
        ("peft_type", json!("LORA")),
        ("r", json!(config.r)),
        ("rank_pattern", json!({})),
        ("target_modules", targets),
        ("use_dora", json!(false)),
        ("use_rslora", json!(config.rslora)),
    ]);
    for key in [
        "exclude_modules",
        "layer_replication",
        "layers_pattern",
        "layers_to_transform",
        "megatron_config",
        "modules_to_save",
        "revision",
        "target_parameters",
        "task_type",
        "trainable_token_indices",
    ] {
        keys.insert(key, Value::Null);
    }
    keys.insert("megatron_core", json!("megatron.core"));
    keys
}

/// PEFT writes a whole alpha as an integer.
fn whole(alpha: f64) -> Value {
    if alpha.fract() == 0.0 { json!(alpha as i64) } else { json!(alpha) }
}

/// Writes the state into `dir`; `run` says what the run is of, and the state is read back for no other.
///
/// # Errors
/// A place that cannot be written.
pub fn write_state(dir: &Path, lora: &Lora, optimizer: &AdamW, run: &str) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
    let metadata = [
        ("format", "pt".to_owned()),
        ("step", optimizer.steps.to_string()),
        ("run", run.to_owned()),
    ];
    let parts = [
        ("", lora.values()),
        ("exp_avg.", optimizer.mean.as_slice()),
        ("exp_avg_sq.", optimizer.square.as_slice()),
    ];
    let tensors = parts.into_iter().flat_map(|(prefix, all)| {
        lora.tensors().zip(all).map(move |((name, shape), values)| {
            (format!("{prefix}{name}"), shape.to_vec(), values.as_slice())
        })
    });
    write(&dir.join(STATE), &metadata, tensors)
}

/// Puts back what [`write_state`] wrote into `dir`.
///
/// # Errors
/// A file that is missing, damaged, or of another run.
pub fn read_state(dir: &Path, lora: &mut Lora, optimizer: &mut AdamW, run: &str) -> Result<()> {
    let path = dir.join(STATE);
    let refuse = |reason: String| Error::checkpoint(&path, reason);
    let files = TensorFiles::open(std::slice::from_ref(&path))?;
    if files.metadata("run") != Some(run) {
        return Err(refuse(
            "is of a run with other captions, features, checkpoint or settings, those of its validation included; give another directory, or what that run was given"
                .into(),
        ));
    }
    let steps = files.metadata("step").and_then(|step| step.parse().ok());
    optimizer.steps = steps.ok_or_else(|| refuse("does not say its step".into()))?;
    let names: Vec<(String, [usize; 2])> = lora.tensors().collect();
    let parts = [
        ("", lora.values_mut()),
        ("exp_avg.", optimizer.mean.as_mut_slice()),
        ("exp_avg_sq.", optimizer.square.as_mut_slice()),
    ];
    for (prefix, all) in parts {
        for ((name, [rows, columns]), values) in names.iter().zip(all.iter_mut()) {
            let name = format!("{prefix}{name}");
            let entry = files.get(&name).filter(|entry| entry.shape == [*rows, *columns]);
            let matrix = entry.and_then(|entry| HostMatrix::from_entry(entry, *rows, *columns));
            let matrix =
                matrix.ok_or_else(|| refuse(format!("has no {name} [{rows}, {columns}]")))?;
            *values = matrix.to_f32();
        }
    }
    Ok(())
}
