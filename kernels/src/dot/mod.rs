//! Dot products of a few weight rows with a few activation rows: the inner loop of decoding.
//!
//! With a handful of rows to multiply, a matrix product is bound by reading the weights once, so they stay in the form
//! in which they lie in memory. Eight lanes on AVX2: with sixteen, two rows by four would not fit its registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod halves;

use half::{bf16, f16};

use super::lanes::Isa;
use super::level::Kernel;

pub use halves::HalfDot;

/// Block length of the 8-bit form: that of GGML's Q8_0.
pub const Q8_BLOCK: usize = 32;

/// `R` weight rows in one of the storage forms, all equally long.
#[derive(Clone, Copy)]
pub enum Rows<'a, const R: usize> {
    /// As they are.
    F32([&'a [f32]; R]),
    /// Widened exactly.
    F16([&'a [f16]; R]),
    /// Widened exactly.
    Bf16([&'a [bf16]; R]),
    /// quant · scale of its block.
    Q8 {
        /// One for each started block of [`Q8_BLOCK`] quants.
        scales: [&'a [f32]; R],
        /// −127 to 127.
        quants: [&'a [i8]; R],
    },
}

impl<const R: usize> Rows<'_, R> {
    fn lengths(&self) -> [usize; R] {
        match self {
            Rows::F32(w) => w.map(<[_]>::len),
            Rows::F16(w) => w.map(<[_]>::len),
            Rows::Bf16(w) => w.map(<[_]>::len),
            Rows::Q8 { quants, .. } => quants.map(<[_]>::len),
        }
    }
}

/// `[[w·x for x in xs] for w in rows]`, all equally long. The order of every sum is the same whatever `R` and `M`.
pub struct Dot<'a, const R: usize, const M: usize> {
    /// Rows of weights.
    pub rows: Rows<'a, R>,
    /// Rows of activations.
    pub xs: [&'a [f32]; M],
}

impl<const R: usize, const M: usize> Kernel for Dot<'_, R, M> {
    type Output = [[f32; M]; R];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> [[f32; M]; R] {
        let Dot { rows, xs } = self;
        let lengths = rows.lengths();
        let alike = |length: &usize| xs.iter().all(|x| x.len() == *length);
        assert!(lengths.iter().all(alike), "rows are equally long");
        #[cfg(target_arch = "x86_64")]
        if isa.avx512().is_some() {
            // SAFETY: there is a proof of the features, and all lengths are the same.
            return unsafe {
                match rows {
                    Rows::F32(w) => avx512::dot_f32(w, xs),
                    Rows::F16(w) => avx512::dot_f16(w, xs),
                    Rows::Bf16(w) => avx512::dot_bf16(w, xs),
                    Rows::Q8 { scales, quants } => avx512::dot_q8(scales, quants, xs),
                }
            };
        }
        #[cfg(target_arch = "x86_64")]
        if isa.avx2().is_some() {
            // SAFETY: as above.
            return unsafe {
                match rows {
                    Rows::F32(w) => avx2::dot_f32(w, xs),
                    Rows::F16(w) => avx2::dot_f16(w, xs),
                    Rows::Bf16(w) => avx2::dot_bf16(w, xs),
                    Rows::Q8 { scales, quants } => avx2::dot_q8(scales, quants, xs),
                }
            };
        }
        let _ = isa;
        let sums = |at: &dyn Fn(usize) -> f32| {
            xs.map(|x| x.iter().enumerate().map(|(i, x)| at(i) * x).sum::<f32>())
        };
        std::array::from_fn(|r| match rows {
            Rows::F32(w) => sums(&|i| w[r][i]),
            Rows::F16(w) => sums(&|i| w[r][i].to_f32()),
            Rows::Bf16(w) => sums(&|i| w[r][i].to_f32()),
            Rows::Q8 { scales, quants } => {
                sums(&|i| f32::from(quants[r][i]) * scales[r][i / Q8_BLOCK])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;
    use crate::level::Level;

    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| value(i + 997 * seed)).collect()
    }

    #[test]
    fn all_levels_agree_for_every_form_and_length() {
        for k in (0..70).chain([127, 128, 129, 200]) {
            let w = [numbers(k, 1), numbers(k, 2)];
            let xs: [Vec<f32>; 4] = std::array::from_fn(|i| numbers(k, 3 + i));
            let xs = [&xs[0][..], &xs[1], &xs[2], &xs[3]];
            let halves = [0, 1].map(|r| w[r].iter().map(|w| f16::from_f32(*w)).collect::<Vec<_>>());
            let brains =
                [0, 1].map(|r| w[r].iter().map(|w| bf16::from_f32(*w)).collect::<Vec<_>>());
            let quants = [0, 1].map(|r| w[r].iter().map(|w| (w * 127.0) as i8).collect::<Vec<_>>());
            let scales = [7, 8].map(|seed| numbers(k.div_ceil(Q8_BLOCK), seed));
            let forms = [
                Rows::F32([&w[0], &w[1]]),
                Rows::F16([&halves[0], &halves[1]]),
                Rows::Bf16([&brains[0], &brains[1]]),
                Rows::Q8 { scales: [&scales[0], &scales[1]], quants: [&quants[0], &quants[1]] },
            ];
            for rows in forms {
                let slow = Level::PORTABLE.run(Dot { rows, xs });
                for level in Level::available() {
                    let fast = level.run(Dot { rows, xs });
                    for (a, b) in fast.iter().flatten().zip(slow.iter().flatten()) {
                        assert!((a - b).abs() < 1e-3, "{level}, length {k}: {a} and {b}");
                    }
                    // One x alone is summed in the same order as among four.
                    let alone = level.run(Dot { rows, xs: [xs[2]] });
                    assert_eq!(alone.map(|d| d[0]), fast.map(|d| d[2]), "{level}, length {k}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows are equally long")]
    fn rows_of_other_lengths_are_refused() {
        Level::current().run(Dot { rows: Rows::F32([&[0.0; 64]]), xs: [&[0.0; 8]] });
    }
}
