//! Eigenvalues of a symmetric matrix by Householder tridiagonalisation and rational QL, with eigenvectors by implicit QL.
//!
//! A = Q T Qᵀ with T tridiagonal (Householder 1958), T = G diag(λ) Gᵀ with G a product of plane rotations (Dubrulle, Martin &
//! Wilkinson 1968, "The implicit QL algorithm"). The reduction reads half of the matrix once for each column, in a pass like that of
//! bidiagonalisation. Reflections and rotations are first found and then applied to strips of columns that
//! stay in the second-level cache, a strip to a thread, where textbook code sweeps the whole matrix for each of them.

mod ql;
mod root_free;
mod strips;
mod triangle;

use ndarray::{Array1, Array2, ArrayView2};

use super::SymmetricEigen;
use super::pass::{Columns, LANE, Lane, Pending};
use super::reflection::Reflection;

/// Eigendecomposition of a finite symmetric matrix, given by its upper triangle; `None` if it does not converge.
pub(super) fn symmetric_eigen(matrix: ArrayView2<f64>) -> Option<SymmetricEigen> {
    if matrix.is_empty() {
        let (values, vectors) = (Array1::zeros(0), Array2::zeros((0, 0)));
        return Some(SymmetricEigen { values, vectors });
    }
    let reduced = tridiagonal(matrix);
    let (values, rotations) = ql::values(reduced.diagonal, reduced.beside)?;
    Some(SymmetricEigen {
        values: values.into_iter().map(|v| v * reduced.scale).collect::<Array1<f64>>(),
        vectors: strips::vectors(&reduced.reflections, &rotations, matrix.nrows()),
    })
}

/// Eigenvalues of a finite symmetric matrix, given by its upper triangle; `None` if they do not converge.
pub(super) fn symmetric_values(matrix: ArrayView2<f64>) -> Option<Array1<f64>> {
    if matrix.is_empty() {
        return Some(Array1::zeros(0));
    }
    let Tridiagonal { diagonal, beside, scale, .. } = tridiagonal(matrix);
    let values = root_free::values(diagonal, beside)?;
    Some(values.into_iter().map(|v| v * scale).collect())
}

/// T times a scale, and the reflections whose product is Q.
struct Tridiagonal {
    scale: f64,
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    reflections: Vec<Reflector>,
}

/// I − τ h hᵀ, where h is zero before `start`.
struct Reflector {
    tau: f64,
    start: usize,
    h: Vec<f64>,
}

fn tridiagonal(matrix: ArrayView2<f64>) -> Tridiagonal {
    // Once inside the pool, the joins of every step stay between its threads.
    rayon::scope(|_| reduced(matrix))
}

fn reduced(matrix: ArrayView2<f64>) -> Tridiagonal {
    let n = matrix.nrows();
    let (mut columns, scale) = Columns::of_upper_triangle(matrix);
    let mut reduced = Tridiagonal {
        scale,
        diagonal: Vec::with_capacity(n),
        beside: Vec::with_capacity(n),
        reflections: Vec::with_capacity(n),
    };
    let mut pending = Pending::none(&columns);
    for k in 0..n {
        columns.settle(k, &pending);
        let mut left = columns.column(k).to_vec();
        reduced.diagonal.push(left[k / LANE].0[k % LANE]);
        if k + 1 == n {
            break;
        }
        let Reflection { tau, image, .. } = Reflection::of_lanes(&mut left, k + 1);
        reduced.beside.push(image);
        let h = Lane::entries(&left, k + 1..n);
        // A − h wᵀ − w hᵀ with w = p − (τ/2)(pᵀh) h and p = τ A h.
        let mut w = columns.symmetric_pass(k, &pending, &left);
        w.iter_mut().for_each(|p| *p *= tau);
        let along: f64 = w.iter().zip(&h).map(|(p, h)| p * h).sum();
        w.iter_mut().zip(&h).for_each(|(p, h)| *p -= 0.5 * tau * along * h);
        let x = Lane::holding(&w, k + 1, columns.height);
        reduced.reflections.push(Reflector { tau, start: k + 1, h: h.clone() });
        pending = Pending { u: left, y: w, x, h };
    }
    reduced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linalg::{Decompose, Nalgebra};

    fn check(a: &Array2<f64>) {
        let n = a.nrows();
        let SymmetricEigen { values, vectors } = symmetric_eigen(a.view()).expect("converges");
        let largest = a.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
        let rounding = 20.0 * f64::EPSILON * (n as f64).max(4.0) * largest;
        let off = |a: Array2<f64>| a.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
        assert!(off((&vectors * &values).dot(&vectors.t()) - a) <= rounding);
        assert!(
            off(vectors.t().dot(&vectors) - Array2::<f64>::eye(n)) < 1e-13 * (n as f64).max(8.0)
        );
        let sorted = |values: &Array1<f64>| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let theirs = Nalgebra.symmetric_eigen(a.view()).expect("converges").values;
        let alone = symmetric_values(a.view()).expect("converges");
        for ours in [values, alone] {
            for (ours, theirs) in sorted(&ours).iter().zip(sorted(&theirs)) {
                assert!((ours - theirs).abs() <= rounding, "{ours} {theirs}");
            }
        }
    }

    fn symmetric(n: usize, rank: usize, seed: u64) -> Array2<f64> {
        let mut state = seed.wrapping_mul(2).wrapping_add(1);
        let root = Array2::from_shape_simple_fn((n, rank), || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        });
        let signs = Array1::from_iter((0..rank).map(|i| if i % 3 == 0 { -1.0 } else { 1.0 }));
        (&root * &signs).dot(&root.t())
    }

    #[test]
    fn sizes_around_the_strips() {
        for n in [1, 2, 3, 8, 63, 64, 65, 130, 200] {
            check(&symmetric(n, n, n as u64));
        }
    }

    #[test]
    fn structure() {
        check(&Array2::eye(10));
        check(&Array2::zeros((5, 5)));
        check(&Array2::ones((70, 70)));
        check(&(symmetric(20, 20, 1) * 1e-200));
        check(&(symmetric(20, 20, 1) * 1e150));
        let nothing = Array2::zeros((0, 0));
        assert!(symmetric_eigen(nothing.view()).is_some());
        assert!(symmetric_values(nothing.view()).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn of_any_rank((n, rank, seed) in (1_usize..40, 0_usize..40, any::<u64>())) {
            check(&symmetric(n, rank.min(n), seed));
        }
    }
}
