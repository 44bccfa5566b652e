//! Running steps: one after the other, each left alone with its process, none repeated that is finished.

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use fgd_record::{NightlyStep, Record, StepOutcome};
use fgd_store::{digest, file};
use serde::{Deserialize, Serialize};

use super::history::Outcome;
use super::inputs::in_suite;
use super::lock::Lock;
use super::place::NightFolder;
use super::plan::Step;
use super::process::{self, Termination};
use super::{NightlyError, Workspace};
use crate::jobs::{Session, saved};

/// Why a step has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// It failed, and this is why.
    Failed(String),
    /// The night ended first.
    NotRun,
}

impl Missing {
    /// How its figures stand in the history, and why.
    pub fn told(self) -> (Outcome, String) {
        match self {
            Self::Failed(why) => (Outcome::Failed, why),
            Self::NotRun => (Outcome::NotRun, "the time budget was over before it".into()),
        }
    }
}

/// The result of a step, or why there is none. What no night can go on after is an error around it.
pub type StepResult<T> = Result<T, Missing>;

/// Runs the steps of a night.
pub struct Executor<'a> {
    /// Where steps run, and where their results go.
    pub workspace: &'a Workspace,
    /// The program that steps are processes of, and who is told of them.
    pub session: &'a Session,
    /// The night.
    pub night: &'a NightFolder,
    /// Held while steps run.
    pub lock: &'a mut Lock,
    /// What the night has copied, each with the file it is of: that one is what messages name.
    pub copies: Vec<[PathBuf; 2]>,
    /// When the night ends.
    pub deadline: Option<Instant>,
    /// What was run so far.
    pub steps: Vec<NightlyStep>,
}

/// What stands beside the result of a finished step.
#[derive(Debug, Serialize, Deserialize)]
struct Completion {
    key: String,
    /// Of the result: one that was edited or cut short is made again.
    sha256: String,
    seconds: f64,
}

impl Executor<'_> {
    /// A step that ends in a record.
    pub fn record(&mut self, step: &Step) -> Result<StepResult<Record>, NightlyError> {
        let file = self.night.file(&step.name, "json");
        let done = self.run(step, &file, &file)?;
        Ok(done.and_then(|()| {
            saved::read(&file).map_err(|error| {
                let why = format!("its record: {error}");
                self.note_failed(&step.name, &why);
                Missing::Failed(why)
            })
        }))
    }

    /// A step that ends in the file `to`, which is kept over nights with its record beside it.
    pub fn kept(&mut self, step: &Step, to: &Path) -> Result<StepResult<PathBuf>, NightlyError> {
        let folder = to.parent().unwrap_or(&self.workspace.state);
        std::fs::create_dir_all(folder).map_err(|source| NightlyError::io(folder, source))?;
        let result = self.run(step, to, &file::beside(to, "record.json"))?;
        Ok(result.map(|()| to.to_owned()))
    }

    /// Notes a step that could not even begin, or whose result is of no use.
    pub fn note_failed(&mut self, name: &str, why: &str) {
        self.note(name, StepOutcome::Failed, 0.0, Some(why.into()), None);
    }

    /// Runs a step that leaves `result` and writes its record, which may be the same file.
    fn run(
        &mut self,
        step: &Step,
        result: &Path,
        record: &Path,
    ) -> Result<StepResult<()>, NightlyError> {
        let marker = file::beside(result, "done.json");
        if let Some(completion) = completion(result, &step.key) {
            // Its age says when it was last of use, see `keep::retain`.
            let used = std::fs::File::options().append(true).open(&marker);
            let _ = used.and_then(|marker| marker.set_modified(SystemTime::now()));
            let seconds = completion.seconds;
            self.note(&step.name, StepOutcome::Cached, seconds, None, Some(result));
            return Ok(Ok(()));
        }
        let over = || format!("the time budget of the night was over before `{}`", step.name);
        if self.deadline.is_some_and(|end| Instant::now() >= end) {
            self.note(&step.name, StepOutcome::NotRun, 0.0, Some(over()), None);
            return Ok(Err(Missing::NotRun));
        }
        self.session.progress.say(&format!("{} …", step.name));
        let began = Instant::now();
        // A step of captions stays over nights; what was asked and what it says belong to the night.
        let request = self.night.file(&step.name, "request.json");
        let json = serde_json::to_vec_pretty(&step.request)
            .map_err(|error| NightlyError::Nothing(format!("{}: {error}", step.name)))?;
        file::write(&request, &json)?;
        let mut command = self.session.settings.job(&request);
        command.arg("--attached").arg("-o").arg(record);
        if self.session.settings.cache.is_none() {
            // cron may leave no HOME to find one in.
            command.env("FGD_CACHE_DIR", self.workspace.state.join("cache"));
        }
        // Those that the night itself was told, where the suite does not say.
        let threads = self.workspace.suite.threads.unwrap_or_else(rayon::current_num_threads);
        command.args(["--threads", &threads.to_string()]);
        command.current_dir(&self.workspace.folder);
        let lock = &mut *self.lock;
        let log = self.night.file(&step.name, "log");
        let ended = process::run(command, &log, self.deadline, &mut |worker| {
            lock.set_worker(Some(worker))
        })?;
        self.lock.set_worker(None)?;
        let seconds = began.elapsed().as_secs_f64();
        match ended {
            Termination::Done => {
                let (key, sha256) = (step.key.clone(), digest::file_sha256(result)?);
                let done = serde_json::to_vec(&Completion { key, sha256, seconds });
                file::write(&marker, &done.unwrap_or_default())?;
                self.note(&step.name, StepOutcome::Done, seconds, None, Some(result));
                Ok(Ok(()))
            }
            Termination::Failed(why) => {
                let why = self.copies.iter().fold(in_suite(&why), |why, [copy, original]| {
                    why.replace(&copy.display().to_string(), &original.display().to_string())
                });
                let message = Some(why.clone());
                self.note(&step.name, StepOutcome::Failed, seconds, message, None);
                Ok(Err(Missing::Failed(why)))
            }
            Termination::OutOfTime => {
                self.note(&step.name, StepOutcome::NotRun, seconds, Some(over()), None);
                Ok(Err(Missing::NotRun))
            }
        }
    }

    fn note(
        &mut self,
        name: &str,
        outcome: StepOutcome,
        seconds: f64,
        message: Option<String>,
        record: Option<&Path>,
    ) {
        let how = match outcome {
            StepOutcome::Done => format!("{name}: done in {seconds:.1} s"),
            StepOutcome::Cached => format!("{name}: done before"),
            StepOutcome::Failed | StepOutcome::NotRun => {
                format!("{name}: {}", message.as_deref().unwrap_or("not run"))
            }
        };
        self.session.progress.say(&how);
        let record = record.and_then(|path| path.strip_prefix(&self.workspace.state).ok());
        let step = NightlyStep {
            name: name.into(),
            outcome,
            seconds,
            message,
            record: record.map(|path| path.display().to_string()),
        };
        // A step whose record cannot be read was noted as done before it was noted as failed.
        self.steps.retain(|known| known.name != step.name);
        self.steps.push(step);
    }
}

/// Whether a step of this key has finished with this result.
pub fn is_done(result: &Path, key: &str) -> bool {
    completion(result, key).is_some()
}

fn completion(result: &Path, key: &str) -> Option<Completion> {
    let text = std::fs::read_to_string(file::beside(result, "done.json")).ok()?;
    let completion: Completion = serde_json::from_str(&text).ok()?;
    let is_whole = completion.key == key && digest::file_sha256(result).ok()? == completion.sha256;
    is_whole.then_some(completion)
}
