use ndarray::{Array2, arr2};

use super::*;
use crate::frechet::from_moments;
use crate::moments::Moments;

/// A fixed matrix without structure.
fn matrix(rows: usize, columns: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        ((i * i * 7 + j * 31 + i * j) % 64) as f64 / 32.0 - 1.0
    })
}

fn largest(matrix: &Array2<f64>) -> f64 {
    matrix.iter().fold(0.0, |max: f64, v| max.max(v.abs()))
}

fn check(solver: &dyn Decompose) {
    for (m, n) in [(9, 9), (12, 5), (5, 12), (1, 4), (0, 3)] {
        let a = matrix(m, n);
        let values = solver.singular_values(a.view()).expect("a finite matrix");
        let squares = a.iter().map(|v| v * v).sum::<f64>();
        assert_eq!(values.len(), m.min(n));
        assert!((values.mapv(|v| v * v).sum() - squares).abs() < 1e-12, "{m}×{n}");
    }
    let known = solver.singular_values(arr2(&[[3.0, 0.0], [4.0, 5.0]]).view()).expect("finite");
    assert!((known.sum() - 4.0 * 5_f64.sqrt()).abs() < 1e-13);
    let a = matrix(8, 8);
    let symmetric = &a + &a.t();
    let SymmetricEigen { values, vectors } =
        solver.symmetric_eigen(symmetric.view()).expect("finite");
    assert!(largest(&((vectors.clone() * &values).dot(&vectors.t()) - &symmetric)) < 1e-12);
}

#[test]
fn nalgebra_decomposes() {
    check(&Nalgebra);
}

#[test]
fn the_native_solver_decomposes() {
    check(&Native);
}

#[cfg(feature = "lapack")]
#[test]
fn lapack_decomposes() {
    check(&Lapack);
}

#[cfg(feature = "lapack")]
#[test]
fn lapack_and_nalgebra_agree() {
    for (m, n) in [(40, 40), (60, 25), (25, 60)] {
        let a = matrix(m, n);
        let ours = Nalgebra.singular_values(a.view()).expect("finite").sum();
        let theirs = Lapack.singular_values(a.view()).expect("finite").sum();
        assert!((ours - theirs).abs() < 1e-10 * theirs);
    }
}

#[test]
fn a_factor_reproduces_its_covariance_at_any_rank() {
    for rank in [0, 1, 7, 20] {
        let root = matrix(20, rank);
        let sigma = root.dot(&root.t());
        let factor = Factor::of_covariance(sigma.view(), 0.0, &Nalgebra).expect("semi-definite");
        assert!(factor.l().ncols() <= rank);
        assert!(
            largest(&(factor.l().dot(&factor.l().t()) - &sigma)) < 1e-12 * (1.0 + largest(&sigma))
        );
        assert_eq!(factor.clipped(), 0.0);
    }
}

#[test]
fn a_slightly_indefinite_matrix_is_clipped_and_says_so() {
    let sigma = arr2(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1e-6]]);
    let factor = Factor::of_covariance(sigma.view(), 0.0, &Nalgebra).expect("nearly semi-definite");
    assert!((factor.clipped() - 1e-6).abs() < 1e-12);
    assert!((factor.trace() - 2.0).abs() < 1e-12);
    let moments =
        Moments::from_mean_covariance(5, ndarray::Array1::zeros(3), sigma, 1).expect("symmetric");
    let distance = from_moments(&moments, &moments).expect("nearly semi-definite");
    assert!((distance.clipped - 2e-6).abs() < 1e-12);
    assert!(distance.value < 1e-12);
}

#[test]
fn an_indefinite_matrix_is_an_error() {
    for sigma in [arr2(&[[1.0, 2.0], [2.0, 1.0]]), arr2(&[[0.0, 1.0], [1.0, 0.0]]), arr2(&[[-1.0]])]
    {
        let factor = Factor::of_covariance(sigma.view(), 0.0, &Nalgebra);
        assert!(matches!(factor, Err(MetricError::NotACovariance(_))), "{sigma}");
    }
}

#[test]
fn rounding_of_rows_that_do_not_vary_is_no_error() {
    let sigma = arr2(&[[1e-17, 3e-17], [3e-17, -2e-17]]);
    let factor = Factor::of_covariance(sigma.view(), 1.0, &Nalgebra).expect("rounding");
    assert!(factor.trace() < 1e-16 && factor.clipped() == 0.0);
    // Without rows that explain it, it is no covariance.
    assert!(Factor::of_covariance(sigma.view(), 0.0, &Nalgebra).is_err());
}

#[test]
fn a_product_in_slices_is_the_product() {
    let (a, b) = (matrix(500, 30), matrix(30, 20));
    assert!(largest(&(product(a.view(), b.view()) - a.dot(&b))) < 1e-12);
    let transposed = product(a.t(), a.view());
    assert!(largest(&(transposed - a.t().dot(&a))) < 1e-10);
}
