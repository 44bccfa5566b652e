//! Sixteen lanes as an array: the twin that the other instruction sets are tested against, and the code that runs
//! where there is no other. The compiler turns the fixed-size loops into whatever vectors the target always has
//! (SSE2, NEON).

use half::f16;

use super::{Doubles, Isa, LANES, LANES_F64, Lanes, Words, word};
use crate::level::Kernel;

/// What every CPU has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portable;

impl Isa for Portable {
    type F32 = F32;
    type Words = I32;
    type F64 = F64;

    const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };
    const VECTORS: usize = 1;

    #[inline]
    fn call<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run(self)
    }

    #[inline(always)]
    fn splat(self, value: f32) -> F32 {
        F32([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(self, from: *const f32) -> F32 {
        // SAFETY: the caller vouches for sixteen readable floats; an array of f32 has their alignment.
        F32(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    fn splat_word(self, word: i32) -> I32 {
        I32([word; LANES])
    }

    #[inline(always)]
    unsafe fn load_words(self, from: *const i32) -> I32 {
        // SAFETY: the caller vouches for sixteen readable words, wherever they begin.
        I32(unsafe { from.cast::<[i32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    fn mul_add(self, a: f64, b: f64, c: f64) -> f64 {
        a * b + c
    }

    #[inline(always)]
    fn splat_f64(self, value: f64) -> F64 {
        F64([value; LANES_F64])
    }

    #[inline(always)]
    fn load_f64(self, from: &[f64; LANES_F64]) -> F64 {
        F64(*from)
    }
}

/// Without a fused instruction in the target's baseline, `f32::mul_add` is a slow call.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

/// Sixteen floats.
#[derive(Clone, Copy)]
pub struct F32([f32; LANES]);

impl F32 {
    #[inline(always)]
    fn zip(self, other: Self, join: impl Fn(f32, f32) -> f32) -> Self {
        F32(std::array::from_fn(|i| join(self.0[i], other.0[i])))
    }
}

impl Lanes for F32 {
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for sixteen writable floats.
        unsafe { to.cast::<[f32; LANES]>().write(self.0) };
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, times: Self, plus: Self) -> Self {
        F32(std::array::from_fn(|i| match FUSED {
            true => self.0[i].mul_add(times.0[i], plus.0[i]),
            false => self.0[i] * times.0[i] + plus.0[i],
        }))
    }

    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn exp2_whole(self) -> Self {
        F32(self.0.map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32)))
    }
}

/// Eight f64.
#[derive(Clone, Copy)]
pub struct F64([f64; LANES_F64]);

impl Doubles for F64 {
    #[inline(always)]
    fn store(self, to: &mut [f64; LANES_F64]) {
        *to = self.0;
    }

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        F64(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }

    #[inline(always)]
    fn mul_add(self, times: Self, plus: Self) -> Self {
        F64(std::array::from_fn(|i| self.0[i] * times.0[i] + plus.0[i]))
    }
}

/// Sixteen words.
#[derive(Clone, Copy)]
pub struct I32([i32; LANES]);

impl Words for I32 {
    type F32 = F32;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        I32(std::array::from_fn(|lane| self.0[lane] + other.0[lane]))
    }

    #[inline(always)]
    fn dot(self, input: Self, weights: Self) -> Self {
        let mut sums = self.0;
        for (i, sum) in sums.iter_mut().enumerate() {
            let (a, b) = (input.0[i], weights.0[i]);
            *sum += i32::from(a as i16) * i32::from(b as i16) + (a >> 16) * (b >> 16);
        }
        I32(sums)
    }

    #[inline(always)]
    fn dot_bytes(self, input: Self, weights: Self) -> Self {
        let mut sums = self.0;
        for (i, sum) in sums.iter_mut().enumerate() {
            let pairs = input.0[i].to_le_bytes().into_iter().zip(weights.0[i].to_le_bytes());
            *sum += pairs.map(|(a, b)| i32::from(a as i8) * i32::from(b)).sum::<i32>();
        }
        I32(sums)
    }

    #[inline(always)]
    fn to_floats(self) -> F32 {
        F32(self.0.map(|sum| sum as f32))
    }

    #[inline(always)]
    fn dot_halves(self, weights: Self, sum: F32) -> F32 {
        let upper = |word: i32| f32::from_bits(word as u32 & 0xffff_0000);
        F32(std::array::from_fn(|i| {
            let (a, b) = (self.0[i], weights.0[i]);
            sum.0[i] + upper(a) * upper(b) + upper(a << 16) * upper(b << 16)
        }))
    }

    #[inline(always)]
    fn widen_bf16(self) -> [F32; 2] {
        let upper = |word: i32| f32::from_bits(word as u32 & 0xffff_0000);
        [F32(self.0.map(|word| upper(word << 16))), F32(self.0.map(upper))]
    }

    #[inline(always)]
    fn widen_f16(self) -> [F32; 2] {
        let lower = |word: i32| f16::from_bits(word as u16).to_f32();
        [F32(self.0.map(lower)), F32(self.0.map(|word| lower(word >> 16)))]
    }

    #[inline(always)]
    fn join_halves(lower: F32, upper: F32) -> Self {
        I32(std::array::from_fn(|i| nearest_halves([lower.0[i], upper.0[i]])))
    }

    #[inline(always)]
    fn pair_halves(first: F32, second: F32) -> Self {
        let floats = [first.0, second.0];
        let (pairs, _) = floats.as_flattened().as_chunks();
        I32(std::array::from_fn(|i| nearest_halves(pairs[i])))
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        // SAFETY: the caller vouches for sixteen writable words.
        unsafe { to.cast::<[i32; LANES]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn store_codes(values: F32, to: *mut i32) {
        let codes = values.0.map(|value| value.round_ties_even() as i32);
        let (pairs, _) = codes.as_chunks();
        for (i, pair) in pairs.iter().enumerate() {
            // SAFETY: the caller vouches for eight writable words.
            unsafe { to.add(i).write(word(*pair)) };
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(values: F32, to: *mut i8) {
        for (i, value) in values.0.into_iter().enumerate() {
            // SAFETY: the caller vouches for sixteen writable bytes.
            unsafe { to.add(i).write(value.round_ties_even() as i8) };
        }
    }
}

/// Two bf16 as one word.
#[inline(always)]
fn nearest_halves(floats: [f32; 2]) -> i32 {
    let [lower, upper] = floats.map(|x| {
        let bits = x.to_bits();
        bits.wrapping_add(0x7fff + (bits >> 16 & 1))
    });
    (upper & 0xffff_0000 | lower >> 16) as i32
}
