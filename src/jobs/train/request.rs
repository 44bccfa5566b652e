//! What a training is asked: one shape for flags, a file of presets, a JSON job and a suite.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fgd_captioner::run::flat;
use fgd_captioner::train::{Learning, OrderConfig};
use fgd_captioner::{DEFAULT_PROMPT, Precision};
use fgd_captions::ReadOptions;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::distill::Distill;
use super::judge::Judging;
use super::self_critical::Scst;
use super::tracking::Tracking;
use super::{BEST, LAST, REQUEST};
use crate::jobs::JobError;
use crate::jobs::apart::Apart;

/// Presets with every setting there is, commented: what `fgd train init` writes, and the documentation of every key.
pub const EXAMPLE: &str = include_str!("example.toml");

/// When a run saves, judges itself, and ends early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Watching {
    /// Steps between two states that are saved: so many are lost at most when the process is killed.
    pub save_every: usize,
    /// Steps between two adapters that are kept as `step-N`; none if not said.
    pub keep_every: Option<usize>,
    /// Steps between two validations; an epoch if not said.
    pub evaluate_every: Option<usize>,
    /// Ends after so many validations that were no better than the best before.
    pub patience: Option<usize>,
    /// How adapters are judged by their captions; by the loss alone if not said.
    pub judging: Option<Judging>,
}

impl Default for Watching {
    fn default() -> Self {
        Self {
            save_every: 1,
            keep_every: None,
            evaluate_every: None,
            patience: None,
            judging: None,
        }
    }
}

/// What a model learns to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// To expect the next token of the captions: cross-entropy.
    #[default]
    Ce,
    /// To write captions that mean what the references mean: self-critical training, from an adapter that cross-entropy has made.
    Scst,
    /// To write captions that were chosen by their meaning: cross-entropy of such captions beside the real ones.
    Distill,
}

/// What `fgd train` is asked, and what a file of presets says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// The checkpoint: a directory or a hub id.
    pub checkpoint: String,
    /// Adapter to begin at; PEFT's first values if not said.
    pub adapter: Option<String>,
    /// The folder that `fgd features` filled.
    pub features: PathBuf,
    /// Captions to learn.
    pub captions: PathBuf,
    /// Captions to judge by, of other images.
    pub validation: Option<PathBuf>,
    /// The directory of the run.
    pub output: PathBuf,
    /// What the model is asked.
    pub prompt: String,
    /// How the caption files are read.
    pub reading: ReadOptions,
    /// Whether captions that repeat themselves or seem cut off are notes and not errors.
    pub lenient: bool,
    /// What the frozen weights are kept in: f32 or bf16. The factors are f32.
    pub dtype: Precision,
    /// Where the frozen weights are multiplied: cpu, or cuda:N in a build with that feature.
    pub device: String,
    /// How it learns.
    pub learning: Learning,
    /// In what order.
    pub order: OrderConfig,
    /// What it learns to do.
    pub objective: Objective,
    /// How captions are drawn for `objective = "scst"`.
    pub scst: Scst,
    /// What is mixed into the captions for `objective = "distill"`.
    pub distill: Distill,
    /// When it saves and judges itself.
    pub watching: Watching,
    /// Who else is told.
    pub tracking: Tracking,
}

impl Apart for Request {
    fn inputs(&self) -> Vec<&Path> {
        let validation = self.validation.as_deref();
        [&*self.captions].into_iter().chain(validation).collect()
    }
}

impl Default for Request {
    fn default() -> Self {
        Self {
            checkpoint: String::new(),
            adapter: None,
            features: PathBuf::new(),
            captions: PathBuf::new(),
            validation: None,
            output: PathBuf::new(),
            prompt: DEFAULT_PROMPT.into(),
            reading: ReadOptions::default(),
            lenient: false,
            dtype: Precision::F32,
            device: "cpu".into(),
            learning: Learning::default(),
            order: OrderConfig::default(),
            objective: Objective::default(),
            scst: Scst::default(),
            distill: Distill::default(),
            watching: Watching::default(),
            tracking: Tracking::default(),
        }
    }
}

impl Request {
    /// The settings that self-critical training begins with: a small rate, one epoch, captions that decide.
    pub fn self_critical() -> Self {
        let mut request = Self { objective: Objective::Scst, ..Self::default() };
        request.learning.optimizer.learning_rate = 5e-6;
        request.order.epochs = 1.0;
        request.watching.judging = Some(Judging::default());
        request
    }

    /// The request of the run in `dir`.
    ///
    /// # Errors
    /// A directory without a run.
    pub fn of_run(dir: &Path) -> Result<Self, JobError> {
        let path = dir.join(REQUEST);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            JobError::usage(format!("{}: {error}; give the directory of a run", path.display()))
        })?;
        let request: Self = serde_json::from_str(&text)
            .map_err(|error| JobError::usage(format!("{}: {error}", path.display())))?;
        // The directory may have been moved.
        Ok(Self { output: dir.into(), ..request })
    }

    /// The settings in which another request differs.
    ///
    /// # Errors
    /// Settings that are no JSON, such as a rate that is not finite.
    pub fn differing(&self, other: &Self) -> Result<Vec<String>, JobError> {
        let fields = |request| -> Result<Map<String, Value>, JobError> {
            let value = serde_json::to_value(request).and_then(serde_json::from_value);
            value.map_err(|error| JobError::because(REQUEST, error))
        };
        let (own, other) = (fields(self)?, fields(other)?);
        let (own, other) = (flat(&own), flat(&other));
        let names: BTreeSet<&String> = own.keys().chain(other.keys()).collect();
        let differing = names.into_iter().filter(|name| own.get(*name) != other.get(*name));
        // The innermost name is that of a flag, but for one that is PEFT's.
        let flag = |name: &String| match name.rsplit('.').next().unwrap_or_default() {
            "r" => "rank".to_owned(),
            name => name.replace('_', "-"),
        };
        Ok(differing.map(flag).collect())
    }

    /// What a run that is interrupted behind a step of so many ends with.
    pub(super) fn stopped(&self, step: usize, steps: usize) -> JobError {
        let dir = self.output.display();
        let reason =
            format!("stopped after step {step} of {steps}; fgd train --resume {dir} goes on");
        JobError::Failed(reason.into())
    }

    /// The adapter that a finished run is for: the best, or without a validation the last.
    pub fn adapter_dir(&self) -> PathBuf {
        self.output.join(if self.validation.is_some() { BEST } else { LAST })
    }

    /// Refuses settings without a meaning, before anything is read.
    pub(super) fn check(&self) -> Result<(), JobError> {
        let paths = [&self.features, &self.captions, &self.output];
        if self.checkpoint.is_empty() || paths.iter().any(|path| path.as_os_str().is_empty()) {
            let what = "give --checkpoint, --features, --captions and -o, or a --config that has them, or --resume";
            return Err(JobError::usage(what));
        }
        self.learning.check()?;
        self.order.check()?;
        if self.dtype == Precision::Q8 {
            return Err(JobError::usage("--dtype q8: frozen weights are f32 or bf16 in training"));
        }
        let Watching { save_every, keep_every, evaluate_every, patience, judging } = &self.watching;
        let zero = [Some(*save_every), *keep_every, *evaluate_every, *patience].contains(&Some(0));
        if zero {
            let what = "--save-every, --keep-every, --evaluate-every and --patience";
            return Err(JobError::usage(format!("{what} must be at least 1")));
        }
        if self.objective == Objective::Scst {
            if judging.is_none() {
                let what = "--objective scst stops when captions get poorer: give --select-by fgd_paired and --validation";
                return Err(JobError::usage(what));
            }
            let Scst { samples, ce_weight, .. } = &self.scst;
            if *samples < 2 || !ce_weight.is_finite() || *ce_weight < 0.0 {
                let what =
                    "scst: at least 2 samples, and a weight of cross-entropy that is not negative";
                return Err(JobError::usage(what));
            }
            self.scst.generation().check()?;
        }
        match (self.objective == Objective::Distill, self.distill.synthetic.is_empty()) {
            (true, true) => {
                let what = "--objective distill learns captions that were chosen by their meaning: make them with fgd caption --samples 16 \
                            --select mbr, and give them as --synthetic";
                return Err(JobError::usage(what));
            }
            (false, false) => {
                let what =
                    "--synthetic: give --objective distill too, or mix captions with fgd curate";
                return Err(JobError::usage(what));
            }
            _ => {}
        }
        let judges = patience.is_some() || evaluate_every.is_some() || judging.is_some();
        if judges && self.validation.is_none() {
            let what = "--patience, --evaluate-every and --select-by need captions to judge by";
            return Err(JobError::usage(format!("{what}: give --validation")));
        }
        judging.as_ref().map_or(Ok(()), |judging| Ok(judging.generation().check()?))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::toml_file;

    /// The example with what stands behind `# `, where that is a key or a table.
    fn uncommented() -> String {
        let is_key = |rest: &str| {
            let word = rest.trim_start_matches('[').split([' ', ']']).next().unwrap_or_default();
            (rest.starts_with('[') || rest.contains(" = "))
                && word.chars().all(|c| c.is_ascii_lowercase() || "_.1234567890".contains(c))
        };
        let line = |line: &'static str| match line.strip_prefix("# ").filter(|rest| is_key(rest)) {
            Some(rest) => format!("{rest}\n"),
            None => format!("{line}\n"),
        };
        EXAMPLE.lines().map(line).collect()
    }

    #[test]
    fn the_example_shows_every_key_with_its_default() {
        let path = Path::new("train.toml");
        let plain: Request = toml_file::parse(EXAMPLE, path).unwrap();
        let example = uncommented();
        let full: Request = toml_file::parse(&example, path).unwrap();
        // What has a default stands there with it; what has none stands there with something.
        assert_eq!((&full.learning, &full.dtype), (&plain.learning, &plain.dtype));
        assert_eq!(OrderConfig { max_steps: None, ..full.order.clone() }, plain.order);
        assert!(full.watching.judging.is_some() && full.tracking.mlflow.is_some());
        for table in [
            "",
            "[learning]",
            "[learning.lora]",
            "[learning.optimizer]",
            "[order]",
            "[watching]",
            "[watching.judging]",
            "[tracking]",
        ] {
            let wrong = toml::from_str::<Request>(&format!("{table}\nzzzzzz = 1")).unwrap_err();
            for key in wrong.message().split('`').skip(3).step_by(2) {
                let written = [format!("{key} = "), format!("[{key}]"), format!(".{key}]")];
                assert!(
                    written.iter().any(|form| example.contains(form.as_str())),
                    "{table} {key}"
                );
            }
        }
    }
}
