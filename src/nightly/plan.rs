//! What a night runs: steps with a key over everything that goes into them.

use super::hashes::Hashes;
use super::suite::{Benchmark, DataSet, Suite, System};
use fgd_store::hub::{self, Kind};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// A step: one process of `fgd` that ends in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is called, such as `score base`.
    pub name: String,
    /// Arguments of `fgd`, without the place of the result.
    pub arguments: Vec<String>,
    /// Hash over arguments, inputs and program, and over the night where the step is to be repeated every night.
    pub key: String,
}

/// Makes steps: knows the suite, its folder, and the hashes of files.
pub struct Planner<'a> {
    suite: &'a Suite,
    folder: &'a Path,
    program: String,
    encoder: Result<String, String>,
    night: String,
}

/// What goes into a system's captions, apart from the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Hash over it.
    pub key: String,
}

impl<'a> Planner<'a> {
    /// Gets ready to plan; `night` keeps steps apart that are to be repeated.
    pub fn new(suite: &'a Suite, folder: &'a Path, night: &str, hashes: &mut Hashes) -> Self {
        let program = std::env::current_exe().map_err(|error| error.to_string());
        let program = program.and_then(|path| hashes.of(&path).map_err(|error| error.to_string()));
        let mut planner = Self {
            suite,
            folder,
            program: program.unwrap_or_else(|_| env!("CARGO_PKG_VERSION").into()),
            encoder: Ok(String::new()),
            night: night.into(),
        };
        planner.encoder = planner.model(&suite.encoder, Kind::Encoder, hashes);
        planner
    }

    /// A path of the suite, from where this program stands.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// Whether the images and references of a data set are those that the suite names.
    pub fn check_data(&self, data: &DataSet, hashes: &mut Hashes) -> Result<(), String> {
        let mut check = |what: &str, path: &Path, wanted: &Option<String>| {
            let found = hashes
                .of(&self.path(path))
                .map_err(|error| error.to_string())?;
            match wanted {
                Some(wanted) if !wanted.eq_ignore_ascii_case(&found) => Err(format!(
                    "{what} of data set `{}` have changed: SHA-256 is {found}, the suite says {wanted}; \
                     put them back, or change {what}_sha256",
                    data.name
                )),
                _ => Ok(()),
            }
        };
        check("references", &data.references, &data.references_sha256)?;
        match &data.images {
            Some(images) => check("images", images, &data.images_sha256),
            None => Ok(()),
        }
    }

    /// What goes into a system's captions.
    pub fn origin(&self, system: &System, hashes: &mut Hashes) -> Result<Origin, String> {
        let of_file = |hashes: &mut Hashes, path: &Path| {
            hashes
                .of(&self.path(path))
                .map_err(|error| error.to_string())
        };
        let data = self.suite.data_of(system);
        let mut parts = vec![of_file(hashes, &data.references)?, self.encoder.clone()?];
        if let Some(submission) = &system.submission {
            parts.push(of_file(hashes, submission)?);
        }
        if let Some(checkpoint) = &system.checkpoint {
            parts.push(self.captioner(checkpoint, hashes)?);
            if let Some(adapter) = &system.adapter {
                parts.push(self.model(adapter, Kind::Adapter, hashes)?);
            }
            if let Some(images) = &data.images {
                parts.push(of_file(hashes, images)?);
            }
            parts.extend(system.arguments.iter().cloned());
        }
        parts.extend(data.arguments.iter().cloned());
        parts.extend(self.suite.metrics.iter().cloned());
        parts.extend(self.suite.engine.clone());
        let key = key(parts.iter().map(String::as_str));
        Ok(Origin { key })
    }

    /// Captions of a checkpoint. The same checkpoint, images and program make the same captions, on any night.
    pub fn caption(&self, system: &System, origin: &Origin) -> Step {
        let data = self.suite.data_of(system);
        let mut arguments = self.global("caption");
        let flags = [
            ("--checkpoint", system.checkpoint.clone()),
            ("--adapter", system.adapter.clone()),
            (
                "--images",
                data.images.as_ref().map(|path| path.display().to_string()),
            ),
        ];
        for (flag, value) in flags {
            arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
        }
        arguments.extend(system.arguments.iter().cloned());
        self.step(
            format!("caption {}", system.name),
            arguments,
            &[&origin.key],
        )
    }

    /// The score of a system's captions. It is computed anew every night, without the embedding cache: a score that
    /// moves with nothing that goes into it is what the suite is there to find.
    pub fn score(&self, system: &System, captions: &Path, sha256: &str) -> Step {
        let mut arguments = self.global("score");
        arguments.push(captions.display().to_string());
        arguments.extend(self.scoring(self.suite.data_of(system)));
        arguments.extend(["--no-cache".into(), "--worst".into(), "5".into()]);
        self.step(
            format!("score {}", system.name),
            arguments,
            &[sha256, &self.night],
        )
    }

    /// Tonight's captions beside the accepted ones.
    pub fn compare(
        &self,
        system: &System,
        [accepted, tonight]: [&Path; 2],
        sha256: [&str; 2],
    ) -> Step {
        let mut arguments = self.global("compare");
        arguments.push(format!("accepted={}", accepted.display()));
        arguments.push(format!("tonight={}", tonight.display()));
        arguments.extend(self.scoring(self.suite.data_of(system)));
        self.step(format!("compare {}", system.name), arguments, &sha256)
    }

    /// All systems of a data set, ranked.
    pub fn leaderboard(&self, data: &DataSet, captions: &[(&str, &Path, &str)]) -> Step {
        let mut arguments = self.global("leaderboard");
        let named = |(name, path, _): &(&str, &Path, &str)| format!("{name}={}", path.display());
        arguments.extend(captions.iter().map(named));
        arguments.extend(self.scoring(data));
        let hashes: Vec<&str> = captions.iter().map(|(_, _, sha256)| *sha256).collect();
        self.step(format!("leaderboard {}", data.name), arguments, &hashes)
    }

    /// A benchmark; `again` for a second measurement.
    pub fn bench(&self, benchmark: &Benchmark, again: bool) -> Step {
        let mut arguments = self.global("bench");
        arguments.push(benchmark.target.name().into());
        arguments.extend(["--scenario".into(), benchmark.scenario.clone()]);
        arguments.extend(benchmark.arguments.iter().cloned());
        let again = if again { " again" } else { "" };
        self.step(
            format!("bench {}{again}", benchmark.name),
            arguments,
            &[&self.night],
        )
    }

    fn global(&self, command: &str) -> Vec<String> {
        let mut arguments = vec![command.to_owned()];
        if let Some(threads) = self.suite.threads {
            arguments.extend(["--threads".into(), threads.to_string()]);
        }
        arguments
    }

    fn scoring(&self, data: &DataSet) -> Vec<String> {
        let suite = self.suite;
        let mut arguments = vec![
            "--references".to_owned(),
            data.references.display().to_string(),
        ];
        arguments.extend(["--encoder".into(), suite.encoder.clone()]);
        if let Some(engine) = &suite.engine {
            arguments.extend(["--engine".into(), engine.clone()]);
        }
        if !suite.metrics.is_empty() {
            arguments.extend(["--metrics".into(), suite.metrics.join(",")]);
        }
        arguments.extend(data.arguments.iter().cloned());
        arguments
    }

    fn step(&self, name: String, arguments: Vec<String>, inputs: &[&str]) -> Step {
        let encoder = self.encoder.as_deref().unwrap_or_default();
        let parts = [self.program.as_str(), encoder].into_iter();
        let parts = parts
            .chain(arguments.iter().map(String::as_str))
            .chain(inputs.iter().copied());
        Step {
            key: key(parts),
            name,
            arguments,
        }
    }

    /// Hash of a model: a directory of the suite, or what a hub id resolves to.
    fn model(&self, name: &str, kind: Kind, hashes: &mut Hashes) -> Result<String, String> {
        let local = self.path(Path::new(name));
        let dir = if local.is_dir() {
            local
        } else {
            let settings = crate::settings::hub(false);
            hub::resolve(name, kind, &settings)
                .map_err(|error| error.to_string())?
                .dir
        };
        hashes.of(&dir).map_err(|error| error.to_string())
    }

    /// A checkpoint; an adapter given as one brings its base, which `fgd caption` finds.
    fn captioner(&self, name: &str, hashes: &mut Hashes) -> Result<String, String> {
        self.model(name, Kind::Checkpoint, hashes)
            .or_else(|error| self.model(name, Kind::Adapter, hashes).map_err(|_| error))
    }
}

/// Hash over texts; lengths keep ("a", "bc") apart from ("ab", "c").
pub fn key<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("{:x}", hasher.finalize())[..32].to_owned()
}
