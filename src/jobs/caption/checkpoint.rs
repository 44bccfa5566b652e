//! Which checkpoint, and which adapter on it: from names to directories, and from there into memory.

use std::path::Path;

use fgd_captioner::weights::Adapter;
use fgd_captioner::{Captioner, LoadOptions};
use fgd_record::CheckpointInfo;
use fgd_store::hub::{self, Kind, Model};

use crate::jobs::{JobError, Session};

/// A checkpoint that was found, with the adapter to merge into it.
#[derive(Debug)]
pub struct Checkpoint {
    /// The weights.
    pub base: Model,
    /// The adapter.
    pub adapter: Option<Model>,
}

impl Checkpoint {
    /// Finds a checkpoint and its adapter; an adapter given as the checkpoint brings its base.
    ///
    /// # Errors
    /// A name that leads to no model, an adapter whose base is not known.
    pub fn resolve(name: &str, adapter: Option<&str>, session: &Session) -> Result<Self, JobError> {
        let settings = &session.settings.hub;
        let adapter = match adapter {
            Some(name) => Some(hub::resolve(name, Kind::Adapter, settings)?),
            None => None,
        };
        let found = if Adapter::is_alone_in(Path::new(name)) {
            None
        } else {
            match hub::resolve(name, Kind::Checkpoint, settings) {
                Ok(model) => Some(model),
                // A hub repository that holds an adapter only has no config.json.
                Err(error) => match hub::resolve(name, Kind::Adapter, settings) {
                    Ok(_) => None,
                    Err(_) => return Err(error.into()),
                },
            }
        };
        if let Some(base) = found {
            return Ok(Self { base, adapter });
        }
        if adapter.is_some() {
            return Err(JobError::usage(format!(
                "{name}: is an adapter; give its base as the checkpoint"
            )));
        }
        let alone = hub::resolve(name, Kind::Adapter, settings)?;
        let Some(base) = Adapter::read(&alone.dir)?.base().map(str::to_owned) else {
            return Err(JobError::usage(format!(
                "{name}: is an adapter that names no base; give the base as the checkpoint and this as its adapter"
            )));
        };
        session.progress.say(&format!("{name} is an adapter of {base}"));
        Ok(Self { base: hub::resolve(&base, Kind::Checkpoint, settings)?, adapter: Some(alone) })
    }

    /// Reads the weights and merges the adapter.
    ///
    /// # Errors
    /// Files that are missing, damaged, or not of a model that is supported.
    pub fn load(&self, options: LoadOptions, session: &Session) -> Result<Captioner, JobError> {
        let bar = session.progress.begin("loading", "bytes", 0);
        let adapter = self.adapter.as_ref().map(|model| model.dir.as_path());
        let captioner = Captioner::load(&self.base.dir, adapter, options, &|progress| {
            bar.set(progress.done, progress.total);
        })?;
        Ok(captioner)
    }

    /// The checkpoint as it stands in a record, once loaded onto the device of this name.
    pub fn info(&self, captioner: &Captioner, device: &str) -> CheckpointInfo {
        let identity = captioner.identity();
        let adapter = self.adapter.as_ref();
        let dtype = serde_json::to_value(captioner.options().precision).unwrap_or_default();
        CheckpointInfo {
            id: self.base.id.clone(),
            revision: self.base.revision.clone(),
            sha256: identity.checkpoint_sha256.clone(),
            adapter: adapter.map(|model| (model.id.clone(), identity.adapter_sha256.clone())),
            dtype: dtype.as_str().unwrap_or_default().to_owned(),
            device: device.to_owned(),
        }
    }
}
