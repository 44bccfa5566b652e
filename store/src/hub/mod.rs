//! From a model's name to a local directory: where every model enters the program.
//!
//! A name is a directory, or a Hugging Face hub id with an optional revision (`org/name@revision`).
//! A directory is taken as it is. An id is looked up in the hub's cache layout
//! (`models--org--name/snapshots/<commit>`); only what is missing there is downloaded, and nothing is
//! ever asked of the network when `HF_HUB_OFFLINE` is set. `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`
//! and `HF_TOKEN` are honoured.

mod download;
mod error;
mod pickle;
mod repository;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

use hf_hub::Cache;

pub use error::HubError;
pub use pickle::pickle_advice;
pub use repository::Repository;

/// The encoder that FGD is named after.
pub const GTE_SMALL: &str = "thenlper/gte-small";
/// The one revision of [`GTE_SMALL`] that the default stands for.
pub const GTE_SMALL_REVISION: &str = "17e1f347d17fe144873b1201da91788898c639cd";
/// SHA-256 of `model.safetensors` of that revision.
pub const GTE_SMALL_SHA256: &str =
    "9a1eb90bbac323ea08aa5629b624fe6ae75db121b904799c2266a1e2c2de22d2";

/// What a model directory must and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sentence encoder: config, tokenizer, weights, and how its tokens are pooled.
    Encoder,
    /// A captioning checkpoint: config, tokenizer, preprocessing and weights, possibly in shards.
    Checkpoint,
    /// A LoRA adapter as PEFT writes it.
    Adapter,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Checkpoint => "checkpoint",
            Self::Adapter => "adapter",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::Encoder => "--encoder",
            Self::Checkpoint => "--checkpoint",
            Self::Adapter => "--adapter",
        }
    }

    /// Files without which the model cannot be used; weights are looked for apart.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Encoder | Self::Checkpoint => &["config.json", "tokenizer.json"],
            Self::Adapter => &["adapter_config.json"],
        }
    }

    /// Files that are fetched where the repository has them.
    fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Encoder => {
                &["modules.json", "1_Pooling/config.json", "sentence_bert_config.json"]
            }
            Self::Checkpoint => &[
                "generation_config.json",
                "preprocessor_config.json",
                "processor_config.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                // An adapter beside the weights is part of the model, as for `from_pretrained`.
                "adapter_config.json",
                "adapter_model.safetensors",
            ],
            Self::Adapter => &[],
        }
    }

    fn weights(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Encoder | Self::Checkpoint => {
                ("model.safetensors", Some("model.safetensors.index.json"))
            }
            Self::Adapter => ("adapter_model.safetensors", None),
        }
    }
}

/// A model that stands in a local directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// The directory.
    pub dir: PathBuf,
    /// What to call it: the hub id, or the directory's own name.
    pub id: String,
    /// Commit of the hub repository, where it came from the hub.
    pub revision: Option<String>,
}

/// How the hub may be used; [`Settings::from_variables`] heeds what its own Python client heeds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Root of the cache, the folder that holds `models--org--name`.
    pub cache: PathBuf,
    /// Never use the network.
    pub offline: bool,
    /// Access token.
    pub token: Option<String>,
    /// Address of the hub, where it is not the public one.
    pub endpoint: Option<String>,
    /// Draw progress bars while downloading.
    pub progress: bool,
}

impl Settings {
    /// What `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE`, `HF_TOKEN` and `HF_ENDPOINT` say, and where the cache is without them.
    /// `variable` gives the value of a variable that is set and not empty; `progress` is taken over.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>, progress: bool) -> Self {
        let text = |name| variable(name).and_then(|value| value.into_string().ok());
        let folder = |name| variable(name).map(PathBuf::from);
        let home = || folder("HOME").unwrap_or_default().join(".cache/huggingface");
        let cache = folder("HF_HUB_CACHE")
            .unwrap_or_else(|| folder("HF_HOME").unwrap_or_else(home).join("hub"));
        Self {
            offline: text("HF_HUB_OFFLINE").is_some_and(|value| {
                matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
            }),
            token: text("HF_TOKEN").or_else(|| Cache::new(cache.clone()).token()),
            endpoint: text("HF_ENDPOINT"),
            cache,
            progress,
        }
    }
}

/// Finds the model `name` (a directory, or `org/name[@revision]`), downloading it where it must.
///
/// # Errors
/// A name that is neither, files that are missing and cannot be had.
pub fn resolve(name: &str, kind: Kind, settings: &Settings) -> Result<Model, HubError> {
    let dir = Path::new(name);
    if dir.is_dir() {
        return local(dir, kind);
    }
    if dir.is_file() {
        let advice = pickle::file_advice(dir, kind);
        return Err(HubError::File { path: dir.into(), kind: kind.noun(), advice });
    }
    let (id, revision) = name.split_once('@').unwrap_or((name, default_revision(name)));
    if !is_hub_id(id) || revision.is_empty() {
        return Err(HubError::Name { name: name.into() });
    }
    if let Some(model) = cached(id, revision, kind, settings) {
        return Ok(model);
    }
    if settings.offline {
        return Err(HubError::Offline {
            id: id.into(),
            missing: match snapshot(id, revision, settings) {
                Some((dir, _)) => missing_files(&dir, id, kind).join(", "),
                None => format!("revision {revision}"),
            },
            cache: settings.cache.clone(),
            kind: kind.noun(),
            flag: kind.flag(),
        });
    }
    download::download(id, revision, kind, settings)
}

fn default_revision(id: &str) -> &'static str {
    if id == GTE_SMALL { GTE_SMALL_REVISION } else { "main" }
}

/// Whether this is `org/name` as the Hub has it, without a revision.
pub fn is_hub_id(id: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    id.split_once('/').is_some_and(|(org, name)| word(org) && word(name))
}

fn local(dir: &Path, kind: Kind) -> Result<Model, HubError> {
    let missing = missing_files(dir, "", kind);
    if !missing.is_empty() {
        let inside = models_inside(dir, kind);
        // PEFT saves an adapter that has a name in a folder of that name.
        if let ([only], Kind::Adapter) = (&inside[..], kind)
            && models_inside(dir, Kind::Checkpoint).is_empty()
        {
            return local(only, kind);
        }
        let inside: Vec<String> = inside.iter().map(|dir| dir.display().to_string()).collect();
        return Err(HubError::Incomplete {
            dir: dir.into(),
            kind: kind.noun(),
            missing: missing.join(", "),
            advice: match (pickle_advice(dir, kind), inside.is_empty()) {
                (Some(advice), _) => advice,
                (None, false) => format!("; give one of those inside: {}", inside.join(", ")),
                // What tokenizers were before they were files of JSON.
                (None, true) if dir.join("spiece.model").is_file() => {
                    let shown = dir.display();
                    format!(
                        "; a tokenizer.json can be made: python -c \"from transformers import AutoTokenizer as T; \
                         T.from_pretrained('{shown}').save_pretrained('{shown}')\""
                    )
                }
                (None, true) => String::new(),
            },
        });
    }
    let canonical =
        dir.canonicalize().map_err(|source| HubError::Io { path: dir.into(), source })?;
    Ok(from_snapshot_path(&canonical).unwrap_or_else(|| Model {
        id: canonical
            .file_name()
            .map_or_else(|| "/".into(), |name| name.to_string_lossy().into_owned()),
        dir: dir.into(),
        revision: None,
    }))
}

/// Folders in `dir` that hold a model of this kind: named adapters, or the steps of a training run.
fn models_inside(dir: &Path, kind: Kind) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut inside: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir() && missing_files(path, "", kind).is_empty())
        .collect();
    inside.sort();
    inside
}

/// A directory that is itself a snapshot of the hub's cache keeps its id and commit.
fn from_snapshot_path(dir: &Path) -> Option<Model> {
    let commit = dir.file_name()?.to_str()?;
    let snapshots = dir.parent()?;
    let repository = snapshots.parent()?.file_name()?.to_str()?;
    let id = repository.strip_prefix("models--")?.replacen("--", "/", 1);
    (snapshots.file_name()? == "snapshots").then(|| Model {
        dir: dir.into(),
        id,
        revision: Some(commit.into()),
    })
}

/// What is missing in `dir`. The pinned default encoder must also say how its tokens are pooled:
/// without `modules.json` an encoder is read as unnormalised, which FGD is not.
fn missing_files(dir: &Path, id: &str, kind: Kind) -> Vec<String> {
    let mut wanted: Vec<&str> = kind.required().to_vec();
    if id == GTE_SMALL {
        wanted.extend(["modules.json", "1_Pooling/config.json"]);
    }
    let mut missing: Vec<String> =
        wanted.into_iter().filter(|name| !dir.join(name).is_file()).map(str::to_owned).collect();
    let (single, index) = kind.weights();
    if !dir.join(single).is_file() {
        match index.map(|name| dir.join(name)).filter(|path| path.is_file()) {
            Some(path) => missing.extend(
                shards(&path)
                    .unwrap_or_default()
                    .into_iter()
                    .filter(|shard| !dir.join(shard).is_file()),
            ),
            None => missing.push(single.into()),
        }
    }
    missing
}

/// The shard files that an index names. Names that would leave the directory are dropped.
fn shards(index: &Path) -> Option<BTreeSet<String>> {
    let json: serde_json::Value = serde_json::from_reader(File::open(index).ok()?).ok()?;
    Some(
        json.get("weight_map")?
            .as_object()?
            .values()
            .filter_map(|file| file.as_str())
            .filter(|file| !file.contains(['/', '\\']))
            .map(str::to_owned)
            .collect(),
    )
}

/// The folder of a revision and its commit. Neither a revision nor what a file of the cache calls its commit may lead out of the
/// repository's folder.
fn snapshot(id: &str, revision: &str, settings: &Settings) -> Option<(PathBuf, String)> {
    let inside =
        |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !inside(revision) {
        return None;
    }
    let repository = settings.cache.join(format!("models--{}", id.replace('/', "--")));
    let commit = std::fs::read_to_string(repository.join("refs").join(revision))
        .map_or_else(|_| revision.to_owned(), |text| text.trim().to_owned());
    let dir = repository.join("snapshots").join(&commit);
    (inside(&commit) && dir.is_dir()).then_some((dir, commit))
}

fn cached(id: &str, revision: &str, kind: Kind, settings: &Settings) -> Option<Model> {
    let (dir, commit) = snapshot(id, revision, settings)?;
    missing_files(&dir, id, kind).is_empty().then(|| Model {
        dir,
        id: id.into(),
        revision: Some(commit),
    })
}
