//! The decoder with a stopwatch: when each step of a search began, and how many rows it had.

use std::time::Instant;

use fgd_captioner::Result;
use fgd_captioner::generate::Step;
use fgd_captioner::t5::{Cache, T5};

use super::cost::Costs;
use crate::bench::target::{Cost, Work};

/// T5 and its cache as the searches see them, timed.
pub struct TimedSteps<'a> {
    model: &'a T5,
    cache: Cache,
    /// Start and rows of each step.
    begun: Vec<(Instant, usize)>,
}

impl<'a> TimedSteps<'a> {
    pub fn new(model: &'a T5, cache: Cache) -> Self {
        Self { model, cache, begun: Vec::new() }
    }

    /// The first token and the further ones, each with the choice that follows its logits. Call it when the search is over.
    pub fn work(&self, beams: usize, costs: Option<&Costs>) -> Vec<Work> {
        let end = Instant::now();
        let seconds = |at: usize| {
            let next = self.begun.get(at + 1).map_or(end, |step| step.0);
            (next - self.begun[at].0).as_secs_f64()
        };
        let of = |stage, unit, steps: std::ops::Range<usize>| {
            let rows = |at: usize| self.begun[at].1;
            Work {
                stage,
                unit,
                count: steps.clone().map(|at| (rows(at) / beams.max(1)) as u64).sum(),
                seconds: steps.clone().map(seconds).sum(),
                cost: costs.map(|costs| {
                    steps.fold(Cost::default(), |mut sum, at| {
                        sum += costs.step(rows(at), at + 1);
                        sum
                    })
                }),
            }
        };
        let count = self.begun.len();
        let first = count.min(1);
        let mut work = vec![of("first token", "image", 0..first)];
        if count > 1 {
            work.push(of("further tokens", "token", 1..count));
        }
        work
    }
}

impl Step for TimedSteps<'_> {
    fn step(&mut self, ids: &[u32]) -> Result<Vec<Vec<f32>>> {
        self.begun.push((Instant::now(), ids.len()));
        self.model.step(ids, &mut self.cache)
    }

    fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        self.cache.go_on(rows)
    }

    fn is_on_host(&self) -> bool {
        self.cache.is_on_host()
    }
}
