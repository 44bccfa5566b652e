//! Few rows of x (decoding): W streams once through the dot kernels, split over threads by output.

use fgd_kernels::{Dot, Element, HalfDot, Level, Pair, Q8_BLOCK, Rows};
use rayon::prelude::*;

use super::Arithmetic;
use crate::weights::matrix::{Data, HostMatrix};

/// Outputs that one task computes.
const ROWS: usize = 32;

/// Rows of x, also in bf16 where they are multiplied so.
struct Inputs<'a> {
    level: Level,
    x: &'a [f32],
    halves: Vec<Pair>,
    length: usize,
}

impl<'a> Inputs<'a> {
    fn new(x: &'a [f32], w: &HostMatrix, arithmetic: Arithmetic) -> Self {
        let (level, length) = (Level::current(), w.cols());
        let rounds = arithmetic == Arithmetic::Bf16 && level.has_bf16();
        let mut halves = Vec::new();
        if rounds && matches!(w.data(), Data::Bf16(_)) {
            let pairs = length.div_ceil(2);
            halves.resize(x.len() / length * pairs, Pair::default());
            for (x, halves) in x.chunks(length).zip(halves.chunks_mut(pairs)) {
                Pair::round(level, x, halves);
            }
        }
        Self { level, x, halves, length }
    }

    /// The products of some rows of weights with the `M` rows of x from `first` on.
    fn dots<const R: usize, const M: usize>(&self, rows: Rows<R>, first: usize) -> [[f32; M]; R] {
        let length = self.length;
        if let Rows::Bf16(rows) = rows
            && !self.halves.is_empty()
        {
            let halves = Pair::halves(&self.halves);
            let stride = length.next_multiple_of(2);
            let xs = std::array::from_fn(|i| &halves[(first + i) * stride..][..length]);
            return self.level.run(HalfDot { rows, xs });
        }
        let xs = std::array::from_fn(|i| &self.x[(first + i) * length..][..length]);
        self.level.run(Dot { rows, xs })
    }
}

/// x [m, cols] · wᵀ → [m, rows].
pub fn skinny(x: &[f32], w: &HostMatrix, m: usize, arithmetic: Arithmetic) -> Vec<f32> {
    let inputs = Inputs::new(x, w, arithmetic);
    // Transposed, [rows, m]: a thread then owns the consecutive piece that belongs to its outputs.
    let mut transposed = vec![0f32; w.rows() * m];
    transposed.par_chunks_mut(ROWS * m).enumerate().for_each(|(chunk, out)| {
        let mut row = chunk * ROWS;
        for out in out.chunks_mut(2 * m) {
            if out.len() == 2 * m {
                all_rows(&inputs, weight_rows::<2>(w, row), out);
            } else {
                all_rows(&inputs, weight_rows::<1>(w, row), out);
            }
            row += 2;
        }
    });
    if m == 1 {
        return transposed;
    }
    let mut out = vec![0f32; w.rows() * m];
    for (piece, values) in transposed.chunks(ROWS * m).enumerate() {
        for (i, out) in out.chunks_mut(w.rows()).enumerate() {
            let values = values[i..].iter().step_by(m);
            out[piece * ROWS..].iter_mut().zip(values).for_each(|(out, value)| *out = *value);
        }
    }
    out
}

/// out [R, m] = rows · xᵀ.
fn all_rows<const R: usize>(inputs: &Inputs, rows: Rows<R>, out: &mut [f32]) {
    let m = out.len() / R;
    let mut i = 0;
    while i < m {
        i += match m - i {
            1 => put::<R, 1>(inputs, rows, out, i),
            2 | 3 => put::<R, 2>(inputs, rows, out, i),
            _ => put::<R, 4>(inputs, rows, out, i),
        };
    }
}

/// Writes the dot products of `R` rows with the `M` rows of x from `i` on; returns how many these were.
fn put<const R: usize, const M: usize>(
    inputs: &Inputs,
    rows: Rows<R>,
    out: &mut [f32],
    i: usize,
) -> usize {
    let m = out.len() / R;
    for (r, dots) in inputs.dots::<R, M>(rows, i).iter().enumerate() {
        out[r * m + i..][..M].copy_from_slice(dots);
    }
    M
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
