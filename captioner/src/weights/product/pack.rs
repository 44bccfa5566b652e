//! Weights as they lie in memory, brought into the panels of the kernels.

use std::ops::Range;

use fgd_kernels::{Buffer, Element, LANES, Level, Matrix, Pair, Shape, round_up};
use rayon::prelude::*;

use crate::weights::matrix::{Data, HostMatrix};

/// Elements of a row that are brought over and transposed at a time, in the first-level cache.
const BLOCK: usize = 128;

/// An element that a [`HostMatrix`] can be read as.
pub trait FromRow: Element {
    /// Inputs `from..from + inputs` of `row`; what lies behind them in `out` is left.
    fn read(w: &HostMatrix, row: usize, from: usize, inputs: usize, level: Level, out: &mut [Self]);

    /// Columns `first..first + out.len()` of as many rows as an element has inputs, from the `element`th on, which are the inputs
    /// of a product back; zeros in place of rows that are not there.
    fn read_back(w: &HostMatrix, element: usize, first: usize, level: Level, out: &mut [Self]);
}

impl FromRow for f32 {
    fn read(w: &HostMatrix, row: usize, from: usize, inputs: usize, _: Level, out: &mut [f32]) {
        w.widen(row, from, &mut out[..inputs]);
    }

    fn read_back(w: &HostMatrix, row: usize, first: usize, _: Level, out: &mut [f32]) {
        w.widen(row, first, out);
    }
}

impl FromRow for Pair {
    fn read(
        w: &HostMatrix,
        row: usize,
        from: usize,
        inputs: usize,
        level: Level,
        out: &mut [Pair],
    ) {
        let out = &mut out[..inputs.div_ceil(2)];
        if let Data::Bf16(values) = w.data()
            && inputs.is_multiple_of(2)
        {
            let start = row * w.cols() + from;
            let (pairs, _) = values[start..start + inputs].as_chunks::<2>();
            return out.iter_mut().zip(pairs).for_each(|(out, pair)| *out = Pair(*pair));
        }
        let mut wide = [0.0; 2 * BLOCK];
        w.widen(row, from, &mut wide[..inputs]);
        Pair::round(level, &wide[..inputs], out);
    }

    fn read_back(w: &HostMatrix, pair: usize, first: usize, level: Level, out: &mut [Pair]) {
        let rows = [2 * pair, 2 * pair + 1];
        if let (Data::Bf16(values), true) = (w.data(), rows[1] < w.rows()) {
            let [upper, lower] = rows.map(|row| &values[row * w.cols() + first..][..out.len()]);
            let pairs = upper.iter().zip(lower);
            return out.iter_mut().zip(pairs).for_each(|(out, (a, b))| *out = Pair([*a, *b]));
        }
        for (at, out) in out.chunks_mut(BLOCK).enumerate() {
            let mut wide = [[0.0; BLOCK]; 2];
            for (row, wide) in rows.into_iter().zip(&mut wide).filter(|(row, _)| *row < w.rows()) {
                w.widen(row, first + at * BLOCK, &mut wide[..out.len()]);
            }
            let mut both = [0.0; 2 * BLOCK];
            let (between, _) = both.as_chunks_mut::<2>();
            let pairs = wide[0].iter().zip(&wide[1]);
            between.iter_mut().zip(pairs).for_each(|(to, (a, b))| *to = [*a, *b]);
            Pair::round(level, &both[..2 * out.len()], out);
        }
    }
}

/// Outputs `first..first + outputs` of `w` as the kernels want them, in the memory of `values`.
pub fn pack<T: FromRow>(
    w: &HostMatrix,
    first: usize,
    outputs: usize,
    level: Level,
    values: Buffer<T>,
) -> Matrix<Buffer<T>> {
    let elements = w.cols().div_ceil(T::INPUTS);
    by_panel(outputs, elements, level, values, |begin, width, out| {
        for lane in (0..width).step_by(LANES) {
            let rows = first + begin + lane..first + outputs;
            pack_lanes(w, rows, &mut out[lane..], width, level);
        }
    })
}

/// Columns `first..first + outputs` of `w` as the kernels want them for a product over its rows: a piece of each row, or of two
/// rows together, one after the other.
pub fn pack_back<T: FromRow>(
    w: &HostMatrix,
    first: usize,
    outputs: usize,
    level: Level,
    values: Buffer<T>,
) -> Matrix<Buffer<T>> {
    let elements = w.rows().div_ceil(T::INPUTS);
    by_panel(outputs, elements, level, values, |begin, width, out| {
        let real = width.min(outputs - begin);
        for (element, out) in out.chunks_mut(width).take(elements).enumerate() {
            T::read_back(w, element, first + begin, level, &mut out[..real]);
            out[real..].fill(T::default());
        }
    })
}

/// A matrix whose panels are filled side by side: `fill` gets the first output of each, its width, and its memory.
fn by_panel<T: Element>(
    outputs: usize,
    elements: usize,
    level: Level,
    mut values: Buffer<T>,
    fill: impl Fn(usize, usize, &mut [T]) + Sync,
) -> Matrix<Buffer<T>> {
    let panel = level.panel();
    let shape = Shape::new([outputs, elements], panel);
    values.reserve(shape.outputs * shape.inputs);
    values[..shape.outputs * shape.inputs]
        .par_chunks_mut(panel * shape.inputs)
        .enumerate()
        .for_each(|(index, out)| fill(index * panel, shape.width(index * panel), out));
    Matrix { values, bias: Buffer::zeros(shape.outputs), shape }
}

/// Packs sixteen outputs, or what is left of them with zeros in place of the rest.
fn pack_lanes<T: FromRow>(
    w: &HostMatrix,
    rows: Range<usize>,
    out: &mut [T],
    stride: usize,
    level: Level,
) {
    let mut block = [T::default(); LANES * BLOCK];
    let rows = rows.start..rows.end.min(rows.start + LANES);
    let elements = w.cols().div_ceil(T::INPUTS);
    for at in (0..elements).step_by(BLOCK) {
        let count = BLOCK.min(elements - at);
        let from = at * T::INPUTS;
        let inputs = (count * T::INPUTS).min(w.cols() - from);
        let padded = round_up(count);
        let block = &mut block[..LANES * padded];
        if rows.len() < LANES || padded != count {
            block.fill(T::default());
        }
        for (row, out) in rows.clone().zip(block.chunks_mut(padded)) {
            T::read(w, row, from, inputs, level, out);
        }
        level.transpose(block, &mut out[at * stride..], stride);
    }
}
