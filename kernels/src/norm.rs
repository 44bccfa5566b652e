//! LayerNorm over rows (Ba et al. 2016, arXiv:1607.06450): mean and variance in two passes.

use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::matrix::Buffer;
use super::row::{load, store};

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
    /// Normalises every row of `from`, whose stride is the padded width or the width itself, into the same row of `to`.
    pub fn layer_norm(self, norm: &Norm, stride: usize, from: &[f32], to: &mut [f32]) {
        self.run(LayerNorm { norm, stride, from, to });
    }
}

struct LayerNorm<'a> {
    norm: &'a Norm,
    stride: usize,
    from: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let LayerNorm { norm, stride, from, to } = self;
        let padded = norm.scale.len();
        assert_eq!(padded, norm.shift.len(), "scale and shift are equally wide");
        assert!(norm.width <= stride && stride <= padded && padded - norm.width < LANES);
        assert!(from.len() == to.len() && from.len().is_multiple_of(stride));
        let last = padded - LANES;
        let mask: [f32; LANES] =
            std::array::from_fn(|i| f32::from(u8::from(last + i < norm.width)));
        // SAFETY: the array is a vector.
        let mask = unsafe { isa.load(mask.as_ptr()) };
        let count = norm.width as f32;
        for (row, to) in from.chunks_exact(stride).zip(to.chunks_exact_mut(stride)) {
            let mut sum = isa.splat(0.0);
            for x in row.chunks(LANES) {
                sum = sum.add(load(isa, x, 0.0));
            }
            let mean = isa.splat(sum.sum() / count);
            let mut squares = isa.splat(0.0);
            for (at, x) in row.chunks(LANES).enumerate() {
                let mut d = load(isa, x, 0.0).sub(mean);
                if at * LANES == last {
                    d = d.mul(mask);
                }
                squares = d.mul_add(d, squares);
            }
            let spread = isa.splat(1.0 / (squares.sum() / count + norm.epsilon).sqrt());
            let weights = norm.scale.chunks(LANES).zip(norm.shift.chunks(LANES));
            for ((x, to), (scale, shift)) in
                row.chunks(LANES).zip(to.chunks_mut(LANES)).zip(weights)
            {
                let d = load(isa, x, 0.0).sub(mean).mul(spread);
                store(d.mul_add(load(isa, scale, 0.0), load(isa, shift, 0.0)), to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    /// The shift was once read without a check of its length.
    #[test]
    #[should_panic(expected = "scale and shift are equally wide")]
    fn a_short_shift_is_refused() {
        let norm =
            Norm { scale: Buffer::zeros(32), shift: Buffer::zeros(16), width: 32, epsilon: 1e-12 };
        Level::PORTABLE.layer_norm(&norm, 32, &[0.0; 32], &mut [0.0; 32]);
    }

    #[test]
    fn rows_are_normalised_with_and_without_padding() {
        let width = 40;
        let x: Vec<f32> = (0..3 * width).map(value).collect();
        let weights: Vec<f32> = (0..width).map(|i| 1.0 + value(i)).collect();
        let norm = Norm {
            scale: Buffer::padded(&weights, 48),
            shift: Buffer::padded(&weights[..1], 48),
            width,
            epsilon: 1e-5,
        };
        let padded: Vec<f32> = x.chunks(width).flat_map(|row| [row, &[0.0; 8]].concat()).collect();
        for level in Level::available() {
            let (mut dense, mut wide) = (vec![0.0; x.len()], vec![0.0; padded.len()]);
            level.layer_norm(&norm, width, &x, &mut dense);
            level.layer_norm(&norm, 48, &padded, &mut wide);
            for (row, (dense, wide)) in dense.chunks(width).zip(wide.chunks(48)).enumerate() {
                assert_eq!(dense, &wide[..width], "{level}");
                let x: Vec<f64> = x[row * width..][..width].iter().map(|x| f64::from(*x)).collect();
                let mean = x.iter().sum::<f64>() / width as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                for (i, got) in dense.iter().enumerate() {
                    let shift = if i == 0 { f64::from(weights[0]) } else { 0.0 };
                    let want =
                        (x[i] - mean) / (variance + 1e-5).sqrt() * f64::from(weights[i]) + shift;
                    assert!((f64::from(*got) - want).abs() < 3e-6, "{level}: {got}, not {want}");
                }
            }
        }
    }
}
