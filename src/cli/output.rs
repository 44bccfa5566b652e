//! The output policy: data to stdout or a file, everything else to stderr, bars only on a terminal.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use fgd_store::file;
use fgd_store::terminal::visible;
use indicatif::{
    HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use super::exit::usage;
use crate::jobs::{Bar, Progress};

/// Off a terminal, how often a line says how far the work is.
const LINE_EVERY: Duration = Duration::from_secs(60);

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

    fn begin(&self, what: &'static str, unit: &'static str, total: u64) -> Box<dyn Bar> {
        tracing::info!("{what}: {total} {unit}");
        if self.draws_progress() {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            return Box::new(Drawn {
                bar: bar.with_style(style(unit)).with_message(what),
                began: AtomicBool::new(false),
            });
        }
        Box::new(Lines { output: *self, what, unit, count: Mutex::new(Count::new(total)) })
    }
}

/// A bar with its unit. Before anything is done there is neither a rate nor an end in sight, and none is shown.
fn style(unit: &'static str) -> ProgressStyle {
    let template = match unit {
        "%" => "{msg} [{bar:30}] {pos}%{left}",
        "bytes" => "{msg} [{bar:30}] {bytes}/{total_bytes}{left}",
        _ => "{msg} [{bar:30}] {human_pos}/{human_len} {unit}{rate}{left}",
    };
    let is_known = |state: &ProgressState| state.per_sec() > 0.0 && state.per_sec().is_finite();
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("unit", move |_: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = out.write_str(unit);
        })
        .with_key("rate", move |state: &ProgressState, out: &mut dyn fmt::Write| {
            if is_known(state) {
                let _ = write!(out, " · {}/s", short(state.per_sec()));
            }
        })
        .with_key("left", move |state: &ProgressState, out: &mut dyn fmt::Write| {
            if is_known(state) {
                let _ = write!(out, " · {} left", HumanDuration(state.eta()));
            }
        })
        .progress_chars("━╸ ")
}

/// A rate with three digits that count.
fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 100.0 => format!("{rate:.0}"),
        rate if rate >= 1.0 => format!("{rate:.1}"),
        rate => format!("{rate:.3}"),
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
    unit: &'static str,
    count: Mutex<Count>,
}

struct Count {
    done: u64,
    total: u64,
    /// What was done when this run's own work began, and when that was.
    first: Option<(u64, Instant)>,
    said: Instant,
}

impl Count {
    fn new(total: u64) -> Self {
        Self { done: 0, total, first: None, said: Instant::now() }
    }

    /// How far the work is, where that is worth a line by now.
    fn line(&mut self, what: &str, unit: &str, now: Instant) -> Option<String> {
        let (first, began) = *self.first.get_or_insert((self.done, now));
        if now.duration_since(self.said) < LINE_EVERY || self.done == first {
            return None;
        }
        self.said = now;
        let rate = (self.done - first) as f64 / now.duration_since(began).as_secs_f64();
        let left = self.total.saturating_sub(self.done) as f64 / rate;
        let left = HumanDuration(Duration::try_from_secs_f64(left).unwrap_or_default());
        Some(match unit {
            "%" => format!("{what}: {}%, {left} left", self.done),
            "bytes" => {
                format!(
                    "{what}: {} of {}, {left} left",
                    HumanBytes(self.done),
                    HumanBytes(self.total)
                )
            }
            _ => format!(
                "{what}: {} of {} {unit}, {}/s, {left} left",
                self.done,
                self.total,
                short(rate)
            ),
        })
    }
}

impl Lines {
    fn update(&self, change: impl FnOnce(&mut Count)) {
        let Ok(mut count) = self.count.lock() else {
            return;
        };
        change(&mut count);
        if let Some(line) = count.line(self.what, self.unit, Instant::now()) {
            self.output.say(line);
        }
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

/// Refuses a file of results whose extension says another format than they are written in.
///
/// # Errors
/// An extension that is none of these; a file without one is taken as it is.
pub fn written_as(path: &Path, what: &str, extensions: &[&str]) -> anyhow::Result<()> {
    let is = |known: &&str| path.extension().is_some_and(|own| own.eq_ignore_ascii_case(known));
    if path.extension().is_none() || extensions.iter().any(is) {
        return Ok(());
    }
    let names: Vec<String> = extensions.iter().map(|known| format!("FILE.{known}")).collect();
    Err(usage(format!(
        "{}: {what} written as .{}; name the output {}",
        path.display(),
        extensions.join(" or ."),
        names.join(" or ")
    )))
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
                match stdout.write_all(data).and_then(|()| stdout.flush()) {
                    // Who closed the pipe got what it wanted.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                    written => written?,
                }
            }
            Self::File(file) => file.commit_with(data)?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_a_terminal_a_line_a_minute_counts_what_this_run_did() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut count = Count { said: start, ..Count::new(5000) };
        let mut line = |done: u64, seconds: u64| {
            count.done = done;
            count.line("captioning", "images", at(seconds))
        };
        // An earlier run did a thousand; the weights took ten seconds to load.
        assert_eq!(line(1000, 10), None);
        assert_eq!(line(1020, 50), None);
        let said = "captioning: 1050 of 5000 images, 1.0/s, 66 minutes left";
        assert_eq!(line(1050, 60).as_deref(), Some(said));
        assert_eq!(line(1080, 90), None);
        assert!(line(1110, 120).is_some());
    }

    #[test]
    fn a_bar_has_its_unit_and_no_rate_before_there_is_one() {
        for unit in ["captions", "bytes", "%"] {
            let bar = ProgressBar::hidden().with_style(style(unit));
            bar.set_length(10);
            bar.tick();
        }
        assert_eq!(
            (short(1234.5), short(12.34), short(0.0123)),
            ("1234".into(), "12.3".into(), "0.012".into())
        );
    }
}
