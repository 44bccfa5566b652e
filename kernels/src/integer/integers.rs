//! Sixteen 32-bit sums of products of 12-bit codes in 16-bit lanes, for each instruction set. All of them give the same
//! integers: no sum over a block of inputs leaves 32 bits.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::super::lanes::{LANES, Lanes, portable::Portable};
#[cfg(target_arch = "x86_64")]
use super::super::lanes::{avx2::Avx2, avx512::Avx512};

/// Sixteen 32-bit words: sums, or the codes of two inputs for each of sixteen outputs.
///
/// Every method is `unsafe` because the instruction set must be present on the running CPU.
pub(super) trait Integers: Copy {
    /// The f32 lanes of the same instruction set.
    type Float: Lanes;

    /// The word in every lane.
    unsafe fn splat(word: i32) -> Self;
    /// Sixteen consecutive words.
    unsafe fn load(from: *const i32) -> Self;
    /// self + Σ over the two inputs of input code · weight code.
    unsafe fn dot(self, input: Self, weights: Self) -> Self;
    /// The sums as floats.
    unsafe fn to_floats(self) -> Self::Float;
    /// Rounds sixteen floats to the nearest codes, ties to even, and writes them as eight consecutive words.
    unsafe fn store_codes(values: Self::Float, to: *mut i32);
}

/// Two codes as one word.
#[inline(always)]
pub(super) fn word([first, second]: [i32; 2]) -> i32 {
    (first & 0xffff) | (second << 16)
}

/// The twin that the other instruction sets are compared with.
#[derive(Clone, Copy)]
pub(super) struct Words([i32; LANES]);

impl Integers for Words {
    type Float = Portable;

    #[inline(always)]
    unsafe fn splat(word: i32) -> Self {
        Words([word; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the caller vouches for sixteen readable words.
        Words(unsafe { from.cast::<[i32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn dot(self, input: Self, weights: Self) -> Self {
        let mut sums = self.0;
        for (i, sum) in sums.iter_mut().enumerate() {
            let (a, b) = (input.0[i], weights.0[i]);
            *sum += i32::from(a as i16) * i32::from(b as i16) + (a >> 16) * (b >> 16);
        }
        Words(sums)
    }

    #[inline(always)]
    unsafe fn to_floats(self) -> Portable {
        Portable(self.0.map(|sum| sum as f32))
    }

    #[inline(always)]
    unsafe fn store_codes(values: Portable, to: *mut i32) {
        let codes = values.0.map(|value| value.round_ties_even() as i32);
        let (pairs, _) = codes.as_chunks();
        for (i, pair) in pairs.iter().enumerate() {
            // SAFETY: the caller vouches for eight writable words.
            unsafe { to.add(i).write(word(*pair)) };
        }
    }
}

/// AVX2: `vpmaddwd` multiplies pairs of 16-bit codes and adds them in 32 bits.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Pairs(__m256i, __m256i);

#[cfg(target_arch = "x86_64")]
impl Integers for Pairs {
    type Float = Avx2;

    #[inline(always)]
    unsafe fn splat(word: i32) -> Self {
        // SAFETY: the caller vouches for AVX2, here and below.
        unsafe { Pairs(_mm256_set1_epi32(word), _mm256_set1_epi32(word)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the caller vouches for sixteen readable words.
        unsafe {
            Pairs(
                _mm256_loadu_si256(from.cast()),
                _mm256_loadu_si256(from.add(8).cast()),
            )
        }
    }

    #[inline(always)]
    unsafe fn dot(self, input: Self, weights: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            Pairs(
                _mm256_add_epi32(self.0, _mm256_madd_epi16(input.0, weights.0)),
                _mm256_add_epi32(self.1, _mm256_madd_epi16(input.1, weights.1)),
            )
        }
    }

    #[inline(always)]
    unsafe fn to_floats(self) -> Avx2 {
        // SAFETY: as above.
        unsafe { Avx2(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(self.1)) }
    }

    #[inline(always)]
    unsafe fn store_codes(values: Avx2, to: *mut i32) {
        // SAFETY: as above; the caller vouches for eight writable words.
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(values.0), _mm256_cvtps_epi32(values.1));
            // Packing works within 128 bits: quarters 0, 2, 1, 3 are the codes in order.
            let codes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
            _mm256_storeu_si256(to.cast(), codes);
        }
    }
}

/// AVX-512 VNNI: `vpdpwssd` does the same and adds the result to the sum in one instruction.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct WidePairs(__m512i);

#[cfg(target_arch = "x86_64")]
impl Integers for WidePairs {
    type Float = Avx512;

    #[inline(always)]
    unsafe fn splat(word: i32) -> Self {
        // SAFETY: the caller vouches for AVX-512 with VNNI, here and below.
        unsafe { WidePairs(_mm512_set1_epi32(word)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: the caller vouches for sixteen readable words.
        unsafe { WidePairs(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    unsafe fn dot(self, input: Self, weights: Self) -> Self {
        // SAFETY: as above.
        unsafe { WidePairs(_mm512_dpwssd_epi32(self.0, input.0, weights.0)) }
    }

    #[inline(always)]
    unsafe fn to_floats(self) -> Avx512 {
        // SAFETY: as above.
        unsafe { Avx512(_mm512_cvtepi32_ps(self.0)) }
    }

    #[inline(always)]
    unsafe fn store_codes(values: Avx512, to: *mut i32) {
        // SAFETY: as above; the caller vouches for eight writable words.
        unsafe {
            let codes = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(values.0));
            _mm256_storeu_si256(to.cast(), codes);
        }
    }
}
