//! Sixteen lanes as two AVX registers, with FMA. Tile 6 × 16: twelve accumulators, two columns of weights and two
//! broadcasts fill the sixteen registers, and twelve independent chains cover the FMA latency.

use std::arch::x86_64::*;

use super::{Doubles, Isa, LANES_F64, Lanes, Words};
use crate::level::Kernel;

/// Proof of AVX2, FMA and F16C.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx2(());

impl Avx2 {
    /// Asks the CPU.
    pub fn detect() -> Option<Avx2> {
        let present = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c");
        present.then_some(Avx2(()))
    }
}

// SAFETY of everything below: whoever calls has the proof, or a vector that was made from it; pointers are vouched for by
// the caller.

impl Isa for Avx2 {
    type F32 = F32;
    type Words = I32;
    type F64 = F64;

    const ROWS: usize = 6;
    const VECTORS: usize = 1;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma,f16c")]
        fn call<K: Kernel>(kernel: K, isa: Avx2) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: see above.
        unsafe { call(kernel, self) }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> F32 {
        // SAFETY: see above.
        unsafe { F32(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> F32 {
        // SAFETY: see above.
        unsafe { F32(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    fn splat_word(self, word: i32) -> I32 {
        // SAFETY: see above.
        unsafe { I32(_mm256_set1_epi32(word), _mm256_set1_epi32(word)) }
    }

    #[inline(always)]
    unsafe fn load_words(self, from: *const i32) -> I32 {
        // SAFETY: see above.
        unsafe {
            let high = from.add(8);
            I32(_mm256_loadu_si256(from.cast()), _mm256_loadu_si256(high.cast()))
        }
    }

    #[inline(always)]
    fn mul_add(self, a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn splat_f64(self, value: f64) -> F64 {
        // SAFETY: see above.
        unsafe { F64(_mm256_set1_pd(value), _mm256_set1_pd(value)) }
    }

    #[inline(always)]
    fn load_f64(self, from: &[f64; LANES_F64]) -> F64 {
        let from = from.as_ptr();
        // SAFETY: see above; eight f64 are read.
        unsafe { F64(_mm256_loadu_pd(from), _mm256_loadu_pd(from.add(4))) }
    }

    #[inline(always)]
    fn avx2(self) -> Option<Avx2> {
        Some(self)
    }

    #[inline(always)]
    fn prefetch<T>(self, at: *const T) {
        // SAFETY: a prefetch never faults, and SSE is part of every x86-64.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
    }

    #[inline(always)]
    fn prefetch_near<T>(self, at: *const T) {
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
    }
}

/// Lanes 0–7 and 8–15.
#[derive(Clone, Copy)]
pub struct F32(__m256, __m256);

/// Operations on pairs of lanes.
macro_rules! lanewise {
    ($($name:ident $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: see above.
            unsafe { F32($intrinsic(self.0, other.0), $intrinsic(self.1, other.1)) }
        }
    )*};
}

impl Lanes for F32 {
    lanewise! {
        add _mm256_add_ps;
        sub _mm256_sub_ps;
        mul _mm256_mul_ps;
        div _mm256_div_ps;
        min _mm256_min_ps;
        max _mm256_max_ps;
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    fn mul_add(self, times: Self, plus: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            F32(_mm256_fmadd_ps(self.0, times.0, plus.0), _mm256_fmadd_ps(self.1, times.1, plus.1))
        }
    }

    #[inline(always)]
    fn exp2_whole(self) -> Self {
        #[inline(always)]
        unsafe fn half(n: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe {
                let biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
            }
        }
        // SAFETY: see above.
        unsafe { F32(half(self.0), half(self.1)) }
    }
}

/// f64 0–3 and 4–7.
#[derive(Clone, Copy)]
pub struct F64(__m256d, __m256d);

impl Doubles for F64 {
    #[inline(always)]
    fn store(self, to: &mut [f64; LANES_F64]) {
        let to = to.as_mut_ptr();
        // SAFETY: see above; eight f64 are written.
        unsafe {
            _mm256_storeu_pd(to, self.0);
            _mm256_storeu_pd(to.add(4), self.1);
        }
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { F64(_mm256_mul_pd(self.0, other.0), _mm256_mul_pd(self.1, other.1)) }
    }

    #[inline(always)]
    fn mul_add(self, times: Self, plus: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            F64(_mm256_fmadd_pd(self.0, times.0, plus.0), _mm256_fmadd_pd(self.1, times.1, plus.1))
        }
    }
}

/// Words 0–7 and 8–15.
#[derive(Clone, Copy)]
pub struct I32(__m256i, __m256i);

impl Words for I32 {
    type F32 = F32;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { I32(_mm256_add_epi32(self.0, other.0), _mm256_add_epi32(self.1, other.1)) }
    }

    /// `vpmaddwd` multiplies pairs of 16-bit codes and adds them in 32 bits.
    #[inline(always)]
    fn dot(self, input: Self, weights: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            I32(
                _mm256_add_epi32(self.0, _mm256_madd_epi16(input.0, weights.0)),
                _mm256_add_epi32(self.1, _mm256_madd_epi16(input.1, weights.1)),
            )
        }
    }

    /// Even and odd bytes as 16-bit numbers, whose products two by two fit 32 bits.
    #[inline(always)]
    fn dot_bytes(self, input: Self, weights: Self) -> Self {
        #[inline(always)]
        unsafe fn half(sum: __m256i, input: __m256i, weights: __m256i) -> __m256i {
            // SAFETY: see above.
            unsafe {
                let even = _mm256_madd_epi16(
                    _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(input)),
                    _mm256_and_si256(weights, _mm256_set1_epi16(0xff)),
                );
                let odd = _mm256_madd_epi16(
                    _mm256_srai_epi16::<8>(input),
                    _mm256_srli_epi16::<8>(weights),
                );
                _mm256_add_epi32(sum, _mm256_add_epi32(even, odd))
            }
        }
        // SAFETY: see above.
        unsafe { I32(half(self.0, input.0, weights.0), half(self.1, input.1, weights.1)) }
    }

    #[inline(always)]
    fn to_floats(self) -> F32 {
        // SAFETY: see above.
        unsafe { F32(_mm256_cvtepi32_ps(self.0), _mm256_cvtepi32_ps(self.1)) }
    }

    #[inline(always)]
    fn dot_halves(self, weights: Self, sum: F32) -> F32 {
        #[inline(always)]
        unsafe fn half(a: __m256i, b: __m256i, sum: __m256) -> __m256 {
            // SAFETY: see above.
            unsafe {
                let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
                let upper = |word| _mm256_castsi256_ps(_mm256_and_si256(word, mask));
                let lower = |word| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(word));
                let sum = _mm256_fmadd_ps(upper(a), upper(b), sum);
                _mm256_fmadd_ps(lower(a), lower(b), sum)
            }
        }
        // SAFETY: see above.
        unsafe { F32(half(self.0, weights.0, sum.0), half(self.1, weights.1, sum.1)) }
    }

    #[inline(always)]
    fn widen_bf16(self) -> [F32; 2] {
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_set1_epi32(0xffff_0000_u32 as i32);
            [
                F32(
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(self.0)),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<16>(self.1)),
                ),
                F32(
                    _mm256_castsi256_ps(_mm256_and_si256(self.0, mask)),
                    _mm256_castsi256_ps(_mm256_and_si256(self.1, mask)),
                ),
            ]
        }
    }

    #[inline(always)]
    fn widen_f16(self) -> [F32; 2] {
        /// Words whose upper halves are zero.
        #[inline(always)]
        unsafe fn lower(words: __m256i) -> __m256 {
            // SAFETY: see above.
            unsafe {
                // Packing works within 128 bits: quarters 0 and 2 are the halves in order.
                let packed = _mm256_packus_epi32(words, words);
                let halves = _mm256_permute4x64_epi64::<0b00_00_10_00>(packed);
                _mm256_cvtph_ps(_mm256_castsi256_si128(halves))
            }
        }
        // SAFETY: see above.
        unsafe {
            let mask = _mm256_set1_epi32(0xffff);
            [
                F32(lower(_mm256_and_si256(self.0, mask)), lower(_mm256_and_si256(self.1, mask))),
                F32(lower(_mm256_srli_epi32::<16>(self.0)), lower(_mm256_srli_epi32::<16>(self.1))),
            ]
        }
    }

    #[inline(always)]
    fn join_halves(lower: F32, upper: F32) -> Self {
        #[inline(always)]
        unsafe fn half(lower: __m256, upper: __m256) -> __m256i {
            // SAFETY: see above.
            unsafe {
                let (lower, upper) = (nearest_halves(lower), nearest_halves(upper));
                _mm256_blend_epi16::<0b1010_1010>(_mm256_srli_epi32::<16>(lower), upper)
            }
        }
        // SAFETY: see above.
        unsafe { I32(half(lower.0, upper.0), half(lower.1, upper.1)) }
    }

    #[inline(always)]
    fn pair_halves(first: F32, second: F32) -> Self {
        #[inline(always)]
        unsafe fn packed(x: F32) -> __m256i {
            // SAFETY: see above.
            unsafe {
                let low = _mm256_srli_epi32::<16>(nearest_halves(x.0));
                let high = _mm256_srli_epi32::<16>(nearest_halves(x.1));
                // Packing works within 128 bits: quarters 0, 2, 1, 3 are the halves in order.
                _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high))
            }
        }
        // SAFETY: see above.
        unsafe { I32(packed(first), packed(second)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_si256(to.cast(), self.0);
            _mm256_storeu_si256(to.add(8).cast(), self.1);
        }
    }

    #[inline(always)]
    unsafe fn store_codes(values: F32, to: *mut i32) {
        // SAFETY: see above.
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(values.0), _mm256_cvtps_epi32(values.1));
            // Packing works within 128 bits: quarters 0, 2, 1, 3 are the codes in order.
            let codes = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
            _mm256_storeu_si256(to.cast(), codes);
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(values: F32, to: *mut i8) {
        // SAFETY: see above.
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(values.0), _mm256_cvtps_epi32(values.1));
            let pairs = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(low, high));
            let (low, high) = (_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
            _mm_storeu_si128(to.cast(), _mm_packs_epi16(low, high));
        }
    }
}

/// The nearest bf16 in the upper halves; what is in the lower ones has no meaning.
#[inline(always)]
unsafe fn nearest_halves(x: __m256) -> __m256i {
    // SAFETY: see above.
    unsafe {
        let bits = _mm256_castps_si256(x);
        let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
        _mm256_add_epi32(_mm256_add_epi32(bits, odd), _mm256_set1_epi32(0x7fff))
    }
}
