//! A choice among two systems and samples, with everything that it can have.

use super::*;

/// An ensemble with a judge.
pub fn select() -> Record {
    let mut quality = CompareResults {
        n: 3771,
        references: 3771,
        systems: ["first", HOSTILE, "chosen"]
            .iter()
            .zip([0.01, 0.02, -0.01])
            .map(|(name, level)| System {
                name: (*name).into(),
                scores: scores(level),
                ..System::default()
            })
            .collect(),
        ..CompareResults::default()
    };
    let estimate = Measure::estimated(-0.02, 0.002, [-0.024, -0.016]);
    quality.differences =
        vec![difference(("fgd_paired", false), ("chosen", "first"), estimate, 0.0001)];
    let source = |name: &str, chosen, weight| SelectSource {
        name: name.into(),
        captions: 3771,
        images: 3770,
        chosen,
        weight: Some(weight),
    };
    let results = SelectResults {
        by: "mbr-weighted".into(),
        metric: None,
        images: 3771,
        candidates: 7541,
        sources: vec![source("first", 2100, 0.75), source(HOSTILE, 1671, 0.25)],
        agreement: Measure::estimated(0.871, 0.002, [0.867, 0.875]),
        identical: Some(0.125),
        oracle: Some(Measure::estimated(0.09, 0.002, [0.086, 0.094])),
        judge: Some(Judged { encoder: "all-MiniLM-L6-v2".into(), quality: quality.clone() }),
        quality: Some(quality),
        warnings: vec!["the encoder that chose also judges, which flatters the choice".into()],
    };
    record(Results::Select(Box::new(results)), "first")
}
