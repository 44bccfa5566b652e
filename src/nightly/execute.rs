//! Running steps: one after the other, each left alone with its process, none repeated that is finished.

use super::files::{Failure, write};
use super::lock::Lock;
use super::place::{NightFolder, slug};
use super::plan::Step;
use super::process::{self, Ended};
use fgd_record::{NightlyStep, Record, StepOutcome};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

/// What a step came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending<T> {
    /// Its result.
    Done(T),
    /// Its result, which says of itself that it does not count, and why.
    NotValid(T, String),
    /// Why there is none.
    Failed(String),
    /// The night ended first.
    NotRun,
}

/// Runs the steps of a night.
pub struct Executor<'a> {
    /// Folder of the suite: where steps run.
    pub folder: &'a Path,
    /// State folder.
    pub state: &'a Path,
    /// The night.
    pub night: &'a NightFolder,
    /// Held while steps run.
    pub lock: &'a mut Lock,
    /// When the night ends.
    pub deadline: Option<Instant>,
    /// Tells people what happens.
    pub say: &'a dyn Fn(&str),
    /// What was run so far.
    pub steps: Vec<NightlyStep>,
}

/// What stands beside the result of a finished step.
#[derive(Debug, Serialize, Deserialize)]
struct Finished {
    key: String,
    not_valid: Option<String>,
    seconds: f64,
}

impl<T> Ending<T> {
    /// The result, whether it counts or not.
    pub fn result(&self) -> Option<&T> {
        match self {
            Self::Done(result) | Self::NotValid(result, _) => Some(result),
            Self::Failed(_) | Self::NotRun => None,
        }
    }
}

impl Executor<'_> {
    /// A step that ends in a record.
    pub fn record(&mut self, step: &Step) -> Result<Ending<Record>, Failure> {
        let file = self.night.path.join(format!("{}.json", slug(&step.name)));
        let mut arguments = step.arguments.clone();
        arguments.extend(["--format".into(), "json".into()]);
        let ending = self.run(step, &arguments, &file)?;
        let read = |_: PathBuf| -> Result<Record, String> {
            let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
            Record::from_json(&text).map_err(|error| error.to_string())
        };
        let ending = match ending {
            Ending::Done(file) => read(file).map(Ending::Done),
            Ending::NotValid(file, why) => read(file).map(|record| Ending::NotValid(record, why)),
            Ending::Failed(why) => Ok(Ending::Failed(why)),
            Ending::NotRun => Ok(Ending::NotRun),
        };
        Ok(ending.unwrap_or_else(|error| {
            let why = format!("its record cannot be read: {error}");
            self.note(
                &step.name,
                StepOutcome::Failed,
                0.0,
                Some(why.clone()),
                None,
            );
            Ending::Failed(why)
        }))
    }

    /// A step that ends in a file of captions, which is kept over nights.
    pub fn captions(&mut self, step: &Step) -> Result<Ending<PathBuf>, Failure> {
        let folder = self.state.join("captions").join(&step.key);
        std::fs::create_dir_all(&folder).map_err(|source| Failure::new(&folder, source))?;
        let file = folder.join("captions.csv");
        self.run(step, &step.arguments, &file)
    }

    /// Notes a step that could not even begin.
    pub fn note_failed(&mut self, name: &str, why: &str) {
        self.note(name, StepOutcome::Failed, 0.0, Some(why.into()), None);
    }

    fn run(
        &mut self,
        step: &Step,
        arguments: &[String],
        file: &Path,
    ) -> Result<Ending<PathBuf>, Failure> {
        let marker = with_suffix(file, "done.json");
        if let Some(finished) = finished(&marker, &step.key).filter(|_| file.is_file()) {
            // Its age says when it was last of use, see `keep::retain`.
            let used = std::fs::File::options().append(true).open(&marker);
            let _ = used.and_then(|marker| marker.set_modified(SystemTime::now()));
            self.note(
                &step.name,
                StepOutcome::Cached,
                finished.seconds,
                None,
                Some(file),
            );
            return Ok(self.ending(file, finished.not_valid));
        }
        let over = || {
            format!(
                "the time budget of the night was over before `{}`",
                step.name
            )
        };
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.note(&step.name, StepOutcome::NotRun, 0.0, Some(over()), None);
            return Ok(Ending::NotRun);
        }
        (self.say)(&format!("{} …", step.name));
        let began = Instant::now();
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o".into(), file.display().to_string()]);
        let lock = &mut *self.lock;
        // A step of captions stays over nights; what it says belongs to the night.
        let log = self.night.path.join(format!("{}.log", slug(&step.name)));
        let ended = process::run(
            &arguments,
            self.folder,
            &log,
            self.deadline,
            &mut |worker| lock.set_worker(Some(worker)),
        )?;
        self.lock.set_worker(None)?;
        let seconds = began.elapsed().as_secs_f64();
        let not_valid = match ended {
            Ended::Done => None,
            Ended::NotValid(why) => Some(why),
            Ended::Failed(why) => {
                self.note(
                    &step.name,
                    StepOutcome::Failed,
                    seconds,
                    Some(why.clone()),
                    None,
                );
                return Ok(Ending::Failed(why));
            }
            Ended::OutOfTime => {
                self.note(&step.name, StepOutcome::NotRun, seconds, Some(over()), None);
                return Ok(Ending::NotRun);
            }
        };
        let done = Finished {
            key: step.key.clone(),
            not_valid,
            seconds,
        };
        write(&marker, &serde_json::to_vec(&done).unwrap_or_default())?;
        self.note(&step.name, StepOutcome::Done, seconds, None, Some(file));
        Ok(self.ending(file, done.not_valid))
    }

    fn ending(&self, file: &Path, not_valid: Option<String>) -> Ending<PathBuf> {
        match not_valid {
            None => Ending::Done(file.into()),
            Some(why) => Ending::NotValid(file.into(), why),
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
        (self.say)(&how);
        let record = record.and_then(|path| path.strip_prefix(self.state).ok());
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

fn finished(marker: &Path, key: &str) -> Option<Finished> {
    let text = std::fs::read_to_string(marker).ok()?;
    let finished: Finished = serde_json::from_str(&text).ok()?;
    (finished.key == key).then_some(finished)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}
