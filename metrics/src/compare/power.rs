//! What a sample of this size can show at all: planning, and the honest reading of "no difference found".
//!
//! A two-sided test at α = 0.05 finds a true difference δ with probability 0.8 when
//! δ = (z₀.₉₇₅ + z₀.₈) · SE = 2.80 SE, and SE falls as 1/√N.

use super::normal::quantile;

const ALPHA: f64 = 0.05;
const POWER: f64 = 0.8;

fn standard_errors_needed() -> f64 {
    quantile(1.0 - ALPHA / 2.0) + quantile(POWER)
}

/// The smallest true difference that a comparison with this standard error finds with power 0.8 at α = 0.05.
pub fn detectable_difference(se: f64) -> f64 {
    standard_errors_needed() * se
}

/// Images it would take to find a true difference of `difference` with power 0.8 at α = 0.05, from the standard
/// error `se` that the comparison has on `images` images. None if the difference is 0 or a number is not finite.
pub fn images_needed(difference: f64, se: f64, images: usize) -> Option<u64> {
    let ratio = detectable_difference(se) / difference;
    let needed = (images as f64 * ratio * ratio).ceil();
    (difference != 0.0 && needed.is_finite()).then(|| (needed as u64).max(2))
}
