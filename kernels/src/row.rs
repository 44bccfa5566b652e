//! Rows of any length, vector by vector: what is missing of the last vector is filled up, and never written back.

use super::lanes::{Isa, LANES, Lanes};

/// Up to sixteen values; `fill` in the lanes behind them.
#[inline(always)]
pub fn load<I: Isa>(isa: I, from: &[f32], fill: f32) -> I::F32 {
    if from.len() >= LANES {
        // SAFETY: sixteen floats are there.
        return unsafe { isa.load(from.as_ptr()) };
    }
    let mut lanes = [fill; LANES];
    lanes[..from.len()].copy_from_slice(from);
    // SAFETY: the array holds sixteen floats.
    unsafe { isa.load(lanes.as_ptr()) }
}

/// As many lanes as `to` has room for.
#[inline(always)]
pub fn store<V: Lanes>(value: V, to: &mut [f32]) {
    if to.len() >= LANES {
        // SAFETY: there is room for sixteen floats.
        return unsafe { value.store(to.as_mut_ptr()) };
    }
    let lanes = value.to_array();
    to.copy_from_slice(&lanes[..to.len()]);
}

/// Σ a·b in the fixed order of the lanes.
#[inline(always)]
pub fn dot<I: Isa>(isa: I, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = isa.splat(0.0);
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        sum = load(isa, a, 0.0).mul_add(load(isa, b, 0.0), sum);
    }
    sum.sum()
}

/// What makes the largest code of the largest absolute value; 0 where that is 0, or so small that the factor is no number of f32, as
/// such values are worth nothing beside others.
#[inline(always)]
pub fn factor(code: f32, largest: f32) -> f32 {
    let factor = code / largest;
    if factor.is_finite() { factor } else { 0.0 }
}
