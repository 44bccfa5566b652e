//! [`Dot`](super::Dot) on AVX-512 registers: as on AVX registers, with sixteen lanes.

use std::arch::x86_64::*;

use half::{bf16, f16};

use super::Q8_BLOCK;

/// Fetches what is `ahead` elements behind `at`: the next rows, which follow these in memory, while the hardware stops at
/// pages. A hint only: the address need not be valid.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2,fma,f16c")]
fn fetch<T>(at: *const T, ahead: usize) {
    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(ahead).cast());
}

/// One kernel per element type: `$load` widens 16 elements at a pointer, `$tail` one element.
macro_rules! dot_kernel {
    ($name:ident, $element:ty, $load:expr, $tail:expr) => {
        /// # Safety
        /// AVX-512 F and BW are present; all rows and every `x` are equally long.
        #[target_feature(enable = "avx512f,avx512bw,avx2,fma,f16c")]
        pub unsafe fn $name<const R: usize, const M: usize>(
            w: [&[$element]; R],
            xs: [&[f32]; M],
        ) -> [[f32; M]; R] {
            let n = w[0].len();
            let whole = n / 16 * 16;
            let mut sums = [[_mm512_setzero_ps(); M]; R];
            for i in (0..whole).step_by(16) {
                // SAFETY: i + 16 <= n, the length of every row and of every x.
                unsafe {
                    let mut wide = [_mm512_setzero_ps(); R];
                    for r in 0..R {
                        let at = w[r].as_ptr().add(i);
                        if i % (64 / size_of::<$element>()) == 0 {
                            fetch(at, R * n);
                        }
                        wide[r] = $load(at);
                    }
                    for m in 0..M {
                        let x = _mm512_loadu_ps(xs[m].as_ptr().add(i));
                        for r in 0..R {
                            sums[r][m] = _mm512_fmadd_ps(wide[r], x, sums[r][m]);
                        }
                    }
                }
            }
            let mut out = [[0f32; M]; R];
            for r in 0..R {
                for m in 0..M {
                    let mut sum = _mm512_reduce_add_ps(sums[r][m]);
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

dot_kernel!(dot_f32, f32, |p: *const f32| _mm512_loadu_ps(p), |w: f32| w);
dot_kernel!(
    dot_f16,
    f16,
    |p: *const f16| _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())),
    |w: f16| w.to_f32()
);
dot_kernel!(
    dot_bf16,
    bf16,
    |p: *const bf16| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(
        _mm256_loadu_si256(p.cast())
    ))),
    |w: bf16| w.to_f32()
);

/// # Safety
/// AVX-512 F and BW are present; all rows and every `x` are equally long.
#[target_feature(enable = "avx512f,avx512bw,avx2,fma,f16c")]
pub unsafe fn dot_q8<const R: usize, const M: usize>(
    scales: [&[f32]; R],
    quants: [&[i8]; R],
    xs: [&[f32]; M],
) -> [[f32; M]; R] {
    let n = quants[0].len();
    let whole = n / Q8_BLOCK;
    let mut sums = [[_mm512_setzero_ps(); M]; R];
    for (block, start) in (0..whole * Q8_BLOCK).step_by(Q8_BLOCK).enumerate() {
        for at in [start, start + 16] {
            // SAFETY: at + 16 <= whole * Q8_BLOCK <= the length of all rows and of every x.
            unsafe {
                let mut wide = [_mm512_setzero_ps(); R];
                for r in 0..R {
                    let from = quants[r].as_ptr().add(at);
                    if at % 64 == 0 {
                        fetch(from, R * n);
                    }
                    let quants = _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast()));
                    let scale = _mm512_set1_ps(scales[r][block]);
                    wide[r] = _mm512_mul_ps(_mm512_cvtepi32_ps(quants), scale);
                }
                for m in 0..M {
                    let x = _mm512_loadu_ps(xs[m].as_ptr().add(at));
                    for r in 0..R {
                        sums[r][m] = _mm512_fmadd_ps(wide[r], x, sums[r][m]);
                    }
                }
            }
        }
    }
    let mut out = [[0f32; M]; R];
    for r in 0..R {
        for m in 0..M {
            let mut sum = _mm512_reduce_add_ps(sums[r][m]);
            for j in whole * Q8_BLOCK..n {
                sum += f32::from(quants[r][j]) * scales[r][whole] * xs[m][j];
            }
            out[r][m] = sum;
        }
    }
    out
}
