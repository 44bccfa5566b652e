//! dy · W: what a gradient behind a product is worth before it. Some panels of W's transpose at a time are made from W's, so that
//! W is never held twice.

use fgd_kernels::{Level, PANEL, Panels};
use rayon::prelude::*;

use super::{After, panels};
use crate::error::Result;
use crate::weights::words::Words;

/// Bytes of panels at a time: they are written once, and read once per chunk of rows from the last-level cache.
const GROUP_BYTES: usize = 4 << 20;

/// dy [m, n] · w [n, k] → [m, k], row-major.
///
/// # Errors
/// Not enough memory.
pub fn product(dy: &[f32], w: Panels) -> Result<Vec<f32>> {
    let ([n, k], form) = (w.sizes(), w.form());
    let panel = form.weight_words([PANEL, n]);
    let group = (GROUP_BYTES / (4 * panel)).clamp(1, k.div_ceil(PANEL));
    let mut words = Words::zeros(group * panel)?;
    let rows = dy.len() / n;
    let mut out = vec![0f32; rows * k];
    let (mut rounded, mut part) = (Vec::new(), Vec::new());
    for first in (0..k).step_by(group * PANEL) {
        let columns = (group * PANEL).min(k - first);
        let words = &mut words[..form.weight_words([columns, n])];
        words.par_chunks_mut(panel).enumerate().for_each(|(at, words)| {
            w.transpose(Level::current(), first / PANEL + at, words);
        });
        let transposed = Panels::new(form, words, [columns, n]);
        part.resize(rows * columns, 0.0);
        panels::product(dy, transposed, After::default(), &mut rounded, &mut part);
        for (out, part) in out.chunks_mut(k).zip(part.chunks(columns)) {
            out[first..first + columns].copy_from_slice(part);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use crate::weights::panels::PanelMatrix;
    use crate::weights::product::{Arithmetic, product_back};
    use crate::weights::{HostMatrix, Precision};

    fn matrix(w: Vec<f32>, rows: usize, cols: usize, precision: Precision) -> PanelMatrix {
        PanelMatrix::new(&HostMatrix::from_f32(w, rows, cols), precision).unwrap()
    }

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    #[test]
    fn the_way_back_is_the_product_with_the_transpose() {
        for (m, rows, cols) in [(1, 5, 3), (7, 48, 40), (40, 33, 300), (300, 17, 16)] {
            let (dy, w) = (values(m * rows, 1), values(rows * cols, 2));
            let rounded = w.iter().map(|w| half::bf16::from_f32(*w).to_f32()).collect::<Vec<_>>();
            let [kept, halves] = [Precision::F32, Precision::Bf16]
                .map(|precision| matrix(w.clone(), rows, cols, precision));
            for (matrix, w, arithmetic, most) in [
                (&kept, &w, Arithmetic::Exact, 1e-5),
                (&kept, &w, Arithmetic::Rounded, 1e-5),
                (&halves, &rounded, Arithmetic::Exact, 1e-5),
                // dy is rounded too, to 8 bits of at most 1.
                (&halves, &rounded, Arithmetic::Rounded, 0.03),
            ] {
                let got = product_back(&dy, matrix, arithmetic).unwrap();
                for i in 0..m {
                    for j in 0..cols {
                        let term = |r| f64::from(dy[i * rows + r]) * f64::from(w[r * cols + j]);
                        let want: f64 = (0..rows).map(term).sum();
                        let off = (f64::from(got[i * cols + j]) - want).abs();
                        assert!(off < most, "{m} {rows} {cols} {arithmetic:?}: {off}");
                    }
                }
            }
        }
    }

    #[test]
    fn rounded_weights_are_multiplied_as_they_are() {
        let (dy, w) = (values(20 * 24, 3), values(24 * 50, 4));
        let rounded = matrix(w, 24, 50, Precision::Bf16);
        let mut wide = vec![0.0; 24 * 50];
        for (row, wide) in wide.chunks_mut(50).enumerate() {
            rounded.widen(row, 0, wide);
        }
        let same = matrix(wide, 24, 50, Precision::F32);
        let [rounded, same] =
            [&rounded, &same].map(|w| product_back(&dy, w, Arithmetic::Exact).unwrap());
        assert_eq!(rounded, same);
    }
}
