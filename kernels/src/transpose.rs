//! The transpose that packs weights: sixteen rows become sixteen lanes.

use super::lanes::{Isa, LANES};
use super::level::{Kernel, Level};

impl Level {
    /// Transposes `block` [16 × width] into `out`: element (row, i) goes to `out[i * stride + row]`. `width` is a multiple of
    /// 8.
    pub fn transpose(self, block: &[f32], out: &mut [f32], stride: usize) {
        self.run(Transpose { block, out, stride });
    }
}

pub(super) struct Transpose<'a> {
    pub block: &'a [f32],
    pub out: &'a mut [f32],
    pub stride: usize,
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Transpose { block, out, stride } = self;
        let width = block.len() / LANES;
        assert!(block.len() == LANES * width && width.is_multiple_of(8));
        let last = width.saturating_sub(1).checked_mul(stride);
        assert!(width == 0 || last.is_some_and(|at| at < out.len() && out.len() - at >= LANES));
        #[cfg(target_arch = "x86_64")]
        if isa.avx2().is_some() {
            // SAFETY: there is a proof of the features; the sizes were asserted.
            return unsafe { avx2::whole_blocks(block, out, stride) };
        }
        let _ = isa;
        for (row, values) in block.chunks(width.max(1)).enumerate() {
            for (i, value) in values.iter().enumerate() {
                out[i * stride + row] = *value;
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    /// # Safety
    /// AVX2 is present; `block` is [16 × width], `width` a multiple of 8, and `out` holds 16 values at every multiple of
    /// `stride` below `width · stride`.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn whole_blocks(block: &[f32], out: &mut [f32], stride: usize) {
        let width = block.len() / 16;
        for first in [0, 8] {
            for i in (0..width).step_by(8) {
                // SAFETY: rows first..first + 8 and columns i..i + 8 lie inside the block; the caller vouches for `out`.
                unsafe {
                    let from = block.as_ptr().add(first * width + i);
                    let rows: [__m256; 8] =
                        std::array::from_fn(|row| _mm256_loadu_ps(from.add(row * width)));
                    let to = out.as_mut_ptr().add(i * stride + first);
                    for (column, values) in transposed(rows).into_iter().enumerate() {
                        _mm256_storeu_ps(to.add(column * stride), values);
                    }
                }
            }
        }
    }

    /// The transpose of an 8 × 8 block: pairs, then fours, then halves change places.
    #[target_feature(enable = "avx2,fma,f16c")]
    fn transposed(rows: [__m256; 8]) -> [__m256; 8] {
        let mut pairs = rows;
        for i in (0..8).step_by(2) {
            pairs[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
            pairs[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
        }
        let mut fours = pairs;
        for i in (0..8).step_by(4) {
            for j in 0..2 {
                let (a, b) = (pairs[i + j], pairs[i + j + 2]);
                fours[i + 2 * j] = _mm256_shuffle_ps::<0b01_00_01_00>(a, b);
                fours[i + 2 * j + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(a, b);
            }
        }
        let mut out = fours;
        for i in 0..4 {
            out[i] = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
            out[i + 4] = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn all_levels_transpose() {
        for (width, stride) in [(0, 16), (8, 16), (16, 32), (24, 21), (136, 33)] {
            let block: Vec<f32> = (0..LANES * width).map(value).collect();
            for level in Level::available() {
                let mut out = vec![7.0; width * stride + LANES];
                level.transpose(&block, &mut out, stride);
                for (at, got) in out.iter().enumerate() {
                    let (i, row) = (at / stride, at % stride);
                    let inside = row < LANES && i < width;
                    let want = if inside { block[row * width + i] } else { 7.0 };
                    assert_eq!(*got, want, "{level}: {width} wide at stride {stride}");
                }
            }
        }
    }
}
