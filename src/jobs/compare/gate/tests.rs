//! Conditions as users write them.

use fgd_record::{Measure, SetMeasure};

use super::*;

fn names() -> Vec<String> {
    ["plain", "lr-3e-4", "lr"].map(str::to_owned).to_vec()
}

fn scores(paired: f64) -> ScoreResults {
    ScoreResults {
        fgd_paired: Measure::exact(paired),
        fgd_set: SetMeasure { value: Some(paired / 2.0), ..SetMeasure::default() },
        ..ScoreResults::default()
    }
}

fn check(condition: &str) -> record::Gate {
    let all = [scores(0.20), scores(0.201), scores(0.25)];
    let names = names();
    let systems: Vec<(&str, &ScoreResults)> = names.iter().map(String::as_str).zip(&all).collect();
    let gate = Gate::parse(condition, &names).unwrap();
    gate.check(&systems, &differences()).unwrap()
}

/// `lr` is 0.025 ± 0.01 farther than the first system in `fgd_set`, `lr-3e-4` 0.0005 ± 0.01.
fn differences() -> Vec<Difference> {
    [("lr-3e-4", 0.0005), ("lr", 0.025)]
        .map(|(system, value)| Difference {
            metric: FGD_SET.into(),
            system: system.into(),
            versus: "plain".into(),
            estimate: Measure::estimated(value, 0.005, [value - 0.01, value + 0.01]),
            ..Difference::default()
        })
        .to_vec()
}

#[test]
fn set_distances_are_held_to_their_test() {
    assert_eq!(check("lr-3e-4.fgd_set<=base").passed, Some(true));
    assert_eq!(check("lr-3e-4.fgd_set<base").passed, Some(false));
    let crossed = check("fgd_set<=base+1e-3");
    assert_eq!(crossed.passed, Some(false));
    assert!(
        crossed.explanation.starts_with("lr: corrected fgd_set above plain +0.001"),
        "{}",
        crossed.explanation
    );
    assert_eq!(check("lr.fgd_set<=base+0.02").passed, Some(true));
    assert_eq!(check("plain.fgd_set<lr").passed, Some(true));
    // No test of these two.
    assert_eq!(check("lr.fgd_set<=lr-3e-4").passed, None);
}

#[test]
fn a_number_holds_for_every_system() {
    assert_eq!(check("fgd_paired<0.3").passed, Some(true));
    let crossed = check("fgd_paired <= 0.22");
    assert_eq!(crossed.passed, Some(false));
    assert_eq!(crossed.explanation, "lr: 0.250000 > 0.22");
}

#[test]
fn a_number_holds_for_the_set_distance_that_tables_show() {
    let mut scores = scores(0.04);
    let gate = Gate::parse("fgd_set<0.01", &["a".to_owned()]).unwrap();
    let crossed = gate.check(&[("a", &scores)], &[]).unwrap();
    assert_eq!((crossed.passed, crossed.explanation.contains("raw")), (Some(false), true));
    scores.fgd_set.corrected = Some(0.005);
    let kept = gate.check(&[("a", &scores)], &[]).unwrap();
    assert_eq!((kept.passed, kept.explanation.as_str()), (Some(true), "a: 0.005000 < 0.01"));
}

#[test]
fn a_system_is_not_held_against_itself() {
    assert_eq!(check("fgd_paired>plain").passed, Some(true));
    assert_eq!(check("mean_cosine>=base").passed, None);
}

#[test]
fn the_longest_name_that_fits_is_meant() {
    // Not `lr` less 3e-4, which the first system would pass and the second fail.
    assert_eq!(check("plain.fgd_paired<lr-3e-4").passed, Some(true));
    let crossed = check("lr.fgd_paired<lr-3e-4-0.1");
    assert!(
        crossed.explanation.ends_with("≥ 0.201000 of lr-3e-4 − 0.1"),
        "{}",
        crossed.explanation
    );
}

#[test]
fn what_was_not_computed_is_undecided() {
    let gate = check("fgd_set_corrected<1");
    assert_eq!(gate.passed, None);
    assert!(gate.explanation.contains("plain has no fgd_set_corrected"));
}

#[test]
fn what_is_not_understood_is_refused() {
    for condition in [
        "fgd_paired",
        "fgd_paired<=",
        "fgd_paired<=nobody",
        "fgd_paired<=lrx",
        "nobody.fgd_paired<1",
        "<1",
        "fgd_paired<nan",
    ] {
        let error = Gate::parse(condition, &names()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{condition}: ")), "{error}");
    }
    let gate = Gate::parse("cider<1", &names()).unwrap();
    let one = scores(0.1);
    let error = gate.check(&[("a", &one), ("b", &one), ("c", &one)], &[]).unwrap_err();
    assert!(error.to_string().contains("`cider`"), "{error}");
}
