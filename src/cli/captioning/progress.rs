//! How far a captioner is: a bar on a terminal, elsewhere a line now and then.

use crate::cli::output::Output;
use fgd_captioner::run;
use std::time::{Duration, Instant};

/// A bar on a terminal; elsewhere a line now and then.
pub struct Progress<'a> {
    output: &'a Output,
    bar: indicatif::ProgressBar,
    began: Instant,
    first: Option<usize>,
    said: Instant,
}

impl<'a> Progress<'a> {
    /// Starts with nothing done.
    pub fn new(images: usize, output: &'a Output) -> Self {
        let now = Instant::now();
        Self {
            output,
            bar: output.bar(images as u64, "captioning"),
            began: now,
            first: None,
            said: now,
        }
    }

    /// Shows a step.
    pub fn show(&mut self, step: run::Step) {
        if self.first.is_none() && step.done > 0 && step.outcomes.is_empty() {
            self.output.say(format!(
                "going on after {} of {} images",
                step.done, step.total
            ));
            self.bar.set_position(step.done as u64);
            self.bar.reset_eta();
        }
        let first = *self.first.get_or_insert(step.done);
        self.bar.set_position(step.done as u64);
        for outcome in step.outcomes {
            if let Some(error) = &outcome.error {
                self.bar.suspend(|| {
                    self.output
                        .say(format!("skipped image {}: {error}", outcome.id))
                });
            }
        }
        let quiet_for = self.said.elapsed();
        if !self.output.draws_progress() && quiet_for >= Duration::from_secs(30) {
            self.said = Instant::now();
            let rate = (step.done - first) as f64 / self.began.elapsed().as_secs_f64();
            let left = (step.total - step.done) as f64 / rate / 60.0;
            self.output.say(format!(
                "{} of {} images, {rate:.3} images/s, {left:.0} minutes left",
                step.done, step.total
            ));
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
