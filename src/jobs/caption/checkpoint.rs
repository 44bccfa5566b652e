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
    /// Finds a checkpoint and its adapter. As for `from_pretrained`, an adapter beside the checkpoint's weights belongs to it, and
    /// one without weights brings its base.
    ///
    /// # Errors
    /// A name that leads to no model, an adapter whose base is not known, two adapters.
    pub fn resolve(name: &str, adapter: Option<&str>, session: &Session) -> Result<Self, JobError> {
        let settings = &session.settings.hub;
        let adapter = match adapter {
            Some(name) => Some(hub::resolve(name, Kind::Adapter, settings)?),
            None => None,
        };
        let base = match hub::resolve(name, Kind::Checkpoint, settings) {
            Ok(base) => base,
            Err(error) => match hub::resolve(name, Kind::Adapter, settings) {
                Ok(alone) => return Self::of_adapter(name, alone, adapter.is_some(), session),
                Err(of_adapter) if Adapter::is_in(Path::new(name)) => return Err(of_adapter.into()),
                Err(_) => return Err(error.into()),
            },
        };
        Self::joined(base, adapter, session)
    }

    /// A checkpoint with the adapter that was given for it, or else its own.
    fn joined(base: Model, given: Option<Model>, session: &Session) -> Result<Self, JobError> {
        if !Adapter::is_in(&base.dir) {
            return Ok(Self { base, adapter: given });
        }
        let canonical = |dir: &Path| dir.canonicalize().map_err(JobError::at(dir));
        let own = canonical(&base.dir)?;
        match given {
            Some(given) if canonical(&given.dir)? != own => Err(JobError::usage(format!(
                "{}: has an adapter of its own beside its weights, and a second one ({}) cannot be merged; \
                 give one of them, or move adapter_config.json away",
                base.id, given.id
            ))),
            _ => {
                let line =
                    format!("{} holds an adapter, which is merged into its weights", base.id);
                session.progress.say(&line);
                Ok(Self { adapter: Some(base.clone()), base })
            }
        }
    }

    /// An adapter that was given as the checkpoint, and the base that it names.
    fn of_adapter(
        name: &str,
        alone: Model,
        has_other: bool,
        session: &Session,
    ) -> Result<Self, JobError> {
        if has_other {
            return Err(JobError::usage(format!(
                "{name}: is an adapter; give its base as the checkpoint"
            )));
        }
        let Some(base) = Adapter::base_of(&alone.dir)? else {
            return Err(JobError::usage(format!(
                "{name}: is an adapter that names no base; give the base as the checkpoint and this as its adapter"
            )));
        };
        session.progress.say(&format!("{name} is an adapter of {base}"));
        let base = hub::resolve(&base, Kind::Checkpoint, &session.settings.hub)?;
        Self::joined(base, Some(alone), session)
    }

    /// Looks through everything but the weights' numbers: configuration, tokenizer, names and shapes, and whether the adapter
    /// fits.
    ///
    /// # Errors
    /// As [`Self::load`], for what can be known before the weights are read.
    pub fn check(&self, options: &LoadOptions) -> Result<(), JobError> {
        let adapter = self.adapter.as_ref().map(|model| model.dir.as_path());
        Ok(Captioner::check(&self.base.dir, adapter, options)?)
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
