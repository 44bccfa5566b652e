//! Many rows of x (vision, encoder): a group of outputs at a time is brought into the packed form of
//! [`kernels`](fgd_kernels) and multiplied; the packing is paid once per group, and W is never held twice.

use fgd_kernels::{Buffer, Element, Finish, Level, Matrix, Product, round_up};
use rayon::prelude::*;

use super::After;

/// Bytes of packed weights at a time: they are written and read once per chunk of rows, from the last-level cache.
const GROUP_BYTES: usize = 4 << 20;

/// Rows of x that one task multiplies at most: what the kernel reads of them at a time stays in the second-level cache.
const CHUNK_ROWS: usize = 264;

/// Outputs that a task finishes before it goes on to the next ones: its part of the result is gathered in the second-level
/// cache, as rows of a wide result would lie in the same few sets of it.
const COLUMNS: usize = 192;

/// Elements of all rows that a task multiplies before it goes on to the next ones.
const DEPTH: usize = 384;

/// x [m, k] times a matrix [n, k] of which `pack` brings n's `first..first + outputs` into the kernels' form, with this
/// bias; `T` is what is multiplied.
pub fn packed<T: Element>(
    x: &[f32],
    [n, k]: [usize; 2],
    after: After,
    pack: impl Fn(usize, usize, Level, Buffer<T>) -> Matrix<Buffer<T>>,
) -> Vec<f32> {
    let level = Level::current();
    let panel = level.panel();
    let (m, elements) = (x.len() / k, k.div_ceil(T::INPUTS));
    // The kernels write whole vectors: a result of another width is computed wider and cut.
    let stride = round_up(n);
    let mut out = vec![0f32; m * stride];
    let chunk = rows_per_task(m, level.rows());
    let group = (GROUP_BYTES / (4 * elements) / panel).max(1) * panel;
    let slabs = slabs::<T>(level, x, m, k);
    let mut panels = Buffer::default();
    for first in (0..n).step_by(group) {
        let outputs = group.min(n - first);
        let mut weights = pack(first, outputs, level, panels);
        if !after.bias.is_empty() {
            weights.bias[..outputs].copy_from_slice(&after.bias[first..first + outputs]);
        }
        out.par_chunks_mut(chunk * stride).enumerate().for_each(|(index, out)| {
            let rows = out.len() / stride;
            let mut block = vec![0f32; rows * COLUMNS];
            for left in (0..weights.shape.outputs).step_by(COLUMNS) {
                let columns = left..weights.shape.outputs.min(left + COLUMNS);
                for from in (0..elements).step_by(DEPTH) {
                    let depth = DEPTH.min(elements - from);
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
                        finish: match after.activation {
                            _ if from + depth < elements => Finish::Keep,
                            Some(activation) => Finish::Activate(activation),
                            None => Finish::Bias,
                        },
                    });
                }
                let (begin, end) = (first + left, (first + columns.end).min(n));
                for (row, (out, block)) in
                    out.chunks_mut(stride).zip(block.chunks(COLUMNS)).enumerate()
                {
                    let out = &mut out[begin..end];
                    out.copy_from_slice(&block[..end - begin]);
                    after.join(out, (index * chunk + row) * n + begin);
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
fn slabs<T: Element>(level: Level, x: &[f32], m: usize, k: usize) -> Vec<T> {
    let mut out = vec![T::default(); m * k.div_ceil(T::INPUTS)];
    out.par_chunks_mut(m * DEPTH).enumerate().for_each(|(slab, out)| {
        let from = slab * DEPTH * T::INPUTS;
        let inputs = (DEPTH * T::INPUTS).min(k - from);
        for (out, x) in out.chunks_mut(inputs.div_ceil(T::INPUTS)).zip(x.chunks(k)) {
            T::round(level, &x[from..from + inputs], out);
        }
    });
    out
}

/// As even a division as whole tiles allow, into a multiple of the threads where there are that many tiles.
fn rows_per_task(m: usize, tile: usize) -> usize {
    let tasks = m.div_ceil(CHUNK_ROWS).next_multiple_of(rayon::current_num_threads());
    m.div_ceil(tasks).next_multiple_of(tile)
}
