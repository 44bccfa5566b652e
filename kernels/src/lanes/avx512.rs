//! Sixteen lanes as one AVX-512 register. Tile 12 × 32: twenty-four accumulators, two columns of weights, and the
//! broadcast comes straight from memory.

use std::arch::x86_64::*;

use super::{Avx2, Doubles, Isa, LANES, LANES_F64, Lanes, Words};
use crate::level::Kernel;

/// Proof of AVX-512 F and BW, of what [`Avx2`] proves, and of more instructions: none, [`VNNI`], or [`BF16`] with VNNI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Avx512<const MORE: u8>(Avx2);

/// The products of integers, `vpdpwssd`.
pub const VNNI: u8 = 1;
/// The products of bf16 as well, `vdpbf16ps`.
pub const BF16: u8 = 2;

impl<const MORE: u8> Avx512<MORE> {
    /// Asks the CPU.
    pub fn detect() -> Option<Self> {
        let present = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && (MORE < VNNI || is_x86_feature_detected!("avx512vnni"))
            && (MORE < BF16 || is_x86_feature_detected!("avx512bf16"));
        Avx2::detect().filter(|_| present).map(Avx512)
    }
}

/// Whether `vdpbf16ps` is issued as often as a multiply-add, so that it does twice as much: on AMD's processors that have it. Intel's
/// (Sapphire Rapids, measured) begin one in two cycles, where they begin four multiply-adds: half as much.
pub fn bf16_is_fast() -> bool {
    let vendor = __cpuid(0);
    [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
}

// SAFETY of everything below: whoever calls has the proof, or a vector that was made from it; pointers are vouched for by
// the caller.

impl<const MORE: u8> Isa for Avx512<MORE> {
    type F32 = F32;
    type Words = I32<MORE>;
    type F64 = F64;

    const ROWS: usize = 12;
    const VECTORS: usize = 2;

    #[inline(always)]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx2,fma,f16c")]
        fn plain<K: Kernel>(kernel: K, isa: impl Isa) -> K::Output {
            kernel.run(isa)
        }
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma,f16c")]
        fn vnni<K: Kernel>(kernel: K, isa: impl Isa) -> K::Output {
            kernel.run(isa)
        }
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512bf16,avx2,fma,f16c")]
        fn bf16<K: Kernel>(kernel: K, isa: impl Isa) -> K::Output {
            kernel.run(isa)
        }
        // SAFETY: see above.
        unsafe {
            match MORE {
                BF16 => bf16(kernel, self),
                VNNI => vnni(kernel, self),
                _ => plain(kernel, self),
            }
        }
    }

    #[inline(always)]
    fn splat(self, value: f32) -> F32 {
        // SAFETY: see above.
        unsafe { F32(_mm512_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> F32 {
        // SAFETY: see above.
        unsafe { F32(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    fn splat_word(self, word: i32) -> I32<MORE> {
        // SAFETY: see above.
        unsafe { I32(_mm512_set1_epi32(word)) }
    }

    #[inline(always)]
    unsafe fn load_words(self, from: *const i32) -> I32<MORE> {
        // SAFETY: see above.
        unsafe { I32(_mm512_loadu_si512(from.cast())) }
    }

    #[inline(always)]
    fn mul_add(self, a: f64, b: f64, c: f64) -> f64 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn splat_f64(self, value: f64) -> F64 {
        // SAFETY: see above.
        unsafe { F64(_mm512_set1_pd(value)) }
    }

    #[inline(always)]
    fn load_f64(self, from: &[f64; LANES_F64]) -> F64 {
        // SAFETY: see above; eight f64 are read.
        unsafe { F64(_mm512_loadu_pd(from.as_ptr())) }
    }

    #[inline(always)]
    fn avx2(self) -> Option<Avx2> {
        Some(self.0)
    }

    #[inline(always)]
    fn avx512(self) -> Option<Avx512<0>> {
        Some(Avx512(self.0))
    }

    #[inline(always)]
    fn prefetch<T>(self, at: *const T) {
        self.0.prefetch(at);
    }

    #[inline(always)]
    fn prefetch_near<T>(self, at: *const T) {
        self.0.prefetch_near(at);
    }
}

/// One register.
#[derive(Clone, Copy)]
pub struct F32(__m512);

/// Operations on pairs of lanes.
macro_rules! lanewise {
    ($($name:ident $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> Self {
            // SAFETY: see above.
            unsafe { F32($intrinsic(self.0, other.0)) }
        }
    )*};
}

impl Lanes for F32 {
    lanewise! {
        add _mm512_add_ps;
        sub _mm512_sub_ps;
        mul _mm512_mul_ps;
        div _mm512_div_ps;
        min _mm512_min_ps;
        max _mm512_max_ps;
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    fn mul_add(self, times: Self, plus: Self) -> Self {
        // SAFETY: see above.
        unsafe { F32(_mm512_fmadd_ps(self.0, times.0, plus.0)) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }

    #[inline(always)]
    fn exp2_whole(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            F32(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased)))
        }
    }
}

/// One register of f64.
#[derive(Clone, Copy)]
pub struct F64(__m512d);

impl Doubles for F64 {
    #[inline(always)]
    fn store(self, to: &mut [f64; LANES_F64]) {
        // SAFETY: see above; eight f64 are written.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self.0) };
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { F64(_mm512_mul_pd(self.0, other.0)) }
    }

    #[inline(always)]
    fn mul_add(self, times: Self, plus: Self) -> Self {
        // SAFETY: see above.
        unsafe { F64(_mm512_fmadd_pd(self.0, times.0, plus.0)) }
    }
}

/// One register of words.
#[derive(Clone, Copy)]
pub struct I32<const MORE: u8>(__m512i);

impl<const MORE: u8> Words for I32<MORE> {
    type F32 = F32;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        // SAFETY: see above.
        I32(unsafe { _mm512_add_epi32(self.0, other.0) })
    }

    /// `vpdpwssd` multiplies pairs of 16-bit codes and adds them to the sum in one instruction; it takes two without VNNI.
    #[inline(always)]
    fn dot(self, input: Self, weights: Self) -> Self {
        // SAFETY: see above.
        I32(unsafe {
            match MORE >= VNNI {
                true => _mm512_dpwssd_epi32(self.0, input.0, weights.0),
                false => _mm512_add_epi32(self.0, _mm512_madd_epi16(input.0, weights.0)),
            }
        })
    }

    /// `vpdpbusd` multiplies four pairs of bytes and adds them to the sum in one instruction. Without VNNI, even and odd bytes
    /// are multiplied as 16-bit numbers, whose products two by two fit 32 bits.
    #[inline(always)]
    fn dot_bytes(self, input: Self, weights: Self) -> Self {
        // SAFETY: see above.
        I32(unsafe {
            if MORE >= VNNI {
                return I32(_mm512_dpbusd_epi32(self.0, weights.0, input.0));
            }
            let even = _mm512_madd_epi16(
                _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(input.0)),
                _mm512_and_si512(weights.0, _mm512_set1_epi16(0xff)),
            );
            let odd = _mm512_madd_epi16(
                _mm512_srai_epi16::<8>(input.0),
                _mm512_srli_epi16::<8>(weights.0),
            );
            _mm512_add_epi32(self.0, _mm512_add_epi32(even, odd))
        })
    }

    #[inline(always)]
    fn to_floats(self) -> F32 {
        // SAFETY: see above.
        unsafe { F32(_mm512_cvtepi32_ps(self.0)) }
    }

    #[inline(always)]
    fn dot_halves(self, weights: Self, sum: F32) -> F32 {
        // SAFETY: see above; any sixteen words are thirty-two bf16.
        F32(unsafe {
            if MORE >= BF16 {
                let halves = |words| std::mem::transmute::<__m512i, __m512bh>(words);
                return F32(_mm512_dpbf16_ps(sum.0, halves(self.0), halves(weights.0)));
            }
            let mask = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            let upper = |word| _mm512_castsi512_ps(_mm512_and_si512(word, mask));
            let lower = |word| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(word));
            let sum = _mm512_fmadd_ps(upper(self.0), upper(weights.0), sum.0);
            _mm512_fmadd_ps(lower(self.0), lower(weights.0), sum)
        })
    }

    #[inline(always)]
    fn widen_bf16(self) -> [F32; 2] {
        // SAFETY: see above.
        unsafe {
            let mask = _mm512_set1_epi32(0xffff_0000_u32 as i32);
            let (lower, upper) = (_mm512_slli_epi32::<16>(self.0), _mm512_and_si512(self.0, mask));
            [F32(_mm512_castsi512_ps(lower)), F32(_mm512_castsi512_ps(upper))]
        }
    }

    #[inline(always)]
    fn widen_f16(self) -> [F32; 2] {
        // SAFETY: see above.
        unsafe {
            let lower = _mm512_cvtepi32_epi16(self.0);
            let upper = _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(self.0));
            [F32(_mm512_cvtph_ps(lower)), F32(_mm512_cvtph_ps(upper))]
        }
    }

    #[inline(always)]
    fn join_halves(lower: F32, upper: F32) -> Self {
        // SAFETY: see above.
        unsafe {
            let (lower, upper) = (nearest_halves(lower), nearest_halves(upper));
            I32(_mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(lower), upper))
        }
    }

    #[inline(always)]
    fn pair_halves(first: F32, second: F32) -> Self {
        // SAFETY: see above.
        unsafe {
            let odd: [i16; 2 * LANES] = std::array::from_fn(|i| 2 * i as i16 + 1);
            let odd = _mm512_loadu_si512(odd.as_ptr().cast());
            let (first, second) = (nearest_halves(first), nearest_halves(second));
            I32(_mm512_permutex2var_epi16(first, odd, second))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_si512(to.cast(), self.0) };
    }

    #[inline(always)]
    unsafe fn store_codes(values: F32, to: *mut i32) {
        // SAFETY: see above.
        unsafe {
            let codes = _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(values.0));
            _mm256_storeu_si256(to.cast(), codes);
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(values: F32, to: *mut i8) {
        // SAFETY: see above.
        unsafe {
            let bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(values.0));
            _mm_storeu_si128(to.cast(), bytes);
        }
    }
}

/// The nearest bf16 in the upper halves; what is in the lower ones has no meaning. Unlike `vcvtneps2bf16`, it keeps what is less than
/// 2⁻¹²⁶, as all levels do.
#[inline(always)]
unsafe fn nearest_halves(x: F32) -> __m512i {
    // SAFETY: see above.
    unsafe {
        let bits = _mm512_castps_si512(x.0);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        _mm512_add_epi32(_mm512_add_epi32(bits, odd), _mm512_set1_epi32(0x7fff))
    }
}
