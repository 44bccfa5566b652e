//! Sixteen f32 lanes, the unit that every kernel is written in. Each instruction set gives the same sixteen lanes
//! (one AVX-512 register, two AVX registers, an array of sixteen floats elsewhere), and reductions add lanes in one
//! fixed order, so that results do not depend on how wide the registers are.

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(super) mod avx512;
pub(super) mod portable;

/// Lanes in a vector.
pub const LANES: usize = 16;

/// Sixteen lanes of one instruction set, and the matrix tile that fills its registers.
///
/// Every method is `unsafe` for one reason: the instruction set must be present on the running CPU. Pointers must be
/// valid for sixteen f32.
pub(super) trait Lanes: Copy {
    /// Rows of the matrix tile.
    const ROWS: usize;
    /// Vectors per row of the matrix tile.
    const VECTORS: usize;

    /// The value in every lane.
    unsafe fn splat(value: f32) -> Self;
    /// Sixteen consecutive floats; no alignment is asked for.
    unsafe fn load(from: *const f32) -> Self;
    /// Writes sixteen consecutive floats.
    unsafe fn store(self, to: *mut f32);
    /// a + b
    unsafe fn add(self, other: Self) -> Self;
    /// a − b
    unsafe fn sub(self, other: Self) -> Self;
    /// a · b
    unsafe fn mul(self, other: Self) -> Self;
    /// a / b
    unsafe fn div(self, other: Self) -> Self;
    /// a · b + c, rounded once where the hardware does so.
    unsafe fn mul_add(self, times: Self, plus: Self) -> Self;
    /// The smaller of each pair.
    unsafe fn min(self, other: Self) -> Self;
    /// The larger of each pair.
    unsafe fn max(self, other: Self) -> Self;
    /// 2ⁿ for lanes that hold whole numbers n between −126 and 127.
    unsafe fn exp2_whole(self) -> Self;
    /// Asks for the cache line at `at`, any address, in the second-level cache; a hint that changes no result.
    #[inline(always)]
    fn prefetch(at: *const f32) {
        let _ = at;
    }
    /// The lanes as an array.
    #[inline(always)]
    unsafe fn to_array(self) -> [f32; LANES] {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array holds sixteen floats; the caller vouches for the instruction set.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes
    }
    /// The sum of all lanes: halves are added until one lane is left.
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller vouches for the instruction set.
        fold(unsafe { self.to_array() }, |a, b| a + b)
    }
    /// The largest lane.
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: the caller vouches for the instruction set.
        fold(unsafe { self.to_array() }, f32::max)
    }
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
