//! Weights & Biases by its own package: its files and its way of uploading are no interface, so a python child is fed lines of JSON.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{Tracker, log_of};
use crate::jobs::train::Request;
use crate::jobs::train::tensorboard::Event;
use crate::jobs::{Interrupt, Session};

const SCRIPT: &str = include_str!("wandb.py");

/// How long it may upload when the run is over, and when somebody wants to have it stopped.
const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_OF_CTRL_C: Duration = Duration::from_secs(10);

/// A child that logs.
pub struct Wandb {
    child: Child,
    input: Option<Box<dyn Write + Send>>,
    log: PathBuf,
    interrupt: Interrupt,
}

impl Wandb {
    /// Starts it. What it says goes to `wandb.log` in the run's directory.
    pub fn begin(
        project: &str,
        name: &str,
        id: &str,
        request: &Request,
        session: &Session,
    ) -> Result<Self, String> {
        let log = log_of(&request.output, "wandb");
        let file = File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
        let output = file.try_clone().map_err(|error| error.to_string())?;
        let mut command = Command::new("python3");
        let input = input_of(&mut command).map_err(|error| error.to_string())?;
        command.args(["-c", SCRIPT]).stdout(output).stderr(file);
        // Ctrl-C is for the run, which then tells the child that it is over.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|error| format!("python3: {error}"))?;
        // The command holds the child's end, which is over only when nobody does.
        drop(command);
        let interrupt = session.interrupt.clone();
        let mut wandb = Self { child, input: Some(input), log, interrupt };
        let dir = &request.output;
        wandb.write(&json!({
            "project": project, "name": name, "id": id, "dir": dir, "config": request,
        }))?;
        Ok(wandb)
    }

    fn write(&mut self, line: &Value) -> Result<(), String> {
        let written = match &mut self.input {
            Some(input) => input.write_all(format!("{line}\n").as_bytes()),
            None => Ok(()),
        };
        written.map_err(|_| self.last_words())
    }

    /// Why it ended: its last line.
    fn last_words(&mut self) -> String {
        // It reads no more, so it is over or of no use.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        format!("its python3 has ended: {last} ({})", self.log.display())
    }
}

/// What is written here is what the child reads. One that reads nothing, as it does while it waits for its server, ends the writing after
/// a while instead of the run.
#[cfg(unix)]
fn input_of(command: &mut Command) -> io::Result<Box<dyn Write + Send>> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_write_timeout(Some(PATIENCE))?;
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)));
    Ok(Box::new(ours))
}

#[cfg(not(unix))]
fn input_of(command: &mut Command) -> io::Result<Box<dyn Write + Send>> {
    let (theirs, ours) = io::pipe()?;
    command.stdin(theirs);
    Ok(Box::new(ours))
}

impl Tracker for Wandb {
    fn name(&self) -> &'static str {
        "wandb"
    }

    fn tell(&mut self, events: &[Event]) -> Result<(), String> {
        for event in events {
            let scalars = event.scalars.iter().map(|(tag, value)| (tag.to_string(), json!(value)));
            let mut line: Map<String, Value> = scalars.collect();
            line.insert("train/global_step".into(), event.step.into());
            self.write(&line.into())?;
        }
        Ok(())
    }

    fn end(&mut self, is_whole: bool) -> Result<(), String> {
        if is_whole {
            self.write(&json!({"end": 0}))?;
        }
        self.input = None;
        let begin = Instant::now();
        let patience = if (self.interrupt)() { PATIENCE_OF_CTRL_C } else { PATIENCE };
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                // A run that failed is one there too.
                Ok(Some(status)) if status.code() == Some(1) && !is_whole => return Ok(()),
                Ok(Some(_)) => return Err(self.last_words()),
                Ok(None) if begin.elapsed() < patience => {}
                _ => return Err(format!("not done after {:.0} s", begin.elapsed().as_secs_f64())),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Wandb {
    fn drop(&mut self) {
        // Nobody is left behind; one that has ended is not harmed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
