//! Dot products of one weight row with a few activation rows: the inner loop of decoding.
//!
//! With a handful of rows to multiply, a matrix product is bound by reading the weights once; so each weight row is
//! widened in registers and meets all activation rows while it is there. AVX2 where the processor has it, plain Rust
//! otherwise; tests hold the two together.

use half::{bf16, f16};

use super::matrix::Q8_BLOCK;

/// Whether the vector kernels can run here.
pub fn vectorised() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// A weight row in one of the storage forms.
#[derive(Clone, Copy)]
pub enum Row<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    Q8 { scales: &'a [f32], quants: &'a [i8] },
}

/// `[w·x for x in xs]`; every slice has the row's length. `vectorised` must be what [`vectorised`] said.
pub fn dot<const M: usize>(w: Row, xs: [&[f32]; M], vectorised: bool) -> [f32; M] {
    #[cfg(target_arch = "x86_64")]
    if vectorised {
        // SAFETY: the features were detected; the slices are as long as the row.
        return unsafe {
            match w {
                Row::F32(w) => avx2::dot_f32(w, xs),
                Row::F16(w) => avx2::dot_f16(w, xs),
                Row::Bf16(w) => avx2::dot_bf16(w, xs),
                Row::Q8 { scales, quants } => avx2::dot_q8(scales, quants, xs),
            }
        };
    }
    let _ = vectorised;
    scalar(w, xs)
}

fn scalar<const M: usize>(w: Row, xs: [&[f32]; M]) -> [f32; M] {
    let sum =
        |at: &dyn Fn(usize) -> f32| xs.map(|x| x.iter().enumerate().map(|(i, x)| at(i) * x).sum());
    match w {
        Row::F32(w) => sum(&|i| w[i]),
        Row::F16(w) => sum(&|i| w[i].to_f32()),
        Row::Bf16(w) => sum(&|i| w[i].to_f32()),
        Row::Q8 { scales, quants } => sum(&|i| f32::from(quants[i]) * scales[i / Q8_BLOCK]),
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use half::{bf16, f16};

    use super::super::matrix::Q8_BLOCK;

    #[target_feature(enable = "avx2,fma,f16c")]
    fn sum8(v: __m256) -> f32 {
        let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
    }

    /// One kernel per element type: `$load` widens 8 elements at a pointer, `$tail` one element.
    macro_rules! dot_kernel {
        ($name:ident, $element:ty, $load:expr, $tail:expr) => {
            /// # Safety
            /// AVX2, FMA and F16C are present; every `x` is as long as `w`.
            #[target_feature(enable = "avx2,fma,f16c")]
            pub unsafe fn $name<const M: usize>(w: &[$element], xs: [&[f32]; M]) -> [f32; M] {
                const UNROLL: usize = 4;
                let n = w.len();
                let mut sums = [[_mm256_setzero_ps(); UNROLL]; M];
                let mut i = 0;
                while i + 8 * UNROLL <= n {
                    for u in 0..UNROLL {
                        // SAFETY: i + 8u + 8 <= n, the length of w and of every x.
                        unsafe {
                            let wide: __m256 = $load(w.as_ptr().add(i + 8 * u));
                            for m in 0..M {
                                let x = _mm256_loadu_ps(xs[m].as_ptr().add(i + 8 * u));
                                sums[m][u] = _mm256_fmadd_ps(wide, x, sums[m][u]);
                            }
                        }
                    }
                    i += 8 * UNROLL;
                }
                let mut out = [0f32; M];
                for m in 0..M {
                    let [a, b, c, d] = sums[m];
                    let mut sum = sum8(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
                    for j in i..n {
                        sum += $tail(w[j]) * xs[m][j];
                    }
                    out[m] = sum;
                }
                out
            }
        };
    }

    dot_kernel!(dot_f32, f32, |p: *const f32| _mm256_loadu_ps(p), |w: f32| w);
    dot_kernel!(
        dot_f16,
        f16,
        |p: *const f16| _mm256_cvtph_ps(_mm_loadu_si128(p.cast())),
        |w: f16| w.to_f32()
    );
    dot_kernel!(
        dot_bf16,
        bf16,
        |p: *const bf16| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(
            _mm_loadu_si128(p.cast())
        ))),
        |w: bf16| w.to_f32()
    );

    /// # Safety
    /// AVX2 and FMA are present; every `x` is as long as `quants`, and `scales` has one entry per started block.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn dot_q8<const M: usize>(
        scales: &[f32],
        quants: &[i8],
        xs: [&[f32]; M],
    ) -> [f32; M] {
        let whole = quants.len() / Q8_BLOCK;
        let mut sums = [_mm256_setzero_ps(); M];
        for (block, &scale) in scales[..whole].iter().enumerate() {
            let start = block * Q8_BLOCK;
            let mut parts = [_mm256_setzero_ps(); M];
            for at in (start..start + Q8_BLOCK).step_by(8) {
                // SAFETY: at + 8 <= whole * Q8_BLOCK <= the length of quants and of every x.
                unsafe {
                    let wide = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(
                        quants.as_ptr().add(at).cast(),
                    )));
                    for m in 0..M {
                        parts[m] = _mm256_fmadd_ps(
                            wide,
                            _mm256_loadu_ps(xs[m].as_ptr().add(at)),
                            parts[m],
                        );
                    }
                }
            }
            let scale = _mm256_set1_ps(scale);
            for m in 0..M {
                sums[m] = _mm256_fmadd_ps(scale, parts[m], sums[m]);
            }
        }
        let mut out = [0f32; M];
        for m in 0..M {
            let mut sum = sum8(sums[m]);
            for j in whole * Q8_BLOCK..quants.len() {
                sum += f32::from(quants[j]) * scales[whole] * xs[m][j];
            }
            out[m] = sum;
        }
        out
    }
}
