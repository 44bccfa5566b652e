//! The standard normal distribution function and its inverse.

use std::f64::consts::SQRT_2;

/// Φ(z).
pub(super) fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / SQRT_2)
}

/// Probability of a normal value at least as far from 0 as this one, of mean 0 and standard error `se`; 1 where nothing differs.
pub(super) fn two_sided(value: f64, se: f64) -> f64 {
    if value == 0.0 { 1.0 } else { libm::erfc(value.abs() / se / SQRT_2) }
}

/// Φ⁻¹(p) by bisection; ±40 beyond what an f64 can tell from 0 or 1.
pub(super) fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    while high - low > 1e-13 {
        let middle = 0.5 * (low + high);
        if cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}
