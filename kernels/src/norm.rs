//! LayerNorm over rows (Ba et al. 2016, arXiv:1607.06450): mean and variance in two passes.

use super::lanes::{LANES, Lanes};
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

/// Normalises every row of `from`, whose stride is the padded width, into the same row of `to`.
///
/// # Safety
/// The instruction set of `L` is present.
#[inline(always)]
pub(super) unsafe fn layer_norm<L: Lanes>(norm: &Norm, from: &[f32], to: &mut [f32]) {
    let stride = norm.scale.len();
    let mask: [f32; LANES] =
        std::array::from_fn(|i| f32::from(u8::from(stride - LANES + i < norm.width)));
    let count = norm.width as f32;
    for (row, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(stride)) {
        // SAFETY: both rows, the scale and the shift are `stride` floats long, a multiple of sixteen.
        unsafe {
            let mask = L::load(mask.as_ptr());
            let x = row.as_ptr();
            let mut sum = L::splat(0.0);
            for at in (0..stride).step_by(LANES) {
                sum = sum.add(L::load(x.add(at)));
            }
            let mean = L::splat(sum.sum() / count);
            let mut squares = L::splat(0.0);
            for at in (0..stride).step_by(LANES) {
                let mut d = L::load(x.add(at)).sub(mean);
                if at + LANES == stride {
                    d = d.mul(mask);
                }
                squares = d.mul_add(d, squares);
            }
            let spread = L::splat(1.0 / (squares.sum() / count + norm.epsilon).sqrt());
            for at in (0..stride).step_by(LANES) {
                let d = L::load(x.add(at)).sub(mean).mul(spread);
                let scale = L::load(norm.scale.as_ptr().add(at));
                let shift = L::load(norm.shift.as_ptr().add(at));
                d.mul_add(scale, shift).store(to.as_mut_ptr().add(at));
            }
        }
    }
}
