//! LoRA adapters as PEFT saves them (<https://arxiv.org/abs/2106.09685>): W ← W + s·B·A, merged once while loading.
//!
//! The tensors in `adapter_model.safetensors` say which modules are changed; `adapter_config.json` says how strongly.
//! Variants that would need more than that product are refused by name rather than silently approximated.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::config::read_json;
use super::error::{Error, Result};
use super::weights::{HostMatrix, TensorFiles};

const CONFIG: &str = "adapter_config.json";
const TENSORS: &str = "adapter_model.safetensors";

/// A LoRA adapter read from a directory, not yet merged into anything.
pub struct Adapter {
    files: TensorFiles,
    changes: BTreeMap<String, Change>,
    base: Option<String>,
}

/// The low-rank change of one weight matrix.
pub struct Change {
    a: Tensor,
    b: Tensor,
    scale: f64,
}

#[derive(Deserialize)]
struct AdapterConfig {
    peft_type: String,
    #[serde(default = "default_rank")]
    r: usize,
    #[serde(default = "default_alpha")]
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    rank_pattern: Map<String, Value>,
    #[serde(default)]
    alpha_pattern: Map<String, Value>,
    base_model_name_or_path: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

fn default_rank() -> usize {
    8
}

fn default_alpha() -> f64 {
    8.0
}

/// Settings under which an adapter is more than W + s·B·A, or changes other things than matrices.
const UNSUPPORTED: [&str; 19] = [
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "fan_in_fan_out",
    "layer_replication",
    "target_parameters",
    "trainable_token_indices",
    "use_qalora",
    "use_bdlora",
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "velora_config",
    "megatron_config",
    "loftq_config",
    "corda_config",
    "lora_ga_config",
    "ensure_weight_tying",
];

/// Initialisations that rewrite the base weights, so that the published adapter fits only those.
const REWRITING_INITS: [&str; 6] = ["pissa", "olora", "corda", "loftq", "lora_ga", "kasa"];

impl Adapter {
    /// Reads `adapter_config.json` and maps `adapter_model.safetensors`.
    pub fn read(dir: &Path) -> Result<Self> {
        let config_path = dir.join(CONFIG);
        let config: AdapterConfig = read_json(&config_path)?;
        if let Some(reason) = refusal(&config) {
            return Err(Error::checkpoint(&config_path, reason));
        }
        let tensors_path = dir.join(TENSORS);
        if !tensors_path.exists() {
            return Err(Error::checkpoint(
                dir,
                format!("no {TENSORS} beside {CONFIG}"),
            ));
        }
        let files = TensorFiles::open(std::slice::from_ref(&tensors_path))?;
        let changes = read_changes(&files, &config, &config_path, &tensors_path)?;
        Ok(Self {
            files,
            changes,
            base: config.base_model_name_or_path,
        })
    }

    /// Whether `dir` holds an adapter and no checkpoint of its own.
    pub fn is_alone_in(dir: &Path) -> bool {
        dir.join(CONFIG).exists() && !dir.join("config.json").exists()
    }

    /// The checkpoint that it was trained on, as its configuration names it.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Paths of the changed modules.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    /// The change of one module's weight.
    pub fn get(&self, module: &str) -> Option<&Change> {
        self.changes.get(module)
    }

    /// Identity of what it does to the modules that `keep` selects; empty when it leaves all of them alone.
    pub fn sha256(&self, keep: impl Fn(&str) -> bool) -> String {
        if !self.modules().any(&keep) {
            return String::new();
        }
        let mut hash = Sha256::new();
        let kept = |name: &str| split_name(name).is_some_and(|(module, _)| keep(module));
        hash.update(self.files.digests().combine(kept));
        for (module, change) in self.changes.iter().filter(|(module, _)| keep(module)) {
            hash.update(format!("{module} {:?} ", change.scale));
        }
        format!("{:x}", hash.finalize())
    }
}

impl Change {
    /// Why it does not fit a matrix of this size, if it does not.
    pub fn mismatch(&self, rows: usize, cols: usize) -> Option<String> {
        let (a, b) = (self.a.dims(), self.b.dims());
        (a[1] != cols || b[0] != rows).then(|| {
            format!(
                "B·A is [{}, {}], the weight is [{rows}, {cols}]",
                b[0], a[1]
            )
        })
    }

    /// Adds s·B·A to row-major values.
    pub fn add_to(&self, values: &mut [f32]) -> Result<()> {
        let product = (self.b.matmul(&self.a)? * self.scale)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        values.iter_mut().zip(product).for_each(|(w, d)| *w += d);
        Ok(())
    }
}

fn refusal(config: &AdapterConfig) -> Option<String> {
    if config.peft_type != "LORA" {
        return Some(format!(
            "peft_type {:?} is not supported; only LORA is",
            config.peft_type
        ));
    }
    for key in UNSUPPORTED {
        if config.rest.get(key).is_some_and(is_set) {
            return Some(format!(
                "{key} is not supported; merge the adapter with PEFT's merge_and_unload and give the merged checkpoint"
            ));
        }
    }
    match config.rest.get("bias").and_then(Value::as_str) {
        None | Some("none") => {}
        Some(bias) => return Some(format!("bias {bias:?} is not supported; only \"none\" is")),
    }
    let init = config
        .rest
        .get("init_lora_weights")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if REWRITING_INITS.iter().any(|name| init.starts_with(name)) {
        return Some(format!(
            "init_lora_weights {init:?} rewrites the base weights and is not supported; merge with PEFT first"
        ));
    }
    None
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Array(a) => !a.is_empty(),
        Value::Object(o) => !o.is_empty(),
        _ => true,
    }
}

/// `base_model.model.MODULE.lora_A.weight` → (MODULE, "lora_A"); a named adapter has its name before `weight`.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let name = name
        .strip_prefix("base_model.model.")
        .unwrap_or(name)
        .strip_suffix(".weight")?;
    ["lora_A", "lora_B"].into_iter().find_map(|which| {
        let (module, tail) = name.rsplit_once(&format!(".{which}"))?;
        (tail.is_empty() || tail.matches('.').count() == 1 && tail.starts_with('.'))
            .then_some((module, which))
    })
}

fn read_changes(
    files: &TensorFiles,
    config: &AdapterConfig,
    config_path: &Path,
    tensors_path: &Path,
) -> Result<BTreeMap<String, Change>> {
    let mut problems = Vec::new();
    let mut pairs: BTreeMap<&str, (Option<Tensor>, Option<Tensor>)> = BTreeMap::new();
    for name in files.names() {
        let Some((module, which)) = split_name(name) else {
            problems.push(format!("{name} is not lora_A or lora_B of a module"));
            continue;
        };
        match factor(files, name)? {
            Ok(tensor) => {
                let pair = pairs.entry(module).or_default();
                *(if which == "lora_A" {
                    &mut pair.0
                } else {
                    &mut pair.1
                }) = Some(tensor);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let ranks = patterns(&config.rank_pattern, config_path)?;
    let alphas = patterns(&config.alpha_pattern, config_path)?;
    let mut changes = BTreeMap::new();
    for (module, pair) in pairs {
        let (Some(a), Some(b)) = pair else {
            problems.push(format!("{module} has only one of lora_A and lora_B"));
            continue;
        };
        let rank = matching(&ranks, module).map_or(config.r, |r| r as usize);
        let alpha = matching(&alphas, module).unwrap_or(config.lora_alpha);
        if a.dims()[0] != rank || b.dims()[1] != rank {
            let (found_a, found_b) = (a.dims(), b.dims());
            problems.push(format!("{module}: lora_A {found_a:?}, lora_B {found_b:?} do not have the configured rank {rank}"));
            continue;
        }
        let divisor = if config.use_rslora {
            (rank as f64).sqrt()
        } else {
            rank as f64
        };
        changes.insert(
            module.to_owned(),
            Change {
                a,
                b,
                scale: alpha / divisor,
            },
        );
    }
    if changes.is_empty() && problems.is_empty() {
        problems.push("no LoRA tensor".into());
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(Error::Tensors {
            path: tensors_path.into(),
            problems,
        })
    }
}

fn factor(files: &TensorFiles, name: &str) -> Result<std::result::Result<Tensor, String>> {
    let Some(entry) = files.get(name) else {
        return Ok(Err(format!("missing {name}")));
    };
    let [rows, cols] = entry.shape[..] else {
        return Ok(Err(format!(
            "{name} is {:?}, expected two dimensions",
            entry.shape
        )));
    };
    match HostMatrix::from_entry(entry, rows, cols) {
        Some(matrix) if rows > 0 => Ok(Ok(Tensor::from_vec(
            matrix.to_f32(),
            (rows, cols),
            &Device::Cpu,
        )?)),
        _ => Ok(Err(format!(
            "{name} is {:?} {:?}; expected F32, F16 or BF16",
            entry.dtype, entry.shape
        ))),
    }
}

/// PEFT's rule: a key is a regular expression that matches a whole tail of the module path.
fn patterns(map: &Map<String, Value>, path: &Path) -> Result<Vec<(Regex, f64)>> {
    map.iter()
        .map(|(key, value)| {
            let refuse = |reason: String| {
                Error::checkpoint(
                    path,
                    format!("pattern {key:?}: {reason}").replace('\n', " "),
                )
            };
            let regex =
                Regex::new(&format!(r"^(.*\.)?({key})$")).map_err(|e| refuse(e.to_string()))?;
            let number = value
                .as_f64()
                .ok_or_else(|| refuse(format!("{value} is not a number")))?;
            Ok((regex, number))
        })
        .collect()
}

fn matching(patterns: &[(Regex, f64)], module: &str) -> Option<f64> {
    patterns
        .iter()
        .find(|(regex, _)| regex.is_match(module))
        .map(|(_, value)| *value)
}
