//! Dot products of a few weight rows with a few activation rows: the inner loop of decoding; and the transpose that
//! packs weights.
//!
//! With a handful of rows to multiply, a matrix product is bound by reading the weights once; so weights are widened in
//! registers and meet all activation rows while they are there. AVX2 where the processor has it, plain Rust otherwise;
//! tests hold the two together.

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

/// `R` weight rows in one of the storage forms, all equally long.
#[derive(Clone, Copy)]
pub enum Rows<'a, const R: usize> {
    F32([&'a [f32]; R]),
    F16([&'a [f16]; R]),
    Bf16([&'a [bf16]; R]),
    Q8 {
        scales: [&'a [f32]; R],
        quants: [&'a [i8]; R],
    },
}

/// `[[w·x for x in xs] for w in rows]`; every slice has the rows' length. `vectorised` must be what [`vectorised`] said.
/// The order of every sum is the same whatever `R` and `M`.
pub fn dot<const R: usize, const M: usize>(
    rows: Rows<R>,
    xs: [&[f32]; M],
    vectorised: bool,
) -> [[f32; M]; R] {
    #[cfg(target_arch = "x86_64")]
    if vectorised {
        // SAFETY: the features were detected; the slices are as long as the rows.
        return unsafe {
            match rows {
                Rows::F32(w) => avx2::dot_f32(w, xs),
                Rows::F16(w) => avx2::dot_f16(w, xs),
                Rows::Bf16(w) => avx2::dot_bf16(w, xs),
                Rows::Q8 { scales, quants } => avx2::dot_q8(scales, quants, xs),
            }
        };
    }
    let _ = vectorised;
    let sums = |at: &dyn Fn(usize) -> f32| {
        xs.map(|x| x.iter().enumerate().map(|(i, x)| at(i) * x).sum::<f32>())
    };
    std::array::from_fn(|r| match rows {
        Rows::F32(w) => sums(&|i| w[r][i]),
        Rows::F16(w) => sums(&|i| w[r][i].to_f32()),
        Rows::Bf16(w) => sums(&|i| w[r][i].to_f32()),
        Rows::Q8 { scales, quants } => sums(&|i| f32::from(quants[r][i]) * scales[r][i / Q8_BLOCK]),
    })
}

/// Transposes `block` [16 × width] into `out`: element (row, i) goes to `out[i * stride + row]`. `width` is a multiple of
/// 8. `vectorised` must be what [`vectorised`] said.
pub fn transpose(block: &[f32], out: &mut [f32], stride: usize, vectorised: bool) {
    let width = block.len() / 16;
    assert!(block.len() == 16 * width && width.is_multiple_of(8));
    assert!(width == 0 || out.len() >= (width - 1) * stride + 16);
    #[cfg(target_arch = "x86_64")]
    if vectorised {
        // SAFETY: the features were detected; the sizes were asserted.
        return unsafe { avx2::transpose(block, out, stride) };
    }
    let _ = vectorised;
    for (row, values) in block.chunks(width.max(1)).enumerate() {
        for (i, value) in values.iter().enumerate() {
            out[i * stride + row] = *value;
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    use half::{bf16, f16};

    use super::super::matrix::Q8_BLOCK;

    /// Bytes that the rows are fetched ahead: rows follow one another in memory, but the hardware stops at pages.
    const AHEAD: usize = 1024;

    #[target_feature(enable = "avx2,fma,f16c")]
    fn sum8(v: __m256) -> f32 {
        let v = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
        let v = _mm_add_ps(v, _mm_movehl_ps(v, v));
        _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)))
    }

    /// A hint only: the address need not be valid.
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
    /// AVX2 and FMA are present; all rows and every `x` are equally long, and `scales` have one entry per started block.
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

    /// # Safety
    /// AVX2 is present; `block` is [16 × width], `width` a multiple of 8, and `out` holds 16 values at every multiple of
    /// `stride` below `width · stride`.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub unsafe fn transpose(block: &[f32], out: &mut [f32], stride: usize) {
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
