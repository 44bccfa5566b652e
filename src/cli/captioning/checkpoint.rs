//! Which checkpoint, and which adapter on it: from names to directories.

use crate::cli::exit::usage;
use crate::cli::output::Output;
use fgd_captioner::adapter::Adapter;
use fgd_store::hub::{self, Kind, Model};
use std::path::Path;

/// A checkpoint that was found, with the adapter to merge into it.
pub struct Checkpoint {
    /// The weights.
    pub base: Model,
    /// The adapter.
    pub adapter: Option<Model>,
}

impl Checkpoint {
    /// Finds a checkpoint and its adapter; an adapter given as the checkpoint brings its base.
    pub fn resolve(name: &str, adapter: Option<&str>, output: &Output) -> anyhow::Result<Self> {
        let settings = crate::settings::Settings::from_env("fgd".into(), output.draws_progress()).hub;
        let adapter = match adapter {
            Some(name) => Some(hub::resolve(name, Kind::Adapter, &settings)?),
            None => None,
        };
        let found = if Adapter::is_alone_in(Path::new(name)) {
            None
        } else {
            match hub::resolve(name, Kind::Checkpoint, &settings) {
                Ok(model) => Some(model),
                // A hub repository that holds an adapter only has no config.json.
                Err(error) => match hub::resolve(name, Kind::Adapter, &settings) {
                    Ok(_) => None,
                    Err(_) => return Err(error.into()),
                },
            }
        };
        if let Some(base) = found {
            return Ok(Self { base, adapter });
        }
        if adapter.is_some() {
            return Err(usage(format!(
                "{name}: is an adapter; give its base as the checkpoint"
            )));
        }
        let alone = hub::resolve(name, Kind::Adapter, &settings)?;
        let Some(base) = Adapter::read(&alone.dir)?.base().map(str::to_owned) else {
            return Err(usage(format!(
                "{name}: is an adapter that names no base; give the base as the checkpoint and this as its adapter"
            )));
        };
        output.say(format!("{name} is an adapter of {base}"));
        Ok(Self {
            base: hub::resolve(&base, Kind::Checkpoint, &settings)?,
            adapter: Some(alone),
        })
    }
}
