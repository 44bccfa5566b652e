//! Trackers of other programs hear every line too: Weights & Biases through a python child, MLflow by REST.
//!
//! Each has a thread of its own, so that none makes a step wait. What goes wrong with one is a warning, and the run goes on
//! without it: `metrics.jsonl` has everything.

mod mlflow;
mod wandb;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use fgd_store::file;
use serde::{Deserialize, Serialize};

use super::Request;
use super::tensorboard::Event;
use crate::jobs::{JobError, Progress, Session};

/// What is known of a run by its trackers, so that one that goes on is the same run there.
const KNOWN: &str = "tracking.json";

/// Who is told of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tracking {
    /// Project of Weights & Biases.
    pub wandb: Option<String>,
    /// Address of an MLflow server.
    pub mlflow: Option<String>,
    /// MLflow's experiment.
    pub mlflow_experiment: String,
    /// What they call the run; the name of its directory if not said.
    pub run_name: Option<String>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self { wandb: None, mlflow: None, mlflow_experiment: "fgd".into(), run_name: None }
    }
}

/// Ids of the run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    wandb: Option<String>,
    mlflow: Option<String>,
}

/// One who is told.
trait Tracker: Send {
    /// Its name, for warnings.
    fn name(&self) -> &'static str;
    /// Some events; a reason ends the telling.
    fn tell(&mut self, events: &[Event]) -> Result<(), String>;
    /// The run is over, as it should be or not.
    fn end(&mut self, is_whole: bool) -> Result<(), String>;
}

enum News {
    Event(Event),
    Whole,
}

/// All who are told. Dropped before [`Trackers::finish`], the run has failed.
#[derive(Default)]
pub struct Trackers(Vec<(Sender<News>, JoinHandle<()>)>);

impl Trackers {
    /// Begins to tell those that the request names; `settings` is what they are told of the run.
    ///
    /// # Errors
    /// A directory of the run that cannot be written.
    pub fn begin(request: &Request, session: &Session) -> Result<Self, JobError> {
        let tracking = &request.tracking;
        if tracking.wandb.is_none() && tracking.mlflow.is_none() {
            return Ok(Self::default());
        }
        let path = request.output.join(KNOWN);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let mut known: Known = serde_json::from_str(&text).unwrap_or_default();
        let run = request.output.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = tracking.run_name.clone().or(run).unwrap_or_else(|| "fgd".into());
        let mut trackers = Self::default();
        if let Some(project) = &tracking.wandb {
            let id = known.wandb.get_or_insert_with(new_id).clone();
            let begun = wandb::Wandb::begin(project, &name, &id, request, session);
            trackers.add("wandb", begun, session);
        }
        if let Some(uri) = &tracking.mlflow {
            let begun = mlflow::Mlflow::begin(uri, &name, known.mlflow.as_deref(), request);
            known.mlflow =
                begun.as_ref().ok().map(|mlflow| mlflow.id().to_owned()).or(known.mlflow);
            trackers.add("mlflow", begun, session);
        }
        file::write(&path, serde_json::to_string(&known)?.as_bytes())?;
        Ok(trackers)
    }

    fn add<T: Tracker + 'static>(
        &mut self,
        name: &str,
        begun: Result<T, String>,
        session: &Session,
    ) {
        match begun {
            Ok(tracker) => {
                let (sender, news) = channel();
                let progress = Arc::clone(&session.progress);
                let thread = std::thread::spawn(move || tell(tracker, &news, &*progress));
                self.0.push((sender, thread));
            }
            Err(why) => warn(name, &why, &*session.progress),
        }
    }

    /// Tells of an event.
    pub fn tell(&self, event: &Event) {
        for (sender, _) in &self.0 {
            // One that has given up hears nothing more.
            let _ = sender.send(News::Event(event.clone()));
        }
    }

    /// The run is over and whole.
    pub fn finish(&self) {
        self.0.iter().for_each(|(sender, _)| drop(sender.send(News::Whole)));
    }
}

impl Drop for Trackers {
    fn drop(&mut self) {
        for (sender, thread) in self.0.drain(..) {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// The life of a tracker: what has come together is told together.
fn tell(mut tracker: impl Tracker, news: &Receiver<News>, progress: &dyn Progress) {
    let mut is_whole = false;
    while let Ok(first) = news.recv() {
        let mut events = Vec::new();
        for news in std::iter::once(first).chain(news.try_iter()) {
            match news {
                News::Event(event) => events.push(event),
                News::Whole => is_whole = true,
            }
        }
        if let Err(why) = tracker.tell(&events) {
            return warn(tracker.name(), &why, progress);
        }
    }
    if let Err(why) = tracker.end(is_whole) {
        warn(tracker.name(), &why, progress);
    }
}

fn warn(name: &str, why: &str, progress: &dyn Progress) {
    progress.say(&format!("warning: {name}: {why}; the run goes on without it"));
}

/// An id that no other run has: of the moment and the process.
fn new_id() -> String {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let time = time.unwrap_or_default().as_nanos().to_string();
    let id = fgd_store::digest::Digest::new("run", 1).field("time", time);
    id.field("process", std::process::id().to_string()).finish()[..12].to_owned()
}

/// The run's directory in words of its own, where a tracker leaves something.
fn log_of(output: &Path, name: &str) -> std::path::PathBuf {
    output.join(format!("{name}.log"))
}
