//! The distances against 128-bit arithmetic and scipy: `fixtures/metrics/make_golden.py` made the numbers.

use fgd_metrics::decomposition::decompose_with;
use fgd_metrics::frechet::{SetDistance, fgd_set_with, from_moments_with};
use fgd_metrics::linalg::{Decompose, Nalgebra, Native};
use fgd_metrics::moments::Moments;
use fgd_metrics::paired::{Pairs, fgd_paired};
use ndarray::Array2;
use serde_json::Value;

mod recipe;
use recipe::recipe;

fn solvers() -> Vec<&'static dyn Decompose> {
    vec![
        &Native,
        &Nalgebra,
        #[cfg(feature = "lapack")]
        &fgd_metrics::linalg::Lapack,
    ]
}

fn cases() -> Vec<Value> {
    let text = include_str!("golden/frechet.json");
    serde_json::from_str(text).expect("the golden file is JSON")
}

fn number(case: &Value, key: &str) -> f64 {
    case[key].as_f64().unwrap_or_else(|| panic!("{key} of {}", case["name"]))
}

fn sides(case: &Value) -> (Array2<f32>, Array2<f32>) {
    let size = |key: &str| number(case, key) as usize;
    let seed = |i: usize| case["seeds"][i].as_u64().expect("two seeds") as u32;
    (recipe(size("n"), size("d"), seed(0)), recipe(size("m"), size("d"), seed(1)))
}

#[track_caller]
fn assert_close(what: &str, got: f64, want: f64, tolerance: f64) {
    let error = (got - want).abs() / want.abs().max(f64::MIN_POSITIVE);
    assert!(error <= tolerance, "{what}: {got} instead of {want} (relative error {error:.2e})");
}

#[test]
fn set_distance_equals_exact_arithmetic() {
    for case in cases() {
        let (x, y) = sides(&case);
        let tolerance = number(&case, "tolerance");
        for solver in solvers() {
            let distance = fgd_set_with(x.view(), y.view(), solver).expect("valid inputs");
            let name = case["name"].to_string();
            assert_close(&name, distance.value, number(&case, "fgd_set"), tolerance);
            assert_close(&name, distance.mean_shift, number(&case, "mean_shift"), 1e-12);
            assert_close(&name, distance.trace_sqrt, number(&case, "trace_sqrt"), 1e-12);
        }
    }
}

#[test]
fn moments_alone_give_the_same_distance_at_any_rank() {
    for case in cases() {
        let (x, y) = sides(&case);
        let (x, y) = (Moments::from_rows(x.view()), Moments::from_rows(y.view()));
        for solver in solvers() {
            let SetDistance { value, clipped, .. } =
                from_moments_with(&x, &y, solver).expect("valid moments");
            assert_close(&case["name"].to_string(), value, number(&case, "fgd_set"), 1e-11);
            assert_eq!(clipped, 0.0, "{}: moments of rows are semi-definite", case["name"]);
        }
    }
}

#[test]
fn set_distance_equals_scipy_at_full_rank() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case["scipy"].is_number()) {
        let (x, y) = sides(case);
        let distance = fgd_set_with(x.view(), y.view(), &Nalgebra).expect("valid inputs");
        assert_close(&case["name"].to_string(), distance.value, number(case, "scipy"), 1e-8);
        compared += 1;
    }
    assert!(compared >= 3);
}

#[test]
fn paired_distance_and_decomposition_equal_exact_arithmetic() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case["fgd_paired"].is_number()) {
        let (x, y) = sides(case);
        let image_of: Vec<usize> = (0..x.nrows()).collect();
        let pairs = Pairs { candidates: x.view(), references: y.view(), image_of: &image_of };
        let name = case["name"].to_string();
        let tolerance = number(case, "tolerance");
        let paired = fgd_paired(&pairs).expect("valid pairs");
        assert_close(&name, paired.value, number(case, "fgd_paired"), 1e-13);
        for solver in solvers() {
            let parts = decompose_with(&pairs, solver).expect("valid pairs");
            assert_close(&name, parts.covariance, number(case, "covariance"), tolerance);
            assert_close(&name, parts.misalignment, number(case, "misalignment"), 1e-12);
        }
        compared += 1;
    }
    assert!(compared >= 4);
}
