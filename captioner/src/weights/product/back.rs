//! dy · W: what a gradient behind a product is worth before it, in f32. A group of W's columns at a time is brought into the
//! packed form of the kernels, which is paid once per group, so that W is never held twice.

use fgd_kernels::{Buffer, Finish, Level, Matrix, Product, Shape, round_up};
use rayon::prelude::*;

use crate::weights::panels::PanelMatrix;

/// Bytes of packed weights at a time: they are written and read once per chunk of rows, from the last-level cache.
const GROUP_BYTES: usize = 4 << 20;

/// Rows of dy that one task multiplies at most: what the kernel reads of them at a time stays in the second-level cache.
const CHUNK_ROWS: usize = 264;

/// Columns that a task finishes before it goes on to the next ones: its part of the result is gathered in the second-level
/// cache, as rows of a wide result would lie in the same few sets of it.
const COLUMNS: usize = 192;

/// Inputs of all rows that a task multiplies before it goes on to the next ones.
const DEPTH: usize = 384;

/// dy [m, rows] · w → [m, cols], row-major.
pub fn product_back(dy: &[f32], w: &PanelMatrix) -> Vec<f32> {
    let level = Level::current();
    let (k, n) = (w.rows(), w.cols());
    let m = dy.len() / k.max(1);
    // The kernels write whole vectors: a result of another width is computed wider and cut.
    let stride = round_up(n);
    let mut out = vec![0f32; m * stride];
    if m == 0 {
        return out;
    }
    let chunk = rows_per_task(m, level.rows());
    let group = (GROUP_BYTES / (4 * k) / level.panel()).max(1) * level.panel();
    let slabs = slabs(dy, m, k);
    let mut values = Buffer::default();
    for first in (0..n).step_by(group) {
        let columns = group.min(n - first);
        let weights = pack(w, first, columns, level, values);
        out.par_chunks_mut(chunk * stride).enumerate().for_each(|(index, out)| {
            let rows = out.len() / stride;
            let mut block = vec![0f32; rows * COLUMNS];
            for left in (0..weights.shape.outputs).step_by(COLUMNS) {
                let columns = left..weights.shape.outputs.min(left + COLUMNS);
                for from in (0..k).step_by(DEPTH) {
                    let depth = DEPTH.min(k - from);
                    level.product(Product {
                        input: &slabs[m * from + index * chunk * depth..],
                        input_stride: depth,
                        rows,
                        weights: &weights,
                        columns: columns.clone(),
                        inner: from..from + depth,
                        output: &mut block,
                        output_stride: COLUMNS,
                        proceed: from > 0,
                        finish: Finish::Keep,
                    });
                }
                let (begin, end) = (first + left, (first + columns.end).min(n));
                for (out, block) in out.chunks_mut(stride).zip(block.chunks(COLUMNS)) {
                    out[begin..end].copy_from_slice(&block[..end - begin]);
                }
            }
        });
        values = weights.values;
    }
    if stride != n {
        for row in 1..m {
            out.copy_within(row * stride..row * stride + n, row * n);
        }
        out.truncate(m * n);
    }
    out
}

/// Columns `first..first + columns` of `w` as the kernels want them for a product over its rows, a piece of each row after the
/// other, in the memory of `values`.
fn pack(w: &PanelMatrix, first: usize, columns: usize, level: Level, mut values: Buffer) -> Matrix {
    let panel = level.panel();
    let shape = Shape::new([columns, w.rows()], panel);
    values.reserve(shape.outputs * shape.inputs);
    values[..shape.outputs * shape.inputs]
        .par_chunks_mut(panel * shape.inputs)
        .enumerate()
        .for_each(|(index, out)| {
            let (begin, width) = (index * panel, shape.width(index * panel));
            let real = width.min(columns - begin);
            for (row, out) in out.chunks_mut(width).take(w.rows()).enumerate() {
                w.widen(row, first + begin, &mut out[..real]);
                out[real..].fill(0.0);
            }
        });
    Matrix { values, bias: Buffer::zeros(shape.outputs), shape }
}

/// x [m, k] as one matrix [m, `DEPTH`] after the other. Rows then follow one another: as they lie in x, many widths put
/// all of them into the same few sets of a cache.
fn slabs(x: &[f32], m: usize, k: usize) -> Vec<f32> {
    let mut out = vec![0f32; m * k];
    out.par_chunks_mut(m * DEPTH).enumerate().for_each(|(slab, out)| {
        let from = slab * DEPTH;
        let depth = DEPTH.min(k - from);
        for (out, x) in out.chunks_mut(depth).zip(x.chunks(k)) {
            out.copy_from_slice(&x[from..from + depth]);
        }
    });
    out
}

/// As even a division as whole tiles allow, into a multiple of the threads where there are that many tiles.
fn rows_per_task(m: usize, tile: usize) -> usize {
    let tasks = m.div_ceil(CHUNK_ROWS).next_multiple_of(rayon::current_num_threads());
    m.div_ceil(tasks).next_multiple_of(tile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::{HostMatrix, Precision};

    fn matrix(w: Vec<f32>, rows: usize, cols: usize, precision: Precision) -> PanelMatrix {
        PanelMatrix::new(&HostMatrix::from_f32(w, rows, cols), precision).unwrap()
    }

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    #[test]
    fn the_way_back_is_the_product_with_the_transpose() {
        for (m, rows, cols) in [(1, 5, 3), (7, 48, 40), (40, 33, 100), (300, 17, 16)] {
            let (dy, w) = (values(m * rows, 1), values(rows * cols, 2));
            let got = product_back(&dy, &matrix(w.clone(), rows, cols, Precision::F32));
            for i in 0..m {
                for j in 0..cols {
                    let terms =
                        (0..rows).map(|r| f64::from(dy[i * rows + r]) * f64::from(w[r * cols + j]));
                    let want: f64 = terms.sum();
                    assert!(
                        (f64::from(got[i * cols + j]) - want).abs() < 1e-5,
                        "{m} {rows} {cols}"
                    );
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
        assert_eq!(product_back(&dy, &rounded), product_back(&dy, &same));
    }
}
