//! `adapter_config.json`: how strongly each module is changed, and what is asked for beyond that.

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Change;
use super::targets::{self, Targets};
use crate::error::{Error, Result};
use crate::json::read_json;

/// The file's name.
pub const CONFIG: &str = "adapter_config.json";

/// The rule for ranks and scales of an adapter that is plain LoRA.
pub struct AdapterConfig {
    /// The checkpoint that it was trained on.
    pub base: Option<String>,
    rank: usize,
    alpha: f64,
    use_rslora: bool,
    ranks: Vec<(Regex, f64)>,
    alphas: Vec<(Regex, f64)>,
    targets: Option<Targets>,
}

impl AdapterConfig {
    /// Reads the configuration in `dir`; refuses by name what is not plain LoRA.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(CONFIG);
        let file: File = read_json(&path)?;
        if let Some(reason) = refusal(&file) {
            return Err(Error::checkpoint(&path, reason));
        }
        Ok(Self {
            targets: file.rest.get("target_modules").and_then(|targets| {
                let targets: Targets = serde_json::from_value(targets.clone()).ok()?;
                Some(targets).filter(|targets| targets.to_string() != targets::ALL_LINEAR)
            }),
            ranks: patterns(&file.rank_pattern, &path)?,
            alphas: patterns(&file.alpha_pattern, &path)?,
            base: file.base_model_name_or_path,
            rank: file.r,
            alpha: file.lora_alpha,
            use_rslora: file.use_rslora,
        })
    }

    /// Refuses products of modules that `target_modules` does not name: PEFT leaves these out.
    pub fn holds_targets(&self, changes: &BTreeMap<String, Change>, tensors: &Path) -> Result<()> {
        let Some(targets) = &self.targets else { return Ok(()) };
        let is_target = targets.rule()?;
        let mut products = changes.iter().filter(|(_, change)| change.product.is_some());
        match products.find(|(module, _)| !is_target(module)) {
            None => Ok(()),
            Some((module, _)) => Err(Error::checkpoint(
                tensors,
                format!(
                    "changes {module}, which is not among the target_modules of {CONFIG} ({targets}): PEFT would leave it out; mend the one \
                     or the other"
                ),
            )),
        }
    }

    /// Rank of a module's factors and the factor of their product: alpha / rank, or alpha / √rank with rslora
    /// (<https://arxiv.org/abs/2312.03732>).
    pub fn rank_and_scale(&self, module: &str) -> (usize, f64) {
        let rank = matching(&self.ranks, module).map_or(self.rank, |rank| rank as usize);
        let alpha = matching(&self.alphas, module).unwrap_or(self.alpha);
        let divisor = if self.use_rslora { (rank as f64).sqrt() } else { rank as f64 };
        (rank, alpha / divisor)
    }
}

/// `adapter_config.json` as it is written.
#[derive(Deserialize)]
struct File {
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

fn refusal(config: &File) -> Option<String> {
    if config.peft_type != "LORA" {
        return Some(format!("peft_type {:?} is not supported; only LORA is", config.peft_type));
    }
    if !(config.lora_alpha as f32).is_finite() {
        return Some(format!("lora_alpha {:e} is too large to multiply with", config.lora_alpha));
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
    let init = config.rest.get("init_lora_weights").and_then(Value::as_str).unwrap_or_default();
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

/// PEFT's rule: a key is a regular expression that matches a whole tail of the module path.
fn patterns(map: &Map<String, Value>, path: &Path) -> Result<Vec<(Regex, f64)>> {
    map.iter()
        .map(|(key, value)| {
            let refuse = |reason: String| {
                Error::checkpoint(path, format!("pattern {key:?}: {reason}").replace('\n', " "))
            };
            let regex =
                Regex::new(&format!(r"^(.*\.)?({key})$")).map_err(|e| refuse(e.to_string()))?;
            let number =
                value.as_f64().ok_or_else(|| refuse(format!("{value} is not a number")))?;
            Ok((regex, number))
        })
        .collect()
}

fn matching(patterns: &[(Regex, f64)], module: &str) -> Option<f64> {
    patterns.iter().find(|(regex, _)| regex.is_match(module)).map(|(_, value)| *value)
}
