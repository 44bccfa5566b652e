//! What a night runs: requests of jobs, each with a key over everything that goes into it.

use std::path::{Path, PathBuf};

use fgd_store::digest::{Digest, HashMemo};
use fgd_store::hub::{self, Kind};
use serde::Serialize;

use super::Workspace;
use super::suite::{Benchmark, DataSet, Suite, System};
use crate::jobs::options::{Encoding, Measuring, Named, References};
use crate::jobs::request::Request;
use crate::jobs::scoring::system::System as Opened;
use crate::jobs::{JobError, caption, compare, leaderboard, score, train};
use crate::settings::Settings;

/// A step: one process that does a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it is called, such as `score base`.
    pub name: String,
    /// The job. Its relative paths begin in the folder of the suite.
    pub request: Request,
    /// Digest over request, inputs and program, and over the night where the step is to be repeated every night.
    pub key: String,
}

/// A file of captions that is scored, and what it is scored with.
#[derive(Debug, Clone, Copy)]
pub struct Captions<'a> {
    /// What the step calls its system.
    pub name: &'a str,
    /// The file.
    pub path: &'a Path,
    /// Its hash.
    pub sha256: &'a str,
    /// Digest over what goes into the captions and their score: the references by their content.
    pub inputs: &'a str,
}

/// Makes steps: knows the suite, its folder, and the hashes of files.
pub struct Planner<'a> {
    workspace: &'a Workspace,
    pub(super) suite: &'a Suite,
    pub(super) hub: &'a hub::Settings,
    program: String,
    pub(super) encoder: Result<String, String>,
    night: String,
}

impl<'a> Planner<'a> {
    /// Gets ready to plan; `night` keeps steps apart that are to be repeated.
    pub fn new(
        workspace: &'a Workspace,
        settings: &'a Settings,
        night: &str,
        hashes: &mut HashMemo,
    ) -> Self {
        let program = hashes.sha256(&settings.program.code);
        let mut planner = Self {
            workspace,
            suite: &workspace.suite,
            hub: &settings.hub,
            program: program.unwrap_or_else(|_| env!("CARGO_PKG_VERSION").into()),
            encoder: Ok(String::new()),
            night: night.into(),
        };
        planner.encoder = planner.model(&planner.suite.encoder, Kind::Encoder, hashes);
        planner
    }

    /// A path of the suite, from where this program stands.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.workspace.folder.join(path)
    }

    /// The training of a system's adapter, if it has one. The run lies under the key of the step and is gone on with by the night
    /// that follows one that ended in it.
    pub fn train(&self, system: &System, inputs: &str) -> Option<(Step, train::Request)> {
        let mut request = train::Request::clone(system.train.as_ref()?);
        request.checkpoint = system.checkpoint.clone().unwrap_or_default();
        if let Some(judging) = &mut request.watching.judging
            && judging.encoding == Encoding::default()
        {
            judging.encoding = self.encoding();
        }
        let name = format!("train {}", system.name);
        let step = self.step(name, Request::Train(Box::new(request.clone())), &[inputs]);
        request.output = self.workspace.state.join("training").join(&step.key);
        Some((Step { request: Request::Train(Box::new(request.clone())), ..step }, request))
    }

    /// Captions of a checkpoint. The same checkpoint, images and program make the same captions, on any night; they lie
    /// under the key of the step, in the file that is answered beside it.
    pub fn caption(&self, system: &System, inputs: &str) -> (Step, PathBuf) {
        let data = self.suite.data_of(system);
        let mut request = caption::Request {
            checkpoint: system.checkpoint.clone().unwrap_or_default(),
            adapter: system.adapter.clone(),
            images: data.images.clone().unwrap_or_default(),
            image_root: None,
            shard: Default::default(),
            output: PathBuf::new(),
            device: system.device.clone(),
            captioning: system.captioning.clone(),
            choosing: Default::default(),
            encoding: match system.captioning.draws_several() {
                true => self.encoding(),
                false => Encoding::default(),
            },
            samples_file: None,
        };
        let name = format!("caption {}", system.name);
        let step = self.step(name, Request::Caption(request.clone()), &[inputs]);
        let folder = self.workspace.state.join("captions").join(&step.key);
        request.output = folder.join("captions.csv");
        // What is trained from the same inputs is the same adapter, wherever it lies.
        if let Some((_, train)) = self.train(system, inputs) {
            request.adapter = Some(train.adapter_dir().display().to_string());
        }
        let captions = request.output.clone();
        (Step { request: Request::Caption(request), ..step }, captions)
    }

    /// The score of a system's captions. It is computed anew every night, without the embedding cache: a score that
    /// moves with nothing that goes into it is what the suite is there to find.
    pub fn score(&self, system: &System, captions: Captions) -> Step {
        let data = self.suite.data_of(system);
        let request = score::Request {
            submission: captions.path.into(),
            references: self.references(data),
            worst: 5,
            reading: data.reading.clone(),
            encoding: Encoding { cache: false, ..self.encoding() },
            measuring: self.measuring(data),
            ..score::Request::default()
        };
        let name = format!("score {}", system.name);
        let inputs = [captions.sha256, captions.inputs, &self.night];
        self.step(name, Request::Score(request), &inputs)
    }

    /// Tonight's captions beside the accepted ones.
    pub fn compare(&self, system: &System, accepted: Captions, tonight: Captions) -> Step {
        let name = format!("compare {}", system.name);
        self.beside_first(name, self.suite.data_of(system), &[accepted, tonight])
    }

    /// The systems that a condition holds against the first of them.
    pub fn condition(&self, condition: &str, data: &DataSet, captions: &[Captions]) -> Step {
        self.beside_first(format!("condition {condition}"), data, captions)
    }

    fn beside_first(&self, name: String, data: &DataSet, captions: &[Captions]) -> Step {
        let request = compare::Request {
            systems: named(captions),
            against_first: true,
            references: Some(self.references(data)),
            reading: data.reading.clone(),
            encoding: self.encoding(),
            measuring: self.measuring(data),
            ..compare::Request::default()
        };
        self.step(name, Request::Compare(request), &hashes(captions))
    }

    /// All systems of a data set, ranked.
    pub fn leaderboard(&self, data: &DataSet, captions: &[Captions]) -> Step {
        let request = leaderboard::Request {
            submissions: named(captions),
            references: self.references(data),
            reading: data.reading.clone(),
            encoding: self.encoding(),
            measuring: self.measuring(data),
            ..leaderboard::Request::default()
        };
        let name = format!("leaderboard {}", data.name);
        self.step(name, Request::Leaderboard(request), &hashes(captions))
    }

    /// A benchmark; `again` for a second measurement.
    pub fn bench(&self, benchmark: &Benchmark, again: bool) -> Step {
        let again = if again { " again" } else { "" };
        let name = format!("bench {}{again}", benchmark.name);
        self.step(name, Request::Bench(benchmark.request()), &[&self.night])
    }

    fn encoding(&self) -> Encoding {
        Encoding {
            encoder: self.suite.encoder.clone(),
            engine: self.suite.engine,
            device: self.suite.device.clone(),
            max_length: self.suite.max_length,
            cache: true,
        }
    }

    pub(super) fn measuring(&self, data: &DataSet) -> Measuring {
        Measuring {
            metrics: self.suite.metrics.clone(),
            slice: data.slice.clone(),
            seed: self.suite.seed,
            ..Measuring::default()
        }
    }

    /// The references of a data set, as jobs are told of them.
    pub fn references(&self, data: &DataSet) -> References {
        References {
            path: data.references.clone(),
            id_column: data.reference_id_column.clone(),
            caption_column: data.reference_caption_column.clone(),
        }
    }

    /// A submission and the references of a data set, read and settled as a score has them.
    ///
    /// # Errors
    /// Files that cannot be read; references with errors.
    pub fn opened(&self, submission: &Path, data: &DataSet) -> Result<(Opened, Opened), JobError> {
        let mut references = self.references(data);
        references.path = self.path(&references.path);
        let references = Opened::open_references(&references, &data.reading)?;
        let mut submission = Opened::open_submission(submission, &data.reading)?;
        submission.settle(&references);
        Ok((submission, references))
    }

    fn step(&self, name: String, request: Request, inputs: &[&str]) -> Step {
        let digest = Digest::new("step of a night", 1)
            .field("program", &self.program)
            .field("encoder", self.encoder.as_deref().unwrap_or_default())
            .field("request", json(&request))
            .field("threads", json(&self.suite.threads));
        let with_input = |digest: Digest, input: &&str| digest.field("input", input);
        let digest = inputs.iter().fold(digest, with_input).finish();
        Step { key: digest[..32].to_owned(), name, request }
    }
}

fn named(captions: &[Captions]) -> Vec<Named> {
    let named =
        |captions: &Captions| Named { name: captions.name.into(), path: captions.path.into() };
    captions.iter().map(named).collect()
}

fn hashes<'a>(captions: &[Captions<'a>]) -> Vec<&'a str> {
    captions.iter().flat_map(|captions| [captions.sha256, captions.inputs]).collect()
}

/// Plain data as a field of a digest. Only a path that is no text has no JSON, and its step fails when it is written.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}
