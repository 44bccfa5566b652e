//! Whole score jobs as processes: what a user waits for, from the start of the program to the record.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fgd_record::Record;

use super::target::{Answer, Target, Work};
use crate::host;
use crate::settings::Settings;

/// Time between two looks at the memory of a job.
const LOOK: Duration = Duration::from_millis(10);

/// A request to run again and again.
pub struct ScoreTarget {
    settings: Settings,
    request: PathBuf,
    threads: usize,
    peak: Arc<Mutex<Option<u64>>>,
}

impl ScoreTarget {
    /// `request` is the file of the job.
    pub fn new(settings: &Settings, request: PathBuf, threads: usize) -> Self {
        Self { settings: settings.clone(), request, threads, peak: Arc::default() }
    }

    /// Where the most memory that a job has held will stand, in bytes; nothing where the system does not tell.
    pub fn peak_memory(&self) -> Arc<Mutex<Option<u64>>> {
        self.peak.clone()
    }

    fn command(&self) -> Command {
        let mut command = self.settings.job(&self.request);
        command
            .args(["--quiet", "--threads"])
            .arg(self.threads.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Target for ScoreTarget {
    fn items(&self) -> usize {
        1
    }

    fn use_threads(&mut self, threads: usize) {
        self.threads = threads;
    }

    fn query(&mut self, _items: &[usize]) -> Result<Answer, String> {
        let start = Instant::now();
        let mut child = self.command().spawn().map_err(|error| {
            format!("{}: cannot be run: {error}", self.settings.program.path.display())
        })?;
        let (output, errors, peak) = finish(&mut child).map_err(|error| error.to_string())?;
        let status = child.wait().map_err(|error| error.to_string())?;
        let seconds = start.elapsed().as_secs_f64();
        if let Ok(mut most) = self.peak.lock() {
            *most = (*most).max(peak);
        }
        if !status.success() {
            let last = errors.trim().lines().last().unwrap_or("it said nothing");
            return Err(format!("{status}: {last}"));
        }
        let record = Record::from_json(&output).map_err(|error| error.to_string())?;
        Ok(Answer { tokens: None, work: work(&record, seconds) })
    }
}

/// What the job itself says of its time; the rest is starting and ending the process.
fn work(record: &Record, seconds: f64) -> Vec<Work> {
    let part = |stage: &'static str, seconds: f64| Work {
        stage,
        unit: "job",
        count: 1,
        seconds,
        cost: None,
    };
    let of = |name: &str| record.timings.get(name).copied().unwrap_or(0.0);
    let (read, embed, score) = (of("read"), of("embed"), of("score"));
    vec![
        part("read the files", read),
        part("embed", embed),
        part("score", score),
        part("everything else", (seconds - read - embed - score).max(0.0)),
    ]
}

/// Everything a child writes to stdout and stderr, and the most memory it held.
fn finish(child: &mut Child) -> std::io::Result<(String, String, Option<u64>)> {
    let id = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let read = |pipe: Option<Box<dyn Read + Send>>| {
        let mut text = String::new();
        match pipe {
            Some(mut pipe) => pipe.read_to_string(&mut text).map(|_| text),
            None => Ok(text),
        }
    };
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let output = scope.spawn(move || read(stdout.map(|pipe| Box::new(pipe) as _)));
        let errors = scope.spawn(move || read(stderr.map(|pipe| Box::new(pipe) as _)));
        let watch = scope.spawn(|| {
            let mut peak = None;
            while !ended.load(Ordering::Relaxed) {
                peak = peak.max(host::peak_memory_of(id));
                std::thread::park_timeout(LOOK);
            }
            peak
        });
        let joined = |text: std::thread::Result<std::io::Result<String>>| {
            text.unwrap_or_else(|_| Err(std::io::Error::other("the output could not be read")))
        };
        let (output, errors) = (joined(output.join()), joined(errors.join()));
        ended.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        Ok((output?, errors?, watch.join().unwrap_or(None)))
    })
}
