//! The inference of the set distance against numpy, every leave-out sample from its rows:
//! `fixtures/metrics/make_golden_inference.py` made the numbers.

use fgd_metrics::inference::{SetInference, set_inference_by_groups};
use fgd_metrics::units::Units;
use ndarray::Array2;
use serde_json::Value;

mod recipe;

/// The rows of the script: those of the recipe, each with a length of its own.
fn rows(n: usize, d: usize, seed: u32) -> Array2<f32> {
    let mut rows = recipe::recipe(n, d, seed);
    for (i, mut row) in rows.outer_iter_mut().enumerate() {
        row *= 1.0 + (i * (seed as usize + 3) % 8) as f32 / 8.0;
    }
    rows
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} of {}", case["name"]))
}

fn whole(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

#[track_caller]
fn assert_close(case: &Value, what: &str, got: f64, want: f64, scale: f64) {
    let error = (got - want).abs() / scale;
    assert!(error <= 1e-9, "{}, {what}: {got} instead of {want} ({error:.1e})", case["name"]);
}

#[test]
fn inference_equals_numpy() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/inference.json"))
        .expect("the golden file is JSON");
    assert_eq!(cases.len(), 7);
    for case in &cases {
        let (d, seed) = (whole(&case["d"]), |i: usize| whole(&case["seeds"][i]) as u32);
        let (n, m) = (whole(&case["n"]), whole(&case["m"]));
        let labels = |side: usize| -> Vec<usize> {
            case["units"][side].as_array().expect("labels").iter().map(whole).collect()
        };
        let (of_x, of_y) = (labels(0), labels(1));
        let (mut x, y) = (rows(n, d, seed(0)), rows(m, d, seed(1)));
        let mix = number(case, "mix") as f32;
        for (mut row, unit) in x.outer_iter_mut().zip(&of_x) {
            if let Some(reference) = of_y.iter().position(|of| of == unit).filter(|_| mix > 0.0) {
                row.scaled_add(mix, &y.row(reference));
            }
        }
        let units = Units::of_labels(&of_x, &of_y);
        let groups = whole(&case["groups"]);
        let group_of: Vec<usize> = (0..units.count()).map(|unit| 7 * unit % groups).collect();
        let infer = |x: &Array2<f32>| -> SetInference {
            set_inference_by_groups(x.view(), y.view(), &units, &group_of)
                .expect("valid sets")
                .expect("more units than dimensions")
        };
        let found = infer(&x);
        let scale = number(case, "raw");
        assert_close(case, "raw", found.raw, scale, scale);
        assert_close(case, "value", found.corrected.value, number(case, "value"), scale);
        assert_close(case, "se", found.corrected.se, number(case, "se"), scale);
        assert_close(case, "systematic", found.systematic, number(case, "systematic"), scale);

        x.outer_iter_mut().step_by(3).for_each(|mut row| row *= 0.5);
        let difference = found.difference(&infer(&x)).expect("the same units").corrected;
        let golden = &case["difference"];
        assert_close(case, "difference", difference.value, number(golden, "value"), scale);
        assert_close(case, "se of the difference", difference.se, number(golden, "se"), scale);
    }
}
