//! The output policy: data to stdout or a file, everything else to stderr, bars only on a terminal.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fgd_store::file;
use fgd_store::terminal::visible;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::jobs::{Bar, Progress};

/// Off a terminal, how often a line says how far the work is.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What may be written besides the data.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    quiet: bool,
    color: Color,
}

impl Output {
    /// The policy of one run.
    pub fn new(quiet: bool, color: Color) -> Self {
        Self { quiet, color }
    }

    /// Whether data on stdout is coloured.
    pub fn color(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }

    /// Columns of the terminal, or a page's width where there is none.
    pub fn width(&self) -> usize {
        let columns = console::Term::stdout().size_checked().map(|(_, columns)| columns.into());
        columns.unwrap_or(100_usize).clamp(40, 200)
    }

    /// Whether progress may be drawn.
    pub fn draws_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// A bar for what does not report to a session yet.
    pub fn bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let target = if self.draws_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        ProgressBar::with_draw_target(Some(total), target).with_message(what)
    }

    /// A sentence about the run, to stderr.
    pub fn say(&self, message: impl AsRef<str>) {
        if !self.quiet {
            complain(message);
        }
    }
}

/// A line to stderr, whatever `--quiet` says: the only way there. It may quote foreign files, so it is made
/// [`visible`]; and a stderr that is full or closed is no reason to lose a result.
pub fn complain(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", visible(line.as_ref()));
}

/// Where the log goes: to stderr, as [`complain`] does, event by event.
pub struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        String::from_utf8_lossy(bytes).lines().for_each(complain);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Progress for Output {
    fn say(&self, line: &str) {
        Output::say(self, line);
    }

    fn begin(&self, what: &'static str, total: u64) -> Box<dyn Bar> {
        if self.draws_progress() {
            let template = "{msg} [{bar:30}] {pos}/{len} · {per_sec} · {eta} left";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸ ");
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            return Box::new(Drawn {
                bar: bar.with_style(style).with_message(what),
                began: AtomicBool::new(false),
            });
        }
        Box::new(Lines { output: *self, what, count: Mutex::new(Count::new(total)) })
    }
}

/// A bar on a terminal, taken away at the end.
struct Drawn {
    bar: ProgressBar,
    /// Whether it was said where this run begins.
    began: AtomicBool,
}

impl Bar for Drawn {
    fn advance(&self, count: u64) {
        self.bar.inc(count);
    }

    fn set(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        if !self.began.swap(true, Ordering::Relaxed) {
            // What an earlier run did says nothing about this one's speed.
            self.bar.reset_eta();
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| complain(line));
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Where nothing can be drawn: a line now and then.
struct Lines {
    output: Output,
    what: &'static str,
    count: Mutex<Count>,
}

struct Count {
    done: u64,
    total: u64,
    /// What was done before the first piece of work of this run, and when that began.
    first: Option<u64>,
    began: Instant,
    said: Instant,
}

impl Count {
    fn new(total: u64) -> Self {
        let now = Instant::now();
        Self { done: 0, total, first: None, began: now, said: now }
    }
}

impl Lines {
    fn update(&self, change: impl FnOnce(&mut Count)) {
        let Ok(mut count) = self.count.lock() else {
            return;
        };
        change(&mut count);
        let done = count.done;
        let first = *count.first.get_or_insert(done);
        if count.said.elapsed() < LINE_EVERY || count.done == first {
            return;
        }
        count.said = Instant::now();
        let rate = (count.done - first) as f64 / count.began.elapsed().as_secs_f64();
        let left = count.total.saturating_sub(count.done) as f64 / rate / 60.0;
        self.output.say(format!(
            "{}: {} of {}, {rate:.3}/s, {left:.0} minutes left",
            self.what, count.done, count.total
        ));
    }
}

impl Bar for Lines {
    fn advance(&self, done: u64) {
        self.update(|count| count.done += done);
    }

    fn set(&self, done: u64, total: u64) {
        self.update(|count| (count.done, count.total) = (done, total));
    }

    fn say(&self, line: &str) {
        self.output.say(line);
    }
}

/// Where the data goes: stdout, or a file that appears whole or not at all.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file.
    File(file::Output),
}

impl Sink {
    /// Opens the sink before the work starts, so that an unwritable place is found out at once.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        match path.filter(|path| *path != Path::new("-")) {
            None => Ok(Self::Stdout),
            Some(path) => Ok(Self::File(file::Output::create(path)?)),
        }
    }

    /// Writes the data and puts the file into its place.
    pub fn write(self, data: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(data)?;
                stdout.flush()?;
            }
            Self::File(mut file) => {
                file.write_all(data)?;
                file.commit()?;
            }
        }
        Ok(())
    }
}
