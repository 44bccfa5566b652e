//! dy · W: what a gradient behind a product is worth before it. Each task makes some panels of W's transpose as it goes, some rows of W
//! at a time, so that W is never held twice.

use std::ops::Range;

use fgd_kernels::{Level, PANEL, Panels};
use rayon::prelude::*;

use super::After;
use super::panels::{CHUNK_ROWS, Inputs, place};

/// Panels of the transpose that a task has at most, and passes over rows of W for which it makes them at a time: half a megabyte, which
/// stays in the second-level cache beside the rows of a pass.
const PANELS: usize = 4;
const PASSES: usize = 5;

/// dy [m, n] · w [n, k] → [m, k], row-major.
pub fn product(dy: &[f32], w: Panels) -> Vec<f32> {
    let ([n, k], form) = (w.sizes(), w.form());
    let mut words = Vec::new();
    let inputs = Inputs::in_slabs(dy, n, form, form.pass(), &mut words);
    let count = k.div_ceil(PANEL);
    let each = count.div_ceil(rayon::current_num_threads()).clamp(1, PANELS);
    let tasks: Vec<Range<usize>> =
        (0..count).step_by(each).map(|from| from..count.min(from + each)).collect();
    let blocks: Vec<Vec<f32>> = (tasks.par_iter())
        .map_init(Vec::new, |words, panels| columns(&inputs, w, panels.clone(), words))
        .collect();
    let mut out = vec![0f32; inputs.rows * k];
    out.par_chunks_mut(CHUNK_ROWS * k).enumerate().for_each(|(at, out)| {
        for (panels, block) in tasks.iter().zip(&blocks) {
            let block = &block[at * CHUNK_ROWS * panels.len() * PANEL..];
            place(block, panels.clone(), k, After::default(), out, 0);
        }
    });
    out
}

/// All rows times the columns of W in some panels of its transpose [m, panels · PANEL].
fn columns(inputs: &Inputs, w: Panels, panels: Range<usize>, words: &mut Vec<i32>) -> Vec<f32> {
    let ([n, _], form) = (w.sizes(), w.form());
    let width = panels.len() * PANEL;
    let mut sums = vec![0f32; inputs.rows * width];
    let mut part = vec![0f32; CHUNK_ROWS.min(inputs.rows) * width];
    for first in (0..n).step_by(PASSES * form.pass()) {
        let inner = first..n.min(first + PASSES * form.pass());
        let panel = form.weight_words([PANEL, inner.len()]);
        words.resize(panels.len() * panel, 0);
        for (panel, words) in panels.clone().zip(words.chunks_mut(panel)) {
            w.transpose(Level::current(), panel, inner.clone(), words);
        }
        let transposed = Panels::new(form, words, [width, inner.len()]);
        for (at, sums) in sums.chunks_mut(CHUNK_ROWS * width).enumerate() {
            let rows = at * CHUNK_ROWS..at * CHUNK_ROWS + sums.len() / width;
            let part = &mut part[..sums.len()];
            inputs.multiply(rows, first, transposed, 0..panels.len(), After::default(), part);
            sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += *part);
        }
    }
    sums
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
        for (m, rows, cols) in
            [(1, 5, 3), (7, 48, 40), (40, 33, 300), (300, 17, 16), (270, 1950, 130)]
        {
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
                let got = product_back(&dy, matrix, arithmetic);
                for i in 0..m {
                    for j in 0..cols {
                        let term = |r| f64::from(dy[i * rows + r]) * f64::from(w[r * cols + j]);
                        let want: f64 = (0..rows).map(term).sum();
                        let off = (f64::from(got[i * cols + j]) - want).abs();
                        // Roundings of a sum add up as its terms' root.
                        let most = most * (rows as f64 / 48.0).sqrt().max(1.0);
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
        let [rounded, same] = [&rounded, &same].map(|w| product_back(&dy, w, Arithmetic::Exact));
        assert_eq!(rounded, same);
    }
}
