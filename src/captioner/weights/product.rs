//! x · Wᵀ on the CPU, whatever form W is kept in.
//!
//! Two regimes. Few rows of x (decoding): stream W once through the dot kernels, split over threads by output. Many rows
//! (vision, encoder): widen a tile of W into f32 that fits the cache and hand it to `gemm`; the widening is then paid
//! once per tile and W is never held twice.

use std::ops::Range;

use gemm::Parallelism;
use rayon::prelude::*;

use super::kernels::{Row, dot, vectorised};
use super::matrix::{Data, HostMatrix, Q8_BLOCK};

/// Rows of x up to which the dot kernels win over widening and packing tiles.
const SKINNY: usize = 16;

/// Outputs per tile: enough to amortise gemm's packing of x, small enough for the widened tile to stay in cache.
const TILE: usize = 256;

/// x [m, cols] · wᵀ → [m, rows], row-major; `epilogue` sees every finished row of the result once.
pub fn product(x: &[f32], w: &HostMatrix, epilogue: impl Fn(&mut [f32]) + Sync) -> Vec<f32> {
    let m = x.len() / w.cols();
    if m == 0 {
        return Vec::new();
    }
    // Transposed, [rows, m]: a thread then owns the consecutive piece that belongs to its outputs.
    let mut transposed = vec![0f32; w.rows() * m];
    if m <= SKINNY {
        skinny(x, w, &mut transposed);
    } else {
        tiled(x, w, &mut transposed);
    }
    if m == 1 {
        epilogue(&mut transposed);
        return transposed;
    }
    let mut out = vec![0f32; w.rows() * m];
    const BAND: usize = 16;
    out.par_chunks_mut(BAND * w.rows())
        .enumerate()
        .for_each(|(band, out)| {
            transpose_band(&transposed, m, band * BAND, out, w.rows());
            out.chunks_mut(w.rows()).for_each(&epilogue);
        });
    out
}

/// Rows `first..` of the transpose of `transposed` [rows, m] into `out` [band, rows].
fn transpose_band(transposed: &[f32], m: usize, first: usize, out: &mut [f32], rows: usize) {
    let band = out.len() / rows;
    for (row, values) in transposed.chunks(m).enumerate() {
        for (i, value) in values[first..first + band].iter().enumerate() {
            out[i * rows + row] = *value;
        }
    }
}

fn skinny(x: &[f32], w: &HostMatrix, out: &mut [f32]) {
    const ROWS: usize = 32;
    let m = x.len() / w.cols();
    let fast = vectorised();
    let x = |i: usize| &x[i * w.cols()..(i + 1) * w.cols()];
    out.par_chunks_mut(ROWS * m)
        .enumerate()
        .for_each(|(chunk, out)| {
            for (r, out) in out.chunks_mut(m).enumerate() {
                let row = weight_row(w, chunk * ROWS + r);
                let mut i = 0;
                while i + 4 <= m {
                    out[i..i + 4].copy_from_slice(&dot(
                        row,
                        [x(i), x(i + 1), x(i + 2), x(i + 3)],
                        fast,
                    ));
                    i += 4;
                }
                if i + 2 <= m {
                    out[i..i + 2].copy_from_slice(&dot(row, [x(i), x(i + 1)], fast));
                    i += 2;
                }
                if i < m {
                    out[i] = dot(row, [x(i)], fast)[0];
                }
            }
        });
}

fn weight_row(w: &HostMatrix, row: usize) -> Row<'_> {
    let range = row * w.cols()..(row + 1) * w.cols();
    match w.data() {
        Data::F32(w) => Row::F32(&w[range]),
        Data::F16(w) => Row::F16(&w[range]),
        Data::Bf16(w) => Row::Bf16(&w[range]),
        Data::Q8 { scales, quants } => {
            let blocks = w.cols().div_ceil(Q8_BLOCK);
            Row::Q8 {
                scales: &scales[row * blocks..(row + 1) * blocks],
                quants: &quants[range],
            }
        }
    }
}

fn tiled(x: &[f32], w: &HostMatrix, out: &mut [f32]) {
    let (m, k) = (x.len() / w.cols(), w.cols());
    let tile = w
        .rows()
        .div_ceil(rayon::current_num_threads())
        .clamp(1, TILE);
    out.par_chunks_mut(tile * m)
        .enumerate()
        .for_each_init(Vec::new, |wide, (index, out)| {
            let first = index * tile;
            let rows: Range<usize> = first..first + out.len() / m;
            if let Data::F32(w) = w.data() {
                return multiply(x, &w[rows.start * k..rows.end * k], m, k, out);
            }
            wide.resize(rows.len() * k, 0.0);
            w.widen(rows, wide);
            multiply(x, wide, m, k, out);
        });
}

/// out [n, m] = w [n, k] · xᵀ [k, m], on this thread alone.
fn multiply(x: &[f32], w: &[f32], m: usize, k: usize, out: &mut [f32]) {
    let n = w.len() / k;
    assert!(x.len() == m * k && w.len() == n * k && out.len() == n * m);
    // SAFETY: the three slices have the lengths that the strides below reach, as just asserted.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            m as isize,
            1,
            false,
            x.as_ptr(),
            1,
            k as isize,
            w.as_ptr(),
            k as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
