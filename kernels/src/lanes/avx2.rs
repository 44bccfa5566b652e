//! Sixteen lanes as two AVX registers, with FMA. Tile 6 × 16: twelve accumulators, two columns of weights and two
//! broadcasts fill the sixteen registers, and twelve independent chains cover the FMA latency.

use std::arch::x86_64::*;

use super::Lanes;

/// Lanes 0–7 and 8–15.
#[derive(Clone, Copy)]
pub struct Avx2(pub __m256, pub __m256);

impl Lanes for Avx2 {
    const ROWS: usize = 6;
    const VECTORS: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller vouches for AVX2 and FMA, here and below.
        unsafe { Avx2(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for sixteen readable floats.
        unsafe { Avx2(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for sixteen writable floats.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_add_ps(self.0, other.0),
                _mm256_add_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_sub_ps(self.0, other.0),
                _mm256_sub_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_mul_ps(self.0, other.0),
                _mm256_mul_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_div_ps(self.0, other.0),
                _mm256_div_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn mul_add(self, times: Self, plus: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_fmadd_ps(self.0, times.0, plus.0),
                _mm256_fmadd_ps(self.1, times.1, plus.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_min_ps(self.0, other.0),
                _mm256_min_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Avx2(
                _mm256_max_ps(self.0, other.0),
                _mm256_max_ps(self.1, other.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn exp2_whole(self) -> Self {
        #[inline(always)]
        unsafe fn half(n: __m256) -> __m256 {
            // SAFETY: as above.
            unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            }
        }
        // SAFETY: as above.
        unsafe { Avx2(half(self.0), half(self.1)) }
    }

    #[inline(always)]
    fn prefetch(at: *const f32) {
        // SAFETY: a prefetch never faults, and SSE is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
    }
}
