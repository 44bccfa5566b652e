//! How well `fgd nightly` tells noise from regression, beside a ratio to the last run and E-divisive.
//!
//!     cargo run --release -p fgd-metrics --example nightly_simulation
//!
//! 60 nights, 200 series per row, all seeded. `false` counts alarms per 100 nights before the change (from the night on
//! which the rule of `fgd nightly` first speaks); `2` and `7` are the shares of series whose alarm came within two and
//! seven nights of the change, `end` by the last night.

mod detectors;
mod e_divisive;
mod simulate;

use fgd_metrics::series::Rule;
use rayon::prelude::*;

use simulate::{Change, NIGHTS, Noise, Scenario, Series};

const SERIES: u64 = 200;

/// What a detector did over the series of a scenario.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    alarms: usize,
    quiet_nights: usize,
    within: [usize; 3],
}

impl Tally {
    fn add(mut self, alarms: &[bool], changed: usize, first: usize) -> Self {
        let before = first..changed.min(NIGHTS);
        self.alarms += alarms[before.clone()].iter().filter(|alarm| **alarm).count();
        self.quiet_nights += before.len();
        for (count, nights) in self.within.iter_mut().zip([2, 7, NIGHTS]) {
            let after = changed.min(NIGHTS)..(changed + nights).min(NIGHTS);
            *count += usize::from(alarms[after].contains(&true));
        }
        self
    }

    fn text(&self, changes: bool) -> String {
        let rate = 100.0 * self.alarms as f64 / self.quiet_nights as f64;
        if !changes {
            return format!("{rate:5.2}   –   –   –");
        }
        let [two, seven, end] = self.within.map(|count| 100 * count as u64 / SERIES);
        format!("{rate:5.2} {two:3} {seven:3} {end:3}")
    }
}

fn main() {
    let rule = Rule::default();
    let first = rule.min_runs;
    println!("{rule:?}\n");
    println!(
        "{:34} {:^17}   {:^17}   {:^17}   {:^17}",
        "", "fgd nightly", "last run + 5%", "last run + 10%", "E-divisive"
    );
    let head = "false   2   7 end";
    println!("{:34} {head}   {head}   {head}   {head}", "noise, spread, change");
    for scenario in scenarios() {
        let all: Vec<Series> = (0..SERIES).map(|seed| simulate::series(&scenario, seed)).collect();
        let tally = |alarms: &(dyn Fn(u64, &Series) -> Vec<bool> + Sync)| {
            let found: Vec<Vec<bool>> =
                (all.par_iter().enumerate()).map(|(seed, s)| alarms(seed as u64, s)).collect();
            let tally = found.iter().zip(&all).fold(Tally::default(), |tally, (alarms, series)| {
                tally.add(alarms, series.changed, first)
            });
            tally.text(scenario.change != Change::None)
        };
        println!(
            "{:34} {}   {}   {}   {}",
            format!("{:?}, {:.0}%, {:?}", scenario.noise, 100.0 * scenario.spread, scenario.change),
            tally(&|_, series| detectors::nightly(series, &rule)),
            tally(&|_, series| detectors::ratio_to_last(series, 0.05)),
            tally(&|_, series| detectors::ratio_to_last(series, 0.10)),
            tally(&|seed, series| e_divisive::alarms(series, seed)),
        );
    }
}

fn scenarios() -> impl Iterator<Item = Scenario> {
    use Change::{Drift, None, Step};
    let kinds = [
        (Noise::Normal, None),
        (Noise::Normal, Step(0.05)),
        (Noise::Normal, Step(0.10)),
        (Noise::Normal, Step(0.20)),
        (Noise::Normal, Drift(0.10)),
        (Noise::Outliers, None),
        (Noise::Outliers, Step(0.10)),
        (Noise::Bimodal, None),
        (Noise::Bimodal, Step(0.10)),
    ];
    [0.02, 0.05]
        .into_iter()
        .flat_map(move |spread| kinds.map(|(noise, change)| Scenario { change, noise, spread }))
}
