//! The rule of the nightly job on seeded histories, and its parts on series small enough to check by hand.

#[path = "../examples/nightly_simulation/detectors.rs"]
mod detectors;
#[path = "../examples/nightly_simulation/simulate.rs"]
mod simulate;

use fgd_metrics::series::*;

use simulate::{Change, Noise, Scenario};

fn accepted(values: &[f64]) -> Vec<Run> {
    let run = |&value: &f64| Run { value, standing: Standing::Accepted };
    values.iter().map(run).collect()
}

/// Sixteen runs around zero, a percent up and down.
fn quiet() -> Vec<f64> {
    (0..16).map(|night| 0.01 * [1.0, -1.0, 0.5, -0.5][night % 4]).collect()
}

#[test]
fn false_alarms_are_below_one_in_a_hundred_nights() {
    let rule = Rule::default();
    for noise in [Noise::Normal, Noise::Outliers, Noise::Bimodal] {
        for spread in [0.02, 0.05] {
            let scenario = Scenario { change: Change::None, noise, spread };
            let all = (0..200).map(|seed| simulate::series(&scenario, seed));
            let alarms: Vec<bool> = all
                .flat_map(|series| detectors::nightly(&series, &rule).split_off(rule.min_runs))
                .collect();
            let raised = alarms.iter().filter(|alarm| **alarm).count();
            assert!(100 * raised < alarms.len(), "{scenario:?}: {raised} of {}", alarms.len());
        }
    }
}

#[test]
fn a_step_of_ten_percent_at_two_percent_noise_is_found_within_two_nights() {
    let scenario = Scenario { change: Change::Step(0.10), noise: Noise::Normal, spread: 0.02 };
    let found = (0..200).filter(|&seed| {
        let series = simulate::series(&scenario, seed);
        let alarms = detectors::nightly(&series, &Rule::default());
        alarms[series.changed..series.changed + 2].contains(&true)
    });
    let found = found.count();
    assert!(found >= 190, "{found} of 200");
}

#[test]
fn a_drift_that_no_single_night_shows_is_found() {
    let scenario = Scenario { change: Change::Drift(0.10), noise: Noise::Normal, spread: 0.02 };
    let found = (0..200).filter(|&seed| {
        let series = simulate::series(&scenario, seed);
        let alarms = detectors::nightly(&series, &Rule::default());
        alarms[series.changed..].contains(&true)
    });
    let found = found.count();
    assert!(found >= 190, "{found} of 200");
}

#[test]
fn a_step_is_suspicious_once_and_a_regression_twice() {
    let rule = Rule::default();
    let mut runs = accepted(&quiet());
    let first = judge(&runs, 0.1, 0, &rule);
    assert_eq!((first.finding, first.reason), (Finding::Unchanged, Reason::FirstNight));
    assert!(is_suspicious(&runs, 0.1, 0, &rule));
    runs.push(Run { value: 0.1, standing: first.standing });
    let second = judge(&runs, 0.1, 0, &rule);
    assert_eq!((second.finding, second.since), (Finding::Regressed, Some(16)));
    assert!((second.change.unwrap() - 0.1f64.exp_m1()).abs() < 0.01);
    // Back to normal, the first night was an outlier.
    assert_eq!(judge(&runs, 0.0, 0, &rule).finding, Finding::Unchanged);
}

#[test]
fn a_regression_stands_until_it_is_mended_or_accepted() {
    let rule = Rule::default();
    let mut runs = accepted(&quiet());
    for _ in 0..40 {
        let standing = judge(&runs, 0.1, 0, &rule).standing;
        runs.push(Run { value: 0.1, standing });
    }
    assert_eq!(runs.last().unwrap().standing, Standing::Regressed);
    assert_eq!(judge(&runs, 0.1, 0, &rule).since, Some(16));
    let mut accepted = runs.clone();
    accepted[16..].iter_mut().for_each(|run| run.standing = Standing::Accepted);
    let after = judge(&accepted, 0.101, 16, &rule);
    assert_eq!((after.finding, after.reason), (Finding::Unchanged, Reason::Ordinary));
    // Just accepted, with one run at the new level, the old spread stands in.
    let young = judge(&accepted[..17], 0.105, 16, &rule);
    assert_eq!(young.finding, Finding::Unchanged);
    assert_eq!(young.baseline.unwrap().at_level, 1);
}

#[test]
fn twice_as_slow_needs_no_second_night_unless_there_was_one_like_it() {
    let rule = Rule::default();
    let mut values = quiet();
    assert_eq!(judge(&accepted(&values), 0.7, 0, &rule).reason, Reason::Severe);
    values[3] = 0.6;
    assert_eq!(judge(&accepted(&values), 0.7, 0, &rule).reason, Reason::FirstNight);
}

#[test]
fn few_runs_say_nothing() {
    let judgement = judge(&accepted(&quiet()[..7]), 5.0, 0, &Rule::default());
    assert_eq!(judgement.finding, Finding::InsufficientHistory);
    assert_eq!(judgement.reason, Reason::TooFew(7));
    assert!(judge(&[], 1.0, 0, &Rule::default()).baseline.is_none());
}

#[test]
fn an_unproven_run_is_neither_a_level_nor_a_first_night() {
    let rule = Rule::default();
    let of = |value| Run { value, standing: Standing::Unproven };
    let quiet = accepted(&quiet());
    let with = [&quiet[..8], &[of(0.2); 5], &quiet[8..]].concat();
    assert_eq!(baseline(&with, 0, &rule), baseline(&quiet, 0, &rule));
    let after = [&quiet[..], &[of(0.0)]].concat();
    assert_eq!(judge(&after, 0.2, 0, &rule).reason, Reason::FirstNight);
}

#[test]
fn an_improvement_becomes_the_level_that_is_held() {
    let rule = Rule::default();
    let mut runs = accepted(&quiet());
    let mut findings = Vec::new();
    for night in 0..30 {
        let value = -0.1 + 0.01 * f64::from(night % 3);
        let judgement = judge(&runs, value, 0, &rule);
        findings.push(judgement.finding);
        runs.push(Run { value, standing: judgement.standing });
    }
    assert_eq!(findings[1], Finding::Improved);
    assert_eq!(findings[29], Finding::Unchanged);
    // Falling back to what was good once is a regression now.
    runs.push(Run { value: 0.0, standing: judge(&runs, 0.0, 0, &rule).standing });
    assert_eq!(judge(&runs, 0.0, 0, &rule).finding, Finding::Regressed);
}

#[test]
fn a_value_that_is_no_number_is_above_all_others() {
    let mut values = quiet();
    let rule = Rule::default();
    values[5] = f64::NAN;
    assert_eq!(change_points(&values, rule.change_statistic), []);
    assert_eq!(judge(&accepted(&values), 0.0, 0, &rule).finding, Finding::Unchanged);
    values.extend([f64::NAN; 8]);
    assert_eq!(change_points(&values, rule.change_statistic)[0].at, 16);
}

#[test]
fn change_points_are_where_the_level_changes() {
    let level = |night: usize| if (20..40).contains(&night) { 1.0 } else { 0.0 };
    let values: Vec<f64> = (0..60).map(|n| level(n) + 0.1 * ((n * 7) % 5) as f64).collect();
    let found: Vec<usize> = change_points(&values, 3.4).iter().map(|c| c.at).collect();
    assert_eq!(found, [20, 40]);
    assert!(change_points(&[1.0; 60], 3.4).is_empty());
    assert!(change_points(&[], 3.4).is_empty());
    // Three against three: the rank sum of 1, 2, 3 is 6, its mean 10.5 and its variance 5.25.
    let change = change_points(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1.9)[0];
    assert_eq!(change.at, 3);
    assert!((change.statistic - 4.5 / 5.25f64.sqrt()).abs() < 1e-12);
}
