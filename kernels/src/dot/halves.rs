//! Dot products of rows of bf16, two inputs at a time in sixteen lanes: the same bits on every level.

use half::bf16;

use crate::lanes::{Isa, LANES, Lanes, Words};
use crate::level::Kernel;

/// Inputs in a vector.
const INPUTS: usize = 2 * LANES;

/// `[[w·x for x in xs] for w in rows]`, all equally long. The order of every sum is the same whatever `R` and `M`.
pub struct HalfDot<'a, const R: usize, const M: usize> {
    /// Rows of weights.
    pub rows: [&'a [bf16]; R],
    /// Rows of activations.
    pub xs: [&'a [bf16]; M],
}

impl<const R: usize, const M: usize> Kernel for HalfDot<'_, R, M> {
    type Output = [[f32; M]; R];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [[f32; M]; R] {
        let HalfDot { rows, xs } = self;
        let length = rows[0].len();
        assert!(rows.iter().chain(&xs).all(|row| row.len() == length), "rows are equally long");
        let whole = length / INPUTS * INPUTS;
        let mut sums = [[isa.splat(0.0); M]; R];
        for at in (0..whole).step_by(INPUTS) {
            let mut weights = [isa.splat_word(0); R];
            for (weights, row) in weights.iter_mut().zip(rows) {
                // Where the next rows are, should they follow these in memory.
                isa.prefetch(row.as_ptr().wrapping_add(R * length + at));
                // SAFETY: at + 32 ≤ the length of every row.
                *weights = unsafe { isa.load_words(row.as_ptr().add(at).cast()) };
            }
            for (m, x) in xs.iter().enumerate() {
                // SAFETY: likewise.
                let x = unsafe { isa.load_words(x.as_ptr().add(at).cast()) };
                for (sums, weights) in sums.iter_mut().zip(weights) {
                    sums[m] = x.dot_halves(weights, sums[m]);
                }
            }
        }
        if whole < length {
            let last = |row: &[bf16]| {
                let mut last = [bf16::ZERO; INPUTS];
                last[..length - whole].copy_from_slice(&row[whole..]);
                last
            };
            let (rows, xs) = (rows.map(last), xs.map(last));
            for (sums, row) in sums.iter_mut().zip(&rows) {
                for (sum, x) in sums.iter_mut().zip(&xs) {
                    // SAFETY: both arrays are thirty-two long.
                    *sum = unsafe {
                        isa.load_words(x.as_ptr().cast())
                            .dot_halves(isa.load_words(row.as_ptr().cast()), *sum)
                    };
                }
            }
        }
        sums.map(|sums| sums.map(Lanes::sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;
    use crate::level::Level;

    #[test]
    fn all_levels_give_the_same_bits() {
        for length in [1, 31, 32, 33, 64, 100, 2048] {
            let row = |seed: usize| -> Vec<bf16> {
                (0..length).map(|i| bf16::from_f32(value(i + 997 * seed))).collect()
            };
            let (w, x) = ([row(1), row(2)], [row(3), row(4), row(5)]);
            let (rows, xs) = ([&w[0][..], &w[1]], [&x[0][..], &x[1], &x[2]]);
            let want = Level::PORTABLE.run(HalfDot { rows, xs });
            for (w, got) in w.iter().zip(want) {
                for (x, got) in x.iter().zip(got) {
                    let products = w.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
                    assert!((f64::from(got) - products.sum::<f64>()).abs() < 1e-4, "{length} long");
                }
            }
            for level in Level::available() {
                assert_eq!(level.run(HalfDot { rows, xs }), want, "{level}, {length} long");
                let alone = level.run(HalfDot { rows: [rows[1]], xs: [xs[2]] });
                assert_eq!(alone[0][0], want[1][2], "{level}, {length} long");
            }
        }
    }
}
