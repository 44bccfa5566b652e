use fgd_kernels::{Activation, Form};

use super::matrix::{HostMatrix, Precision};
use super::panels::PanelMatrix;
use super::product::{After, Arithmetic, With, product};

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

fn matrix(w: &[f32], rows: usize, cols: usize, precision: Precision) -> PanelMatrix {
    PanelMatrix::new(&HostMatrix::from_f32(w.to_vec(), rows, cols), precision).unwrap()
}

/// What the weights of a matrix are.
fn widened(matrix: &PanelMatrix) -> Vec<f32> {
    let mut out = vec![0.0; matrix.rows() * matrix.cols()];
    for (row, out) in out.chunks_mut(matrix.cols()).enumerate() {
        matrix.widen(row, 0, out);
    }
    out
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
                let w = matrix(&w, n, k, precision);
                let ours = product(&x, &w, precision.arithmetic(), After::default());
                // x is rounded as the weights are, where the CPU multiplies that.
                let x = match w.panels(precision.arithmetic()).form() {
                    Form::Halves | Form::Bytes => widened(&matrix(&x, m, k, precision)),
                    _ => x.clone(),
                };
                let exact = reference(&x, &widened(&w), k);
                assert_close(&ours, &exact, k, &format!("[{m}, {k}]·[{n}, {k}]ᵀ {precision:?}"));
            }
        }
    }
}

/// Whatever rows are beside it, and however many: in every precision.
#[test]
fn a_row_is_the_same_to_the_bit_in_any_company() {
    let (m, n, k) = (300, 70, 900);
    let (w, x) = (numbers(n * k, 3), numbers(m * k, 5));
    for precision in [Precision::F32, Precision::Bf16, Precision::Q8] {
        let w = matrix(&w, n, k, precision);
        let of = |x: &[f32]| product(x, &w, precision.arithmetic(), After::default());
        let all = of(&x);
        for rows in [1, 2, 7, 12, 13, 16, 17, 100, 223, 224] {
            let from = m - rows;
            assert_eq!(of(&x[from * k..]), all[from * n..], "{precision:?}, {rows} rows");
        }
    }
}

/// Training multiplies with rounded weights exactly, whatever they are kept in.
#[test]
fn exact_products_round_nothing_but_the_weights() {
    for (m, n, k) in [(1, 7, 5), (3, 40, 40), (40, 65, 257)] {
        let (w, x) = (numbers(n * k, 3), numbers(m * k, 5));
        for precision in [Precision::F32, Precision::Bf16] {
            let w = matrix(&w, n, k, precision);
            let ours = product(&x, &w, Arithmetic::Exact, After::default());
            let what = format!("[{m}, {k}]·[{n}, {k}]ᵀ {precision:?}");
            assert_close(&ours, &reference(&x, &widened(&w), k), k, &what);
        }
    }
}

#[test]
fn bias_and_activation_follow_the_product() {
    let (n, k) = (50, 8);
    let bias = numbers(n, 7);
    for (precision, m) in [Precision::F32, Precision::Bf16, Precision::Q8]
        .into_iter()
        .flat_map(|p| [(p, 3), (p, 300)])
    {
        let w = matrix(&numbers(n * k, 1), n, k, precision);
        let (x, other) = (numbers(m * k, 2), numbers(m * n, 9));
        let plain = product(&x, &w, precision.arithmetic(), After::default());
        let after = After {
            bias: &bias,
            activation: Some(Activation::Relu),
            with: Some(With::Sum(&other)),
        };
        let changed = product(&x, &w, precision.arithmetic(), after);
        for (i, (a, b)) in plain.iter().zip(&changed).enumerate() {
            let want = (a + bias[i % n]).max(0.0) + other[i];
            assert_eq!(want, *b, "{m} rows");
        }
    }
}

#[test]
fn eight_bits_are_within_half_a_step() {
    let (n, k) = (9, 300);
    let w = numbers(n * k, 11);
    let q8 = widened(&matrix(&w, n, k, Precision::Q8));
    for (row, (w, q)) in w.chunks(k).zip(q8.chunks(k)).enumerate() {
        for (w, q) in w.chunks(128).zip(q.chunks(128)) {
            let step = w.iter().fold(0f32, |m, v| m.max(v.abs())) / 127.0;
            assert!(w.iter().zip(q).all(|(w, q)| (w - q).abs() <= step * 0.5001), "row {row}");
        }
    }
}

#[test]
fn zeros_stay_zero_in_eight_bits() {
    assert_eq!(widened(&matrix(&[0.0; 64], 2, 32, Precision::Q8)), [0.0; 64]);
}
