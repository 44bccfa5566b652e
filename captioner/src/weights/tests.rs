use fgd_kernels::{Activation, Level, Q8_BLOCK};
use half::bf16;

use super::matrix::{HostMatrix, Precision};
use super::product::{After, Arithmetic, product};

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
    let dot =
        |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    x.chunks(k).flat_map(|x| w.chunks(k).map(move |w| dot(x, w))).collect()
}

fn assert_close(ours: &[f32], theirs: &[f64], k: usize, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let tolerance = 1e-6 * (k as f64).sqrt() + 1e-6;
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((f64::from(*a) - b).abs() < tolerance, "{what}: element {i} is {a}, not {b}");
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
                let ours = product(&x, &matrix, Arithmetic::F32, After::default());
                let exact = reference(&x, &matrix.to_f32(), k);
                assert_close(&ours, &exact, k, &format!("[{m}, {k}]·[{n}, {k}]ᵀ {precision:?}"));
            }
        }
    }
}

/// Where the CPU multiplies bf16: products of rounded numbers, exact but for the sums in f32. Elsewhere as in f32.
#[test]
fn products_of_rounded_numbers_are_right() {
    let rounds = Level::current().has_bf16();
    let round = |x: f32| if rounds { bf16::from_f32(x).to_f32() } else { x };
    for (n, k) in [(7, 5), (40, 40), (33, 64), (65, 257), (40, 900)] {
        let (w, x) = (numbers(n * k, 3), numbers(40 * k, 5));
        for precision in [Precision::F32, Precision::Bf16, Precision::Q8] {
            let matrix = HostMatrix::from_f32(w.clone(), n, k).rounded(precision);
            let ours = product(&x, &matrix, Arithmetic::Bf16, After::default());
            let [x, w] =
                [&x, &matrix.to_f32()].map(|v| v.iter().copied().map(round).collect::<Vec<_>>());
            assert_close(&ours, &reference(&x, &w, k), k, &format!("[{n}, {k}]ᵀ {precision:?}"));
        }
    }
}

#[test]
fn bias_and_activation_follow_the_product() {
    let (n, k) = (50, 8);
    let matrix = HostMatrix::from_f32(numbers(n * k, 1), n, k);
    let bias = numbers(n, 7);
    for (m, arithmetic) in [(3, Arithmetic::F32), (37, Arithmetic::F32), (37, Arithmetic::Bf16)] {
        let x = numbers(m * k, 2);
        let plain = product(&x, &matrix, arithmetic, After::default());
        let after = After { bias: &bias, activation: Some(Activation::Relu), ..After::default() };
        let changed = product(&x, &matrix, arithmetic, after);
        for (i, (a, b)) in plain.iter().zip(&changed).enumerate() {
            assert_eq!((a + bias[i % n]).max(0.0), *b, "{m} rows, {arithmetic:?}");
        }
    }
}

#[test]
fn eight_bits_are_within_half_a_step() {
    let (n, k) = (9, 100);
    let w = numbers(n * k, 11);
    let q8 = HostMatrix::from_f32(w.clone(), n, k).rounded(Precision::Q8).to_f32();
    for (row, (w, q)) in w.chunks(k).zip(q8.chunks(k)).enumerate() {
        for (w, q) in w.chunks(Q8_BLOCK).zip(q.chunks(Q8_BLOCK)) {
            let step = w.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0;
            assert!(w.iter().zip(q).all(|(w, q)| (w - q).abs() <= step * 0.5001), "row {row}");
        }
    }
}

#[test]
fn zeros_stay_zero_in_eight_bits() {
    let q8 = HostMatrix::from_f32(vec![0.0; 64], 2, 32).rounded(Precision::Q8);
    assert_eq!(q8.to_f32(), vec![0.0; 64]);
}
