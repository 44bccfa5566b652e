//! What several jobs can be told, as plain data: how files are read, captions embedded, and numbers chosen.
//!
//! Each is a table of a suite file, a part of a request in JSON, and a group of flags. Field names are those of the flags
//! with underscores; what is left out has the flag's default.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use fgd_captions::{ReadOptions, Role};
use fgd_encoder::EngineKind;
use fgd_store::hub::GTE_SMALL;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::JobError;
use super::scoring::metrics::Choice;

/// Which encoder, and how it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Encoding {
    /// A directory, or a hub id with an optional `@revision`.
    pub encoder: String,
    /// Engine that runs it.
    pub engine: EngineKind,
    /// Device of the candle engine: `cpu` or `cuda:N`.
    pub device: String,
    /// Count at most this many tokens of a caption (never more than the encoder can).
    pub max_length: Option<usize>,
    /// Whether embeddings are kept between jobs.
    pub cache: bool,
}

impl Encoding {
    /// Checks before any file is read what needs no encoder, even where every embedding is at hand already.
    ///
    /// # Errors
    /// A device that the engine does not run on.
    pub fn check(&self) -> Result<(), JobError> {
        let (engine, device) = (self.engine, self.device.clone());
        let options = fgd_encoder::Options { engine, device, max_length: self.max_length };
        options.check_device().map_err(JobError::usage)
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self {
            encoder: GTE_SMALL.into(),
            engine: EngineKind::default(),
            device: "cpu".into(),
            max_length: None,
            cache: true,
        }
    }
}

/// The references and how their file is read, where that differs from the submissions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{\"path\": FILE}")]
pub struct References {
    /// Captions, `.npy` embeddings or `.npz` moments.
    pub path: PathBuf,
    /// Column of the image ids.
    #[serde(default)]
    pub id_column: Option<String>,
    /// Column of the captions.
    #[serde(default)]
    pub caption_column: Option<String>,
}

impl References {
    /// How the file is read, given how the submissions are.
    pub fn reading(&self, submissions: &ReadOptions) -> ReadOptions {
        let or =
            |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
        ReadOptions {
            id_column: or(&self.id_column, &submissions.id_column),
            caption_column: or(&self.caption_column, &submissions.caption_column),
            role: Role::References,
            ..submissions.clone()
        }
    }
}

/// Which numbers, and for which groups of images.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Measuring {
    /// Groups of further metrics by name; the distances are always there.
    pub metrics: Vec<String>,
    /// Columns to report every number by, or `ocr` or `length`.
    pub slice: Vec<String>,
    /// Column whose values say which images depend on each other: those of one value are one draw.
    pub cluster: Option<String>,
    /// Images of the finite set that the score is to speak for, of which these were drawn without replacement.
    pub population: Option<u64>,
    /// Seed of everything random.
    pub seed: u64,
}

impl Measuring {
    /// What to compute.
    ///
    /// # Errors
    /// A group of metrics that does not exist.
    pub fn choice(&self) -> Result<Choice, JobError> {
        Choice::of(&self.metrics, self.seed).map_err(JobError::usage)
    }

    /// Refuses those of the settings `slice`, `cluster` and `population` that a job does not go by.
    ///
    /// # Errors
    /// One of these that is there, with the reason `why` it has no effect.
    pub fn refuse(&self, settings: &[&str], why: &str) -> Result<(), JobError> {
        let is_set = |name: &&&str| match **name {
            "slice" => !self.slice.is_empty(),
            "cluster" => self.cluster.is_some(),
            _ => self.population.is_some(),
        };
        match settings.iter().find(is_set) {
            None => Ok(()),
            Some(name) => Err(JobError::usage(format!("--{name}: {why}; leave it out"))),
        }
    }

    /// Itself as a record keeps it, by flag name.
    pub fn settings(&self) -> BTreeMap<String, Value> {
        BTreeMap::from([
            ("cluster".to_owned(), self.cluster.clone().into()),
            ("population".to_owned(), self.population.into()),
            ("metrics".to_owned(), self.metrics.clone().into()),
            ("seed".to_owned(), self.seed.into()),
            ("slice".to_owned(), self.slice.clone().into()),
        ])
    }
}

/// What a record keeps of the captions, so that its report can list them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keeping {
    /// Whether it keeps every caption with its numbers.
    pub captions: bool,
    /// Of how many images it keeps a small picture, where images are at hand; those looked at first. By default of as many as a
    /// page of 8 MB has room for.
    pub thumbnails: Option<usize>,
}

/// A file, directory or hub id with the name of its system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{\"name\": NAME, \"path\": FILE}")]
pub struct Named {
    /// What reports call the system.
    pub name: String,
    /// What stands for it.
    pub path: PathBuf,
}

impl Named {
    /// Refuses systems that nobody could tell apart.
    pub fn check_all(systems: &[Self]) -> Result<(), JobError> {
        let mut taken = HashSet::new();
        match systems.iter().find(|system| !taken.insert(&system.name)) {
            None => Ok(()),
            Some(Self { name, path }) => Err(JobError::usage(format!(
                "two systems are called `{name}`: give each a name of its own, as in NAME={}",
                path.display()
            ))),
        }
    }
}
