//! [`Dot`](super::Dot) on AVX registers: weights are widened in registers and meet all activation rows while they are there.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::Q8_BLOCK;

/// Bytes that the rows are fetched ahead: rows follow one another in memory, but the hardware stops at pages.
const AHEAD: usize = 1024;

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum8(v: __m256) -> f32 {
    let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
}

/// A hint only: the address need not be valid.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn fetch<T>(at: *const T) {
    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_byte_add(AHEAD).cast());
}

/// One kernel per element type: `$load` widens 8 elements at a pointer, `$tail` one element.
macro_rules! dot_kernel {
    ($name:ident, $element:ty, $load:expr, $tail:expr) => {
        /// # Safety
        /// AVX2, FMA and F16C are present; all rows and every `x` are equally long.
        #[target_feature(enable = "avx2,fma,f16c")]
        pub unsafe fn $name<const R: usize, const M: usize>(
            w: [&[$element]; R],
            xs: [&[f32]; M],
        ) -> [[f32; M]; R] {
            let n = w[0].len();
            let whole = n / 8 * 8;
            let mut sums = [[_mm256_setzero_ps(); M]; R];
            for i in (0..whole).step_by(8) {
                // SAFETY: i + 8 <= n, the length of every row and of every x.
                unsafe {
                    let x = xs.map(|x| _mm256_loadu_ps(x.as_ptr().add(i)));
                    for r in 0..R {
                        let at = w[r].as_ptr().add(i);
                        if i % (64 / size_of::<$element>()) == 0 {
                            fetch(at);
                        }
                        let wide: __m256 = $load(at);
                        for m in 0..M {
                            sums[r][m] = _mm256_fmadd_ps(wide, x[m], sums[r][m]);
                        }
                    }
                }
            }
            let mut out = [[0f32; M]; R];
            for r in 0..R {
                for m in 0..M {
                    let mut sum = sum8(sums[r][m]);
                    for j in whole..n {
                        sum += $tail(w[r][j]) * xs[m][j];
                    }
                    out[r][m] = sum;
                }
            }
            out
        }
    };
}

dot_kernel!(dot_f32, f32, |p: *const f32| _mm256_loadu_ps(p), |w: f32| w);
dot_kernel!(dot_f16, f16, |p: *const f16| _mm256_cvtph_ps(_mm_loadu_si128(p.cast())), |w: f16| w
    .to_f32());
dot_kernel!(
    dot_bf16,
    bf16,
    |p: *const bf16| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(
        _mm_loadu_si128(p.cast())
    ))),
    |w: bf16| w.to_f32()
);

/// # Safety
/// AVX2, FMA and F16C are present; all rows and every `x` are equally long.
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn dot_q8<const R: usize, const M: usize>(
    scales: [&[f32]; R],
    quants: [&[i8]; R],
    xs: [&[f32]; M],
) -> [[f32; M]; R] {
    let n = quants[0].len();
    let whole = n / Q8_BLOCK;
    let mut sums = [[_mm256_setzero_ps(); M]; R];
    for (block, start) in (0..whole * Q8_BLOCK).step_by(Q8_BLOCK).enumerate() {
        // Weights take their scale before the sums: a second set of sums per block would not fit the registers.
        let scale: [__m256; R] = std::array::from_fn(|r| _mm256_set1_ps(scales[r][block]));
        for at in (start..start + Q8_BLOCK).step_by(8) {
            // SAFETY: at + 8 <= whole * Q8_BLOCK <= the length of all rows and of every x.
            unsafe {
                let x = xs.map(|x| _mm256_loadu_ps(x.as_ptr().add(at)));
                for r in 0..R {
                    let from = quants[r].as_ptr().add(at);
                    if at % 64 == 0 {
                        fetch(from);
                    }
                    let quants =
                        _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())));
                    let wide = _mm256_mul_ps(quants, scale[r]);
                    for m in 0..M {
                        sums[r][m] = _mm256_fmadd_ps(wide, x[m], sums[r][m]);
                    }
                }
            }
        }
    }
    let mut out = [[0f32; M]; R];
    for r in 0..R {
        for m in 0..M {
            let mut sum = sum8(sums[r][m]);
            for j in whole * Q8_BLOCK..n {
                sum += f32::from(quants[r][j]) * scales[r][whole] * xs[m][j];
            }
            out[r][m] = sum;
        }
    }
    out
}
