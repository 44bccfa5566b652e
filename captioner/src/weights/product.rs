//! x · Wᵀ on the CPU, whatever form W is kept in.
//!
//! Two regimes. Few rows of x (decoding): stream W once through the dot kernels, split over threads by output. Many rows
//! (vision, encoder): widen a group of outputs into the packed form of [`kernels`](fgd_kernels), and multiply; the widening
//! is then paid once per group and W is never held twice.

use fgd_kernels::{
    Buffer, Dot, Finish, LANES, Level, Matrix, Product, Q8_BLOCK, Rows, Shape, round_up,
};
use rayon::prelude::*;

use super::matrix::{Data, HostMatrix};

/// Rows of x up to which the dot kernels win over packing weights.
const SKINNY: usize = 16;

/// Bytes of packed weights at a time: they are written and read once per chunk of rows, from the last-level cache.
const GROUP_BYTES: usize = 4 << 20;

/// Rows of x that one task multiplies at most: what the kernel reads of them at a time stays in the second-level cache.
const CHUNK_ROWS: usize = 264;

/// Outputs that a task finishes before it goes on to the next ones: its part of the result is gathered in the second-level
/// cache, as rows of a wide result would lie in the same few sets of it.
const COLUMNS: usize = 192;

/// Inputs of all rows that a task multiplies before it goes on to the next ones.
const DEPTH: usize = 384;

/// Inputs that are widened and transposed at a time, in the first-level cache.
const BLOCK: usize = 128;

/// x [m, cols] · wᵀ → [m, rows], row-major; `epilogue` sees every finished row of the result once.
pub fn product(x: &[f32], w: &HostMatrix, epilogue: impl Fn(&mut [f32]) + Sync) -> Vec<f32> {
    let m = x.len() / w.cols();
    if m == 0 {
        return Vec::new();
    }
    let mut out = if m <= SKINNY {
        skinny(x, w, m)
    } else {
        packed(x, [w.rows(), w.cols()], |first, outputs, level, values| {
            pack(w, first, outputs, level, values)
        })
    };
    out.par_chunks_mut(w.rows()).for_each(&epilogue);
    out
}

/// dy [m, rows] · w → [m, cols], row-major: what a gradient behind [`product`] is worth before it.
pub fn product_back(dy: &[f32], w: &HostMatrix) -> Vec<f32> {
    if dy.is_empty() {
        return Vec::new();
    }
    packed(dy, [w.cols(), w.rows()], |first, outputs, level, values| {
        pack_back(w, first, outputs, level, values)
    })
}

fn skinny(x: &[f32], w: &HostMatrix, m: usize) -> Vec<f32> {
    const ROWS: usize = 32;
    let level = Level::current();
    // Transposed, [rows, m]: a thread then owns the consecutive piece that belongs to its outputs.
    let mut transposed = vec![0f32; w.rows() * m];
    transposed.par_chunks_mut(ROWS * m).enumerate().for_each(|(chunk, out)| {
        let mut row = chunk * ROWS;
        for out in out.chunks_mut(2 * m) {
            if out.len() == 2 * m {
                all_rows(level, weight_rows::<2>(w, row), x, out);
            } else {
                all_rows(level, weight_rows::<1>(w, row), x, out);
            }
            row += 2;
        }
    });
    if m == 1 {
        return transposed;
    }
    let mut out = vec![0f32; w.rows() * m];
    for (row, values) in transposed.chunks(m).enumerate() {
        for (i, value) in values.iter().enumerate() {
            out[i * w.rows() + row] = *value;
        }
    }
    out
}

/// out [R, m] = rows · xᵀ.
fn all_rows<const R: usize>(level: Level, rows: Rows<R>, x: &[f32], out: &mut [f32]) {
    let m = out.len() / R;
    let k = x.len() / m;
    let x = |i: usize| &x[i * k..(i + 1) * k];
    let mut i = 0;
    while i < m {
        match m - i {
            1 => put(level, rows, [x(i)], out, &mut i),
            2 | 3 => put(level, rows, [x(i), x(i + 1)], out, &mut i),
            _ => put(level, rows, [x(i), x(i + 1), x(i + 2), x(i + 3)], out, &mut i),
        }
    }
}

/// Writes the dot products of `R` rows with the x from `*i` on, and moves `*i` behind them.
fn put<const R: usize, const M: usize>(
    level: Level,
    rows: Rows<R>,
    xs: [&[f32]; M],
    out: &mut [f32],
    i: &mut usize,
) {
    let m = out.len() / R;
    for (r, dots) in level.run(Dot { rows, xs }).iter().enumerate() {
        out[r * m + *i..][..M].copy_from_slice(dots);
    }
    *i += M;
}

fn weight_rows<const R: usize>(w: &HostMatrix, first: usize) -> Rows<'_, R> {
    let range = |r: usize| (first + r) * w.cols()..(first + r + 1) * w.cols();
    match w.data() {
        Data::F32(w) => Rows::F32(std::array::from_fn(|r| &w[range(r)])),
        Data::F16(w) => Rows::F16(std::array::from_fn(|r| &w[range(r)])),
        Data::Bf16(w) => Rows::Bf16(std::array::from_fn(|r| &w[range(r)])),
        Data::Q8 { scales, quants } => {
            let blocks = w.cols().div_ceil(Q8_BLOCK);
            Rows::Q8 {
                scales: std::array::from_fn(|r| &scales[(first + r) * blocks..][..blocks]),
                quants: std::array::from_fn(|r| &quants[range(r)]),
            }
        }
    }
}

/// x [m, k] times a matrix [n, k] of which `pack` brings n's `first..first + outputs` into the kernels' form.
fn packed(
    x: &[f32],
    [n, k]: [usize; 2],
    pack: impl Fn(usize, usize, Level, Buffer) -> Matrix,
) -> Vec<f32> {
    let level = Level::current();
    let panel = level.panel();
    let m = x.len() / k;
    // The kernels write whole vectors: a result of another width is computed wider and cut.
    let stride = round_up(n);
    let mut out = vec![0f32; m * stride];
    let chunk = rows_per_task(m, level.rows());
    let group = (GROUP_BYTES / (4 * k) / panel).max(1) * panel;
    let slabs = slabs(x, m, k);
    let mut panels = Buffer::default();
    for first in (0..n).step_by(group) {
        let outputs = group.min(n - first);
        let weights = pack(first, outputs, level, panels);
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
                for (out, block) in out.chunks_mut(stride).zip(block.chunks(COLUMNS)) {
                    out[first + left..first + columns.end].copy_from_slice(&block[..columns.len()]);
                }
            }
        });
        panels = weights.values;
    }
    if stride != n {
        for row in 1..m {
            out.copy_within(row * stride..row * stride + n, row * n);
        }
        out.truncate(m * n);
    }
    out
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

/// Outputs `first..first + outputs` of `w` as the kernels want them, in the memory of `values`.
fn pack(w: &HostMatrix, first: usize, outputs: usize, level: Level, values: Buffer) -> Matrix {
    by_panel(outputs, w.cols(), level, values, |begin, width, out| {
        for lane in (0..width).step_by(LANES) {
            let rows = first + begin + lane..first + outputs;
            pack_lanes(w, rows, &mut out[lane..], width, level);
        }
    })
}

/// Columns `first..first + outputs` of `w` as the kernels want them for a product over its rows: a piece of each row, one
/// after the other.
fn pack_back(w: &HostMatrix, first: usize, outputs: usize, level: Level, values: Buffer) -> Matrix {
    by_panel(outputs, w.rows(), level, values, |begin, width, out| {
        let real = width.min(outputs - begin);
        for (row, out) in out.chunks_mut(width).take(w.rows()).enumerate() {
            w.widen(row, first + begin, &mut out[..real]);
            out[real..].fill(0.0);
        }
    })
}

/// A matrix whose panels are filled side by side: `fill` gets the first output of each, its width, and its memory.
fn by_panel(
    outputs: usize,
    inputs: usize,
    level: Level,
    mut values: Buffer,
    fill: impl Fn(usize, usize, &mut [f32]) + Sync,
) -> Matrix {
    let panel = level.panel();
    let shape = Shape::new([outputs, inputs], panel);
    values.reserve(shape.outputs * shape.inputs);
    values[..shape.outputs * shape.inputs]
        .par_chunks_mut(panel * shape.inputs)
        .enumerate()
        .for_each(|(index, out)| fill(index * panel, shape.width(index * panel), out));
    Matrix { values, bias: Buffer::zeros(shape.outputs), shape }
}

/// Packs sixteen outputs, or what is left of them with zeros in place of the rest.
fn pack_lanes(
    w: &HostMatrix,
    rows: std::ops::Range<usize>,
    out: &mut [f32],
    stride: usize,
    level: Level,
) {
    let mut block = [0f32; LANES * BLOCK];
    let rows = rows.start..rows.end.min(rows.start + LANES);
    for from in (0..w.cols()).step_by(BLOCK) {
        let inputs = BLOCK.min(w.cols() - from);
        let padded = round_up(inputs);
        let block = &mut block[..LANES * padded];
        if rows.len() < LANES || padded != inputs {
            block.fill(0.0);
        }
        for (row, wide) in rows.clone().zip(block.chunks_mut(padded)) {
            w.widen(row, from, &mut wide[..inputs]);
        }
        level.transpose(block, &mut out[from * stride..], stride);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    #[test]
    fn the_way_back_is_the_product_with_the_transpose() {
        for (m, rows, cols) in [(1, 5, 3), (7, 48, 40), (40, 33, 100), (300, 17, 16)] {
            let (dy, w) = (values(m * rows, 1), values(rows * cols, 2));
            let got = product_back(&dy, &HostMatrix::from_f32(w.clone(), rows, cols));
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
        let rounded = HostMatrix::from_f32(w, 24, 50).rounded(super::super::Precision::Bf16);
        let same = HostMatrix::from_f32(rounded.to_f32(), 24, 50);
        assert_eq!(product_back(&dy, &rounded), product_back(&dy, &same));
    }
}
