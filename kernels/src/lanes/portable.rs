//! Sixteen lanes as an array: the twin that the other instruction sets are tested against, and the code that runs
//! where there is no other. The compiler turns the fixed-size loops into whatever vectors the target always has
//! (SSE2, NEON).

use super::{LANES, Lanes};

/// Sixteen floats.
#[derive(Clone, Copy)]
pub struct Portable(pub [f32; LANES]);

/// Without a fused instruction in the target's baseline, `f32::mul_add` is a slow call.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, join: impl Fn(f32, f32) -> f32) -> Self {
        Portable(std::array::from_fn(|i| join(self.0[i], other.0[i])))
    }
}

impl Lanes for Portable {
    const ROWS: usize = if cfg!(target_arch = "aarch64") { 6 } else { 2 };
    const VECTORS: usize = 1;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Portable([value; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for sixteen readable floats; an array of f32 has their alignment.
        Portable(unsafe { from.cast::<[f32; LANES]>().read() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for sixteen writable floats.
        unsafe { to.cast::<[f32; LANES]>().write(self.0) };
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn mul_add(self, times: Self, plus: Self) -> Self {
        Portable(std::array::from_fn(|i| match FUSED {
            true => self.0[i].mul_add(times.0[i], plus.0[i]),
            false => self.0[i] * times.0[i] + plus.0[i],
        }))
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn exp2_whole(self) -> Self {
        Portable(
            self.0
                .map(|n| f32::from_bits(((n as i32 + 127) << 23) as u32)),
        )
    }
}
