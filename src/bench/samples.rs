//! What a scenario saw, query by query.

use std::io::Write;

use super::target::{Answer, Work};

/// Failed queries whose message is kept.
const MESSAGES: usize = 3;

/// One query of the measured part. Times in seconds since the measurement began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// When it was due: its scheduled arrival, or its start.
    pub due: f64,
    /// When it was started.
    pub start: f64,
    /// When it was done.
    pub end: f64,
    /// Items in it.
    pub items: u64,
    /// Tokens behind them, zero where there are none.
    pub tokens: u64,
    /// Whether it failed.
    pub failed: bool,
}

impl Sample {
    /// Seconds from when it was due until it was done.
    pub fn latency(&self) -> f64 {
        self.end - self.due
    }
}

/// All queries of a run.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// The queries, in the order in which they were done.
    pub all: Vec<Sample>,
    /// What the first failed ones said.
    pub failures: Vec<String>,
    /// Work per stage, in the order of first appearance.
    pub work: Vec<Work>,
    /// Whether answers come with tokens.
    pub has_tokens: bool,
    /// Queries before the measurement.
    pub warm_up: u64,
    /// Seconds the measured part took.
    pub seconds: f64,
    /// How late the harness woke up for each arrival it had slept for, in seconds.
    pub late: Vec<f64>,
    /// Whether the run was ended from outside.
    pub interrupted: bool,
    /// Whether queries arrived faster than they were answered, so that the run was cut short.
    pub overloaded: bool,
}

impl Samples {
    /// Takes in a query and its answer.
    pub fn push(&mut self, sample: Sample, answer: &Result<Answer, String>) {
        match answer {
            Ok(answer) => {
                self.has_tokens |= answer.tokens.is_some();
                answer.work.iter().for_each(|work| self.add(work));
            }
            Err(message) if self.failures.len() < MESSAGES => self.failures.push(message.clone()),
            Err(_) => {}
        }
        self.all.push(sample);
    }

    /// Takes in another run, as if it had followed this one.
    pub fn join(&mut self, other: Samples) {
        let from = self.seconds;
        self.all.extend(other.all.into_iter().map(|sample| Sample {
            due: sample.due + from,
            start: sample.start + from,
            end: sample.end + from,
            ..sample
        }));
        other.work.iter().for_each(|work| self.add(work));
        let room = MESSAGES.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
        self.has_tokens |= other.has_tokens;
        self.warm_up += other.warm_up;
        self.seconds += other.seconds;
        self.interrupted |= other.interrupted;
    }

    fn add(&mut self, work: &Work) {
        let Some(known) = self.work.iter_mut().find(|known| known.stage == work.stage) else {
            self.work.push(work.clone());
            return;
        };
        known.count += work.count;
        known.seconds += work.seconds;
        if let (Some(sum), Some(cost)) = (&mut known.cost, work.cost) {
            *sum += cost;
        }
    }

    /// Queries that were answered.
    pub fn answered(&self) -> impl Iterator<Item = &Sample> {
        self.all.iter().filter(|sample| !sample.failed)
    }

    /// Queries that failed.
    pub fn failed(&self) -> u64 {
        self.all.iter().filter(|sample| sample.failed).count() as u64
    }

    /// Items of the answered queries.
    pub fn items(&self) -> u64 {
        self.answered().map(|sample| sample.items).sum()
    }

    /// Tokens of the answered queries, where there are any.
    pub fn tokens(&self) -> Option<u64> {
        self.has_tokens.then(|| self.answered().map(|sample| sample.tokens).sum())
    }

    /// Latencies of the answered queries in the order of their end.
    pub fn latencies(&self) -> Vec<f64> {
        self.answered().map(Sample::latency).collect()
    }

    /// Seconds in which the target was at work: queries that are served together count once.
    pub fn busy_seconds(&self) -> f64 {
        let mut until = f64::NEG_INFINITY;
        let mut busy = 0.0;
        for sample in &self.all {
            busy += (sample.end - sample.start.max(until)).max(0.0);
            until = until.max(sample.end);
        }
        busy
    }

    /// One CSV row per query, for one's own statistics.
    pub fn write(&self, file: &mut dyn Write) -> std::io::Result<()> {
        writeln!(file, "due,start,end,latency,items,tokens,failed")?;
        for sample in &self.all {
            writeln!(
                file,
                "{:.9},{:.9},{:.9},{:.9},{},{},{}",
                sample.due,
                sample.start,
                sample.end,
                sample.latency(),
                sample.items,
                sample.tokens,
                sample.failed
            )?;
        }
        Ok(())
    }
}
