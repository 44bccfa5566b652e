//! How far a score is, on stderr: captions per second, what is left, what was tried again.

use std::time::{Duration, Instant};

/// A score that goes on.
pub struct Progress {
    quiet: bool,
    start: Instant,
    said: Instant,
    /// Captions that are embedded for a pair.
    captions: f64,
    /// Pairs in all, those that an earlier run had summed, and those that this one has.
    total: u64,
    found: u64,
    done: u64,
    retries: usize,
}

impl Progress {
    /// Least time between two lines.
    const PAUSE: Duration = Duration::from_secs(2);

    pub fn new(total: u64, captions: f64, quiet: bool) -> Self {
        let now = Instant::now();
        Self { quiet, captions, start: now, said: now, total, found: 0, done: 0, retries: 0 }
    }

    /// Pairs that were summed before.
    pub fn found(&mut self, pairs: u64) {
        self.found += pairs;
    }

    /// What is there when the work begins.
    pub fn begin(&self) {
        if self.found > 0 {
            self.say(&format!("{} of {} pairs were summed before", self.found, self.total));
        }
    }

    /// A bucket was summed.
    pub fn advance(&mut self, pairs: u64) {
        self.done += pairs;
        let is_last = self.found + self.done == self.total;
        if self.said.elapsed() >= Self::PAUSE || is_last {
            self.said = Instant::now();
            self.say(&self.line());
        }
    }

    /// A bucket is summed again.
    pub fn retry(&mut self, bucket: usize, attempt: usize, error: &str) {
        self.retries += 1;
        self.say(&format!("bucket {bucket}, attempt {attempt} failed and is made again: {error}"));
    }

    fn line(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = self.captions * self.done as f64 / seconds;
        let left = self.captions * (self.total - self.found - self.done) as f64 / rate;
        let retries = match self.retries {
            0 => String::new(),
            retries => format!(", {retries} retries"),
        };
        format!(
            "{} of {} pairs, {rate:.0} captions/s, {} left{retries}",
            self.found + self.done,
            self.total,
            duration(left)
        )
    }

    fn say(&self, line: &str) {
        if !self.quiet {
            eprintln!("fgd-cluster: {line}");
        }
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_at_a_glance() {
        assert_eq!(
            [0.4, 119.0, 600.0, 90_000.0].map(duration),
            ["0 s", "119 s", "10 min", "25.0 h"]
        );
    }
}
