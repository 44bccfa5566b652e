//! Metrics beside judgements of people.

use super::*;

/// Two metrics and the judgements of three people.
pub fn agreement() -> Record {
    let around = |value: f64| Measure::estimated(value, 0.012, [value - 0.0235, value + 0.0235]);
    let results = AgreementResults {
        images: 1000,
        captions: 5664,
        judgements: 16_992,
        left_out: 158,
        ratings: ["first", "second", "third"].map(String::from).to_vec(),
        metrics: vec![
            MetricAgreement {
                metric: "fgd_paired".into(),
                label: "fgd_paired".into(),
                tau_b: around(0.538),
                tau_c: around(0.541),
                accuracy: around(0.83),
                behind_first: None,
                p_holm: None,
            },
            MetricAgreement {
                metric: "cider_d".into(),
                label: "CIDEr-D <i>".into(),
                tau_b: around(0.436),
                tau_c: around(0.438),
                accuracy: Measure::missing("no image has captions that were judged differently"),
                behind_first: Some(Measure::estimated(0.103, 0.009, [0.085, 0.121])),
                p_holm: Some(1e-9),
            },
        ],
    };
    let mut record = record(Results::Agreement(Box::new(results)), "judgements.csv");
    record.inputs.iter_mut().filter(|input| input.role == "submission").for_each(|input| {
        input.role = "judgements".into();
    });
    record
}
