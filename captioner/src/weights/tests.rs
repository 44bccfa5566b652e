use half::{bf16, f16};
use proptest::prelude::*;

use super::kernels::{Rows, dot, transpose, vectorised};
use super::matrix::{HostMatrix, Precision, Q8_BLOCK};
use super::product::product;

/// A few thousand different numbers around zero, the same every time.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn reference(x: &[f32], w: &[f32], k: usize) -> Vec<f64> {
    let dot = |x: &[f32], w: &[f32]| {
        x.iter()
            .zip(w)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    x.chunks(k)
        .flat_map(|x| w.chunks(k).map(move |w| dot(x, w)))
        .collect()
}

fn assert_close(ours: &[f32], theirs: &[f64], k: usize, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let tolerance = 1e-6 * (k as f64).sqrt() + 1e-6;
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!(
            (f64::from(*a) - b).abs() < tolerance,
            "{what}: element {i} is {a}, not {b}"
        );
    }
}

#[test]
fn products_are_right_in_every_form_and_for_every_number_of_rows() {
    for (n, k) in [(1, 1), (7, 5), (40, 40), (33, 64), (300, 100), (65, 257)] {
        let w = numbers(n * k, 3);
        for m in [1, 2, 3, 4, 5, 7, 16, 17, 40] {
            let x = numbers(m * k, 5 + m as u64);
            for precision in [Precision::F32, Precision::Bf16, Precision::Q8] {
                let matrix = HostMatrix::from_f32(w.clone(), n, k).rounded(precision);
                let ours = product(&x, &matrix, |_| {});
                let exact = reference(&x, &matrix.to_f32(), k);
                assert_close(
                    &ours,
                    &exact,
                    k,
                    &format!("[{m}, {k}]·[{n}, {k}]ᵀ {precision:?}"),
                );
            }
        }
    }
}

#[test]
fn the_epilogue_sees_whole_rows_once() {
    let (m, n, k) = (37, 50, 8);
    let matrix = HostMatrix::from_f32(numbers(n * k, 1), n, k);
    let x = numbers(m * k, 2);
    let plain = product(&x, &matrix, |_| {});
    let changed = product(&x, &matrix, |row| {
        assert_eq!(row.len(), n);
        row.iter_mut().enumerate().for_each(|(i, v)| *v += i as f32);
    });
    for (i, (a, b)) in plain.iter().zip(&changed).enumerate() {
        assert_eq!(a + (i % n) as f32, *b);
    }
}

#[test]
fn eight_bits_are_within_half_a_step() {
    let (n, k) = (9, 100);
    let w = numbers(n * k, 11);
    let q8 = HostMatrix::from_f32(w.clone(), n, k)
        .rounded(Precision::Q8)
        .to_f32();
    for (row, (w, q)) in w.chunks(k).zip(q8.chunks(k)).enumerate() {
        for (w, q) in w.chunks(Q8_BLOCK).zip(q.chunks(Q8_BLOCK)) {
            let step = w.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0;
            assert!(
                w.iter().zip(q).all(|(w, q)| (w - q).abs() <= step * 0.5001),
                "row {row}"
            );
        }
    }
}

#[test]
fn zeros_stay_zero_in_eight_bits() {
    let q8 = HostMatrix::from_f32(vec![0.0; 64], 2, 32).rounded(Precision::Q8);
    assert_eq!(q8.to_f32(), vec![0.0; 64]);
}

proptest! {
    /// The vector kernels and their scalar twins agree for any length and number of rows.
    #[test]
    fn kernels_agree_with_their_scalar_twins(k in 0usize..200, seed in 1u64..1000) {
        let w = numbers(k, seed);
        let other = numbers(k, seed + 1);
        let xs: Vec<Vec<f32>> = (0..4).map(|i| numbers(k, seed + 1000 + i)).collect();
        let xs = [&xs[0][..], &xs[1], &xs[2], &xs[3]];
        let halves = [&w, &other].map(|w| w.iter().map(|w| f16::from_f32(*w)).collect::<Vec<_>>());
        let brains = [&w, &other].map(|w| w.iter().map(|w| bf16::from_f32(*w)).collect::<Vec<_>>());
        let quants = [&w, &other].map(|w| w.iter().map(|w| (w * 127.0) as i8).collect::<Vec<_>>());
        let scales = [5, 6].map(|i| numbers(k.div_ceil(Q8_BLOCK), seed + i));
        let pairs = [
            Rows::F32([&w, &other]),
            Rows::F16([&halves[0], &halves[1]]),
            Rows::Bf16([&brains[0], &brains[1]]),
            Rows::Q8 { scales: [&scales[0], &scales[1]], quants: [&quants[0], &quants[1]] },
        ];
        for rows in pairs {
            let (fast, slow) = (dot(rows, xs, vectorised()), dot(rows, xs, false));
            for (a, b) in fast.iter().flatten().zip(slow.iter().flatten()) {
                prop_assert!((a - b).abs() < 1e-3, "{} and {}", a, b);
            }
            // One x alone is summed in the same order as among four.
            prop_assert_eq!(dot(rows, [xs[2]], vectorised()).map(|d| d[0]), fast.map(|d| d[2]));
        }
    }

    #[test]
    fn transposes_agree(width in 0usize..20, gap in 0usize..40, seed in 1u64..1000) {
        let (width, stride) = (8 * width, 16 + gap);
        let block = numbers(16 * width, seed);
        let mut fast = vec![7.0; width * stride + 16];
        let mut slow = fast.clone();
        transpose(&block, &mut fast, stride, vectorised());
        transpose(&block, &mut slow, stride, false);
        for row in 0..16 {
            for i in 0..width {
                prop_assert_eq!(slow[i * stride + row], block[row * width + i]);
            }
        }
        prop_assert_eq!(fast, slow);
    }
}
