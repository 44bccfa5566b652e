//! x · Wᵀ on the CPU, whatever form W is kept in: `rows` where x has few of them, `packed` where it has many, with weights
//! that `pack` brings into the kernels' form.

mod pack;
mod packed;
mod rows;

use super::matrix::HostMatrix;
use fgd_kernels::{Activation, Level, Pair};
use pack::{pack, pack_back};
use packed::packed;

/// Rows of x up to which the dot kernels win over packing weights.
const SKINNY: usize = 16;

/// What numbers a product multiplies; sums are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// Exactly what is there.
    F32,
    /// x and W rounded to bf16, where the CPU has instructions for it; as [`Self::F32`] elsewhere, which is not slower there.
    Bf16,
}

/// Another matrix as large as the result, and what is done with it.
#[derive(Clone, Copy)]
pub enum With<T> {
    /// Added.
    Sum(T),
    /// Multiplied, element by element.
    Product(T),
}

/// What becomes of a finished product, one after the other.
#[derive(Clone, Copy, Default)]
pub struct After<'a> {
    /// Added to every row; may be empty.
    pub bias: &'a [f32],
    /// The activation.
    pub activation: Option<Activation>,
    /// Added, or multiplied.
    pub with: Option<With<&'a [f32]>>,
}

impl After<'_> {
    /// y becomes the part of the result that begins at element `at`, all but `with` being done.
    fn join(&self, y: &mut [f32], at: usize) {
        match self.with {
            Some(With::Sum(other)) => {
                y.iter_mut().zip(&other[at..]).for_each(|(y, other)| *y += other);
            }
            Some(With::Product(other)) => {
                y.iter_mut().zip(&other[at..]).for_each(|(y, other)| *y *= other);
            }
            None => {}
        }
    }
}

/// x [m, cols] · wᵀ, and what comes `after` → [m, rows], row-major.
pub fn product(x: &[f32], w: &HostMatrix, arithmetic: Arithmetic, after: After) -> Vec<f32> {
    let m = x.len() / w.cols();
    if m == 0 {
        return Vec::new();
    }
    let sizes = [w.rows(), w.cols()];
    if m > SKINNY {
        return match arithmetic {
            Arithmetic::Bf16 if Level::current().has_bf16() => {
                packed::<Pair>(x, sizes, after, |first, outputs, level, values| {
                    pack(w, first, outputs, level, values)
                })
            }
            _ => packed::<f32>(x, sizes, after, |first, outputs, level, values| {
                pack(w, first, outputs, level, values)
            }),
        };
    }
    let mut out = rows::skinny(x, w, m, arithmetic);
    for (i, row) in out.chunks_mut(w.rows()).enumerate() {
        row.iter_mut().zip(after.bias).for_each(|(y, b)| *y += b);
        if let Some(activation) = after.activation {
            Level::current().activate(activation, row);
        }
        after.join(row, i * w.rows());
    }
    out
}

/// dy [m, rows] · w → [m, cols], row-major: what a gradient behind [`product`] is worth before it.
pub fn product_back(dy: &[f32], w: &HostMatrix, arithmetic: Arithmetic) -> Vec<f32> {
    if dy.is_empty() {
        return Vec::new();
    }
    let (sizes, after) = ([w.cols(), w.rows()], After::default());
    match arithmetic {
        Arithmetic::Bf16 if Level::current().has_bf16() => {
            packed::<Pair>(dy, sizes, after, |first, outputs, level, values| {
                pack_back(w, first, outputs, level, values)
            })
        }
        _ => packed::<f32>(dy, sizes, after, |first, outputs, level, values| {
            pack_back(w, first, outputs, level, values)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Precision;

    fn values(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + seed) % 1013) as f32 / 506.0 - 1.0).collect()
    }

    #[test]
    fn the_way_back_is_the_product_with_the_transpose() {
        for (m, rows, cols) in [(1, 5, 3), (7, 48, 40), (40, 33, 300), (300, 17, 16)] {
            let (dy, w) = (values(m * rows, 1), values(rows * cols, 2));
            let rounded = w.iter().map(|w| half::bf16::from_f32(*w).to_f32()).collect::<Vec<_>>();
            let kept = HostMatrix::from_f32(w.clone(), rows, cols);
            let halves = HostMatrix::from_f32(w.clone(), rows, cols).rounded(Precision::Bf16);
            for (matrix, w, arithmetic, most) in [
                (&kept, &w, Arithmetic::F32, 1e-5),
                (&halves, &rounded, Arithmetic::F32, 1e-5),
                // dy is rounded too, to 8 bits of at most 1; so are weights that were not.
                (&halves, &rounded, Arithmetic::Bf16, 0.03),
                (&kept, &w, Arithmetic::Bf16, 0.06),
            ] {
                let got = product_back(&dy, matrix, arithmetic);
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
        let rounded = HostMatrix::from_f32(w, 24, 50).rounded(Precision::Bf16);
        let same = HostMatrix::from_f32(rounded.to_f32(), 24, 50);
        for arithmetic in [Arithmetic::F32, Arithmetic::Bf16] {
            let [rounded, same] = [&rounded, &same].map(|w| product_back(&dy, w, arithmetic));
            assert_eq!(rounded, same, "{arithmetic:?}");
        }
    }
}
