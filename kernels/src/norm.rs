//! LayerNorm over rows (Ba et al. 2016, arXiv:1607.06450): mean and variance in two passes.

use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::matrix::Buffer;

/// Scale and shift, padded with zeros so that padded columns become zero.
pub struct Norm {
    /// Padded scale.
    pub scale: Buffer,
    /// Padded shift.
    pub shift: Buffer,
    /// Columns that count.
    pub width: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Level {
    /// Normalises every row of `from`, whose stride is the padded width, into the same row of `to`.
    pub fn layer_norm(self, norm: &Norm, from: &[f32], to: &mut [f32]) {
        self.run(LayerNorm { norm, from, to });
    }
}

struct LayerNorm<'a> {
    norm: &'a Norm,
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let LayerNorm { norm, from, to } = self;
        let stride = norm.scale.len();
        assert_eq!(stride, norm.shift.len(), "scale and shift are equally wide");
        assert!(norm.width <= stride && stride - norm.width < LANES);
        assert!(from.len() == to.len() && from.len().is_multiple_of(stride));
        let mask: [f32; LANES] =
            std::array::from_fn(|i| f32::from(u8::from(stride - LANES + i < norm.width)));
        let count = norm.width as f32;
        for (row, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(stride)) {
            // SAFETY: both rows, the scale and the shift are `stride` floats long, a multiple of sixteen.
            unsafe {
                let mask = isa.load(mask.as_ptr());
                let x = row.as_ptr();
                let mut sum = isa.splat(0.0);
                for at in (0..stride).step_by(LANES) {
                    sum = sum.add(isa.load(x.add(at)));
                }
                let mean = isa.splat(sum.sum() / count);
                let mut squares = isa.splat(0.0);
                for at in (0..stride).step_by(LANES) {
                    let mut d = isa.load(x.add(at)).sub(mean);
                    if at + LANES == stride {
                        d = d.mul(mask);
                    }
                    squares = d.mul_add(d, squares);
                }
                let spread = isa.splat(1.0 / (squares.sum() / count + norm.epsilon).sqrt());
                for at in (0..stride).step_by(LANES) {
                    let d = isa.load(x.add(at)).sub(mean).mul(spread);
                    let scale = isa.load(norm.scale.as_ptr().add(at));
                    let shift = isa.load(norm.shift.as_ptr().add(at));
                    d.mul_add(scale, shift).store(to.as_mut_ptr().add(at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shift was once read without a check of its length.
    #[test]
    #[should_panic(expected = "scale and shift are equally wide")]
    fn a_short_shift_is_refused() {
        let norm =
            Norm { scale: Buffer::zeros(32), shift: Buffer::zeros(16), width: 32, epsilon: 1e-12 };
        Level::PORTABLE.layer_norm(&norm, &[0.0; 32], &mut [0.0; 32]);
    }
}
