use ndarray::{Array1, Array2, Axis, arr1, arr2};

use super::*;

#[test]
fn mean_and_covariance_of_three_points() {
    let rows = arr2(&[[1.0_f32, 2.0], [3.0, 2.0], [5.0, 8.0]]);
    let moments = Moments::from_rows(rows.view());
    assert_eq!(moments.n(), 3);
    assert_eq!(moments.mean(), arr1(&[3.0, 4.0]));
    assert_eq!(moments.covariance(1).expect("3 rows"), arr2(&[[4.0, 6.0], [6.0, 12.0]]));
}

#[test]
fn packed_triangle_equals_the_plain_product() {
    let rows = Array2::from_shape_fn((300, 41), |(i, j)| ((i * 7 + j * 13) % 23) as f32 / 7.0);
    let mean = column_means(rows.view());
    let centred = centred(rows.view(), mean.view(), None);
    let plain = centred.t().dot(&centred);
    let blocked = comoment_about(rows.view(), mean.view(), None);
    assert!((&plain - &blocked).iter().all(|v| v.abs() < 1e-10));
    assert_eq!(blocked, blocked.t());
}

#[test]
fn a_shift_far_from_the_mean_costs_few_digits() {
    // The first block, whose mean is the shift, is unlike all that follow.
    let rows = Array2::from_shape_fn((9_000, 2), |(i, j)| {
        let first = if i < BLOCK_ROWS { 3.0 } else { 0.0 };
        first + ((i * (7 + j)) % 11) as f32 / 4.0
    });
    let mean = column_means(rows.view());
    let exact = comoment_about(rows.view(), mean.view(), None);
    let moments = Moments::from_rows(rows.view());
    for (value, exact) in moments.comoment().iter().zip(&exact) {
        assert!((value - exact).abs() < 1e-12 * exact.abs(), "{value} {exact}");
    }
    let doubled = Moments::from_rows(rows.mapv(f64::from).view());
    assert_eq!(moments, doubled);
}

#[test]
fn a_stream_gives_the_same_bits_however_it_is_cut() {
    let rows = Array2::from_shape_fn((9_000, 5), |(i, j)| ((i * (7 + j)) % 101) as f32 / 9.0);
    for n in [0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, 2 * BLOCK_ROWS, 9_000] {
        let rows = rows.slice(s![..n, ..]);
        for (threads, piece) in [(1, 1), (2, 700), (2, BLOCK_ROWS), (3, 5_000), (1, 9_000)] {
            let mut stream = Stream::new(5, threads);
            for piece in rows.axis_chunks_iter(Axis(0), piece) {
                stream.push_rows(piece).expect("5 columns");
            }
            assert_eq!(stream.moments(), Moments::from_rows(rows), "{n} rows by {piece}");
            assert_eq!((stream.n(), stream.dim()), (n as u64, 5));
        }
    }
    assert!(Stream::new(4, 1).push_rows(rows.view()).is_err());
}

#[test]
fn a_large_offset_costs_no_digits() {
    let rows = Array2::from_shape_fn((5_000, 1), |(i, _)| 16_384.0 + (i % 2) as f32);
    let variance = Moments::from_rows(rows.view()).covariance(0).expect("rows")[[0, 0]];
    assert!((variance - 0.25).abs() < 1e-15, "{variance}");
}

#[test]
fn what_cannot_be_computed_is_an_error() {
    let mut moments = Moments::new(2);
    assert!(matches!(moments.covariance(0), Err(MetricError::TooFew { n: 0, .. })));
    moments.push_rows(arr2(&[[1.0, 2.0]]).view()).expect("2 columns");
    assert!(matches!(moments.covariance(1), Err(MetricError::TooFew { n: 1, needed: 2, .. })));
    assert!(moments.push_rows(arr2(&[[1.0]]).view()).is_err());
    assert!(moments.merge(&Moments::new(3)).is_err());
    moments.push_rows(arr2(&[[f32::NAN, 2.0]]).view()).expect("2 columns");
    assert!(matches!(moments.covariance(1), Err(MetricError::NotFinite { .. })));
}

#[test]
fn a_matrix_that_is_no_covariance_is_refused() {
    let from = |sigma: Array2<f64>| Moments::from_mean_covariance(9, Array1::zeros(2), sigma, 1);
    assert!(from(arr2(&[[1.0, 0.5], [0.5, 1.0]])).is_ok());
    assert!(matches!(from(arr2(&[[1.0, 0.5], [0.4, 1.0]])), Err(MetricError::NotACovariance(_))));
    assert!(matches!(from(arr2(&[[1.0, 0.0], [0.0, -1.0]])), Err(MetricError::NotACovariance(_))));
    assert!(from(arr2(&[[1.0, f64::NAN], [0.5, 1.0]])).is_err());
    assert!(from(Array2::eye(3)).is_err());
}
