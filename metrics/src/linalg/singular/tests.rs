use fgd_kernels::Level;
use ndarray::Array2;
use proptest::prelude::*;

use super::*;
use crate::linalg::pass::{Columnwise, Job};
use crate::linalg::{Decompose, Nalgebra};

/// A matrix without structure, its columns falling by `decay`.
fn matrix(rows: usize, columns: usize, decay: f64, seed: u64) -> Array2<f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    Array2::from_shape_fn((rows, columns), |(_, j)| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0) * decay.powi(j as i32)
    })
}

/// Holds every value to nalgebra's, within what rounding of the largest allows.
fn agrees(a: &Array2<f64>) {
    let ours = singular_values(a.view()).expect("converges");
    let mut theirs = Nalgebra.singular_values(a.view()).expect("converges").to_vec();
    theirs.sort_unstable_by(|a, b| b.total_cmp(a));
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.first().copied().unwrap_or(0.0);
    let rounding = 4.0 * f64::EPSILON * (a.nrows().max(a.ncols()) as f64).max(8.0) * largest;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours - theirs).abs() <= rounding, "{ours} {theirs} of {largest}");
    }
}

#[test]
fn shapes_around_the_lanes() {
    for rows in [1, 2, 3, 7, 8, 9, 17, 40] {
        for columns in [1, 2, 5, 8, 16, 33] {
            agrees(&matrix(rows, columns, 1.0, (rows * 100 + columns) as u64));
        }
    }
}

#[test]
fn two_threads_work_on_a_large_matrix() {
    agrees(&matrix(203, 190, 0.99, 5));
}

#[test]
fn large_and_tiny_entries() {
    for scale in [1e-160, 1e-300, 1e150] {
        agrees(&(matrix(12, 9, 0.8, 3) * scale));
    }
}

#[test]
fn structure() {
    agrees(&Array2::eye(20));
    agrees(&Array2::zeros((6, 4)));
    agrees(&Array2::ones((30, 30)));
    agrees(&Array2::from_diag(&ndarray::Array1::from_iter((0..40).map(|i| 0.1_f64.powi(i)))));
    let mut triangle = Array2::ones((25, 25));
    triangle.indexed_iter_mut().for_each(|((i, j), v)| {
        if i > j {
            *v = 0.0;
        }
    });
    agrees(&triangle);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_are_those_of_nalgebra(
        (rows, columns, decay, seed) in (1_usize..48, 1_usize..48, 0.2_f64..1.0, any::<u64>()),
    ) {
        agrees(&matrix(rows, columns, decay, seed));
    }

    #[test]
    fn of_any_rank(
        (rows, columns, rank, seed) in (1_usize..40, 1_usize..40, 0_usize..12, any::<u64>()),
    ) {
        let left = matrix(rows, rank, 0.9, seed);
        let right = matrix(rank, columns, 1.0, seed ^ 1);
        agrees(&left.dot(&right));
    }
}

#[test]
fn the_kernels_agree() {
    let rows = matrix(6, 37, 1.0, 11);
    let vectors = matrix(3, 37, 1.0, 12);
    let [u, x, left] = [0, 1, 2].map(|i| {
        let row = vectors.slice(ndarray::s![i..=i, ..]);
        Columns::of_rows(row, 1.0).column(0).to_vec()
    });
    let job = Job { height: u.len(), row: 9, pending_u: &u, pending_x: &x, u: &left, tau: 1.3 };
    let pending: [&[f64]; 2] = [&[0.1, 0.2, 0.3, -0.4, 0.5, 0.6], &[0.6, 0.5, -0.4, 0.3, 0.2, 0.1]];
    let outcome = |level: Level| {
        let mut columns = (0..6)
            .flat_map(|k| Columns::of_rows(rows.view(), 1.0).column(k).to_vec())
            .collect::<Vec<_>>();
        let (mut y, mut entries) = ([0.0; 6], [0.0; 6]);
        let mut product = vec![Lane::ZERO; u.len()];
        level.run(Columnwise {
            job: &job,
            columns: &mut columns,
            pending,
            y: &mut y,
            entries: &mut entries,
            product: &mut product,
        });
        let lanes = columns.iter().chain(&product).flat_map(|lane| lane.0);
        lanes.chain(y).chain(entries).collect::<Vec<f64>>()
    };
    let plain = outcome(Level::PORTABLE);
    assert!(plain.iter().any(|v| v.abs() > 1.0));
    for level in Level::available() {
        let alike = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-13;
        assert!(outcome(level).iter().zip(&plain).all(alike), "{level}");
    }
}
