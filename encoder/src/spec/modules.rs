//! `modules.json`: the chain Transformer → Pooling → Normalize that sentence-transformers runs, and nothing else.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::Pooling;
use super::json::{read as read_json, read_optional};
use crate::EncoderError;

/// What the chain of modules says.
pub(super) struct Modules {
    /// Directory of `config.json` and the weights.
    pub transformer: PathBuf,
    pub pooling: Pooling,
    /// The pooling file and the width it states.
    pub pooling_width: Option<(PathBuf, usize)>,
    pub normalize: bool,
}

#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize, Default)]
struct PromptConfig {
    #[serde(default)]
    default_prompt_name: Option<String>,
}

/// Reads the chain. Without `modules.json` it is Transformer → mean pooling, the default of sentence-transformers.
pub(super) fn read(dir: &Path) -> Result<Modules, EncoderError> {
    let file = dir.join("modules.json");
    let modules: Vec<Module> = match read_json(&file) {
        Ok(modules) => modules,
        Err(EncoderError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Ok(Modules {
                transformer: dir.to_path_buf(),
                pooling: Pooling::Mean,
                pooling_width: None,
                normalize: false,
            });
        }
        Err(error) => return Err(error),
    };
    refuse_default_prompt(dir)?;
    let unsupported = |reason: String| EncoderError::Unsupported { path: file.clone(), reason };
    let kinds: Vec<&str> =
        modules.iter().map(|module| module.kind.rsplit('.').next().unwrap_or_default()).collect();
    let normalize = match kinds[..] {
        ["Transformer", "Pooling"] => false,
        ["Transformer", "Pooling", "Normalize"] => true,
        _ => {
            let extra =
                kinds.iter().find(|kind| !["Transformer", "Pooling", "Normalize"].contains(kind));
            return Err(unsupported(match extra {
                Some(kind) => format!(
                    "the module {kind} is not computed here; only Transformer, Pooling, Normalize are"
                ),
                None => format!(
                    "the modules are {}; only Transformer, Pooling and an optional Normalize are accepted",
                    kinds.join(", ")
                ),
            }));
        }
    };
    for module in &modules {
        if Path::new(&module.path).is_absolute() || module.path.contains("..") {
            return Err(unsupported(format!(
                "the module path {:?} leaves the directory",
                module.path
            )));
        }
    }
    let pooling_file = dir.join(&modules[1].path).join("config.json");
    let (pooling, width) = read_pooling(&pooling_file)?;
    Ok(Modules {
        transformer: dir.join(&modules[0].path),
        pooling,
        pooling_width: width.map(|width| (pooling_file, width)),
        normalize,
    })
}

/// A default prompt would be put before every caption; no caption encoder needs one, so it is refused by name.
fn refuse_default_prompt(dir: &Path) -> Result<(), EncoderError> {
    let path = dir.join("config_sentence_transformers.json");
    let config: PromptConfig = read_optional(&path)?;
    match config.default_prompt_name {
        Some(name) => Err(EncoderError::Unsupported {
            path,
            reason: format!(
                "default_prompt_name is {name:?}; encoders with a default prompt are not computed here"
            ),
        }),
        None => Ok(()),
    }
}

/// The pooling mode and the stated width. Both ways of writing the mode are read: one flag per mode, and
/// `"pooling_mode": "mean"`.
fn read_pooling(path: &Path) -> Result<(Pooling, Option<usize>), EncoderError> {
    let fields: BTreeMap<String, Value> = read_json(path)?;
    let mut modes: Vec<String> = fields
        .iter()
        .filter(|(_, value)| value.as_bool() == Some(true))
        .filter_map(|(key, _)| key.strip_prefix("pooling_mode_"))
        .map(|mode| mode.trim_end_matches("_tokens").trim_end_matches("_token").to_string())
        .collect();
    match fields.get("pooling_mode") {
        Some(Value::String(mode)) => modes.push(mode.clone()),
        Some(Value::Array(list)) => {
            modes.extend(list.iter().filter_map(Value::as_str).map(str::to_string));
        }
        _ => {}
    }
    let pooling = match modes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["mean"] => Pooling::Mean,
        ["cls"] => Pooling::Cls,
        _ => {
            return Err(EncoderError::Unsupported {
                path: path.to_path_buf(),
                reason: format!(
                    "the pooling is [{}]; exactly one of mean and cls is computed here",
                    modes.join(", ")
                ),
            });
        }
    };
    let width = ["word_embedding_dimension", "embedding_dimension"]
        .iter()
        .find_map(|field| fields.get(*field))
        .and_then(Value::as_u64);
    Ok((pooling, width.map(|width| width as usize)))
}
