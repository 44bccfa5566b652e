//! Sixteen lanes, the unit that every kernel is written in. Each instruction set gives the same sixteen lanes (one
//! AVX-512 register, two AVX registers, an array elsewhere), and reductions add lanes in one fixed order, so that
//! results do not depend on how wide the registers are.
//!
//! An instruction set is a value of a type without size that only detection makes ([`Avx2::detect`]), and vectors are
//! only made from such a value. So whoever has either of them may compute: arithmetic on lanes is safe, and only
//! pointers are not.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

use std::fmt::Debug;

use super::level::Kernel;

#[cfg(target_arch = "x86_64")]
pub use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub use avx512::{Avx512, BF16, VNNI, bf16_is_fast};
pub use portable::Portable;

/// Lanes in a vector.
pub const LANES: usize = 16;
/// Lanes in a vector of f64: as many bytes.
pub const LANES_F64: usize = 8;

/// Proof that the CPU has an instruction set, and the matrix tile that fills its registers.
pub trait Isa: Copy + Debug {
    /// Sixteen f32.
    type F32: Lanes;
    /// Sixteen 32-bit words.
    type Words: Words<F32 = Self::F32>;
    /// Eight f64.
    type F64: Doubles;

    /// Rows of the matrix tile.
    const ROWS: usize;
    /// Vectors per row of the matrix tile.
    const VECTORS: usize;

    /// Runs a kernel as a function of its own, in which it has the instruction set, and all registers: of a body that holds many loops the
    /// compiler keeps sums in memory where they would fit.
    fn call<K: Kernel>(self, kernel: K) -> K::Output;

    /// The value in every lane.
    fn splat(self, value: f32) -> Self::F32;

    /// Sixteen consecutive floats; no alignment is asked for.
    ///
    /// # Safety
    /// `from` is valid for sixteen floats.
    unsafe fn load(self, from: *const f32) -> Self::F32;

    /// The word in every lane.
    fn splat_word(self, word: i32) -> Self::Words;

    /// Sixteen consecutive words; no alignment is asked for.
    ///
    /// # Safety
    /// `from` is valid for sixteen words.
    unsafe fn load_words(self, from: *const i32) -> Self::Words;

    /// a · b + c in f64, rounded once where the instruction set is known to do so.
    fn mul_add(self, a: f64, b: f64, c: f64) -> f64;

    /// The value in every lane.
    fn splat_f64(self, value: f64) -> Self::F64;

    /// Eight f64.
    fn load_f64(self, from: &[f64; LANES_F64]) -> Self::F64;

    /// The proof of AVX2 that is part of this one.
    #[cfg(target_arch = "x86_64")]
    fn avx2(self) -> Option<Avx2> {
        None
    }

    /// The proof of AVX-512 that is part of this one.
    #[cfg(target_arch = "x86_64")]
    fn avx512(self) -> Option<Avx512<0>> {
        None
    }

    /// Asks for the cache line at `at`, any address, in the second-level cache; a hint that changes no result.
    #[inline(always)]
    fn prefetch<T>(self, at: *const T) {
        let _ = at;
    }

    /// The same in the first-level cache, for what is multiplied next.
    #[inline(always)]
    fn prefetch_near<T>(self, at: *const T) {
        let _ = at;
    }
}

/// Sixteen f32 of one instruction set.
pub trait Lanes: Copy {
    /// Writes sixteen consecutive floats.
    ///
    /// # Safety
    /// `to` is valid for sixteen floats.
    unsafe fn store(self, to: *mut f32);
    /// a + b
    fn add(self, other: Self) -> Self;
    /// a − b
    fn sub(self, other: Self) -> Self;
    /// a · b
    fn mul(self, other: Self) -> Self;
    /// a / b
    fn div(self, other: Self) -> Self;
    /// a · b + c, rounded once where the hardware does so.
    fn mul_add(self, times: Self, plus: Self) -> Self;
    /// The smaller of each pair; the second one where either is not a number.
    fn min(self, other: Self) -> Self;
    /// The larger of each pair; the second one where either is not a number.
    fn max(self, other: Self) -> Self;
    /// 2ⁿ for lanes that hold whole numbers n between −126 and 127.
    fn exp2_whole(self) -> Self;

    /// The lanes as an array.
    #[inline(always)]
    fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array holds sixteen floats.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
    /// The sum of all lanes: halves are added until one lane is left.
    #[inline(always)]
    fn sum(self) -> f32 {
        fold(self.to_array(), |a, b| a + b)
    }
    /// The largest lane.
    #[inline(always)]
    fn largest(self) -> f32 {
        fold(self.to_array(), f32::max)
    }
}

/// Sixteen 32-bit words: sums, or the 16-bit codes of two inputs for each of sixteen outputs.
pub trait Words: Copy {
    /// The f32 lanes of the same instruction set.
    type F32: Lanes;

    /// a + b
    fn plus(self, other: Self) -> Self;
    /// self + Σ over the two inputs of input code · weight code; the sums stay within 32 bits.
    fn dot(self, input: Self, weights: Self) -> Self;
    /// self + Σ over the four inputs of input byte · weight byte, the former with a sign and the latter without; the sums
    /// stay within 32 bits.
    fn dot_bytes(self, input: Self, weights: Self) -> Self;
    /// The sums as floats.
    fn to_floats(self) -> Self::F32;
    /// sum + Σ over the two inputs of input · weight, where words are two bf16: the product of the upper halves is added
    /// first, then that of the lower ones. Products are exact, each sum is rounded once.
    fn dot_halves(self, weights: Self, sum: Self::F32) -> Self::F32;
    /// Words as two bf16: those in the lower halves, and those in the upper ones.
    fn widen_bf16(self) -> [Self::F32; 2];
    /// Words as two f16: those in the lower halves, and those in the upper ones.
    fn widen_f16(self) -> [Self::F32; 2];
    /// Words as two bf16, the nearest ones, ties to even: those of `lower` in the lower halves, those of `upper` in the upper ones. What
    /// is no number need not stay so.
    fn join_halves(lower: Self::F32, upper: Self::F32) -> Self;
    /// Likewise of 32 consecutive floats, of which two neighbours become a word.
    fn pair_halves(first: Self::F32, second: Self::F32) -> Self;
    /// Writes sixteen consecutive words.
    ///
    /// # Safety
    /// `to` is valid for sixteen words.
    unsafe fn store(self, to: *mut i32);
    /// Rounds sixteen floats to the nearest codes, ties to even, and writes them as eight consecutive words.
    ///
    /// # Safety
    /// `to` is valid for eight words.
    unsafe fn store_codes(values: Self::F32, to: *mut i32);
    /// Rounds sixteen floats within ±127 to the nearest whole numbers, ties to even, and writes them as sixteen bytes.
    ///
    /// # Safety
    /// `to` is valid for sixteen bytes.
    unsafe fn store_bytes(values: Self::F32, to: *mut i8);
}

/// Eight f64 of one instruction set.
pub trait Doubles: Copy {
    /// Writes eight f64.
    fn store(self, to: &mut [f64; LANES_F64]);
    /// a · b
    fn mul(self, other: Self) -> Self;
    /// a · b + c, rounded as [`Isa::mul_add`] does.
    fn mul_add(self, times: Self, plus: Self) -> Self;

    /// The sum of all lanes, in their order.
    #[inline(always)]
    fn sum(self) -> f64 {
        let mut lanes = [0.0; LANES_F64];
        self.store(&mut lanes);
        lanes.iter().sum()
    }
}

/// Two codes as one word.
#[inline(always)]
pub fn word([first, second]: [i32; 2]) -> i32 {
    (first & 0xffff) | (second << 16)
}

/// Folds sixteen lanes by halves: lane i with lane i + 8, then i + 4, i + 2, i + 1.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = join(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}
