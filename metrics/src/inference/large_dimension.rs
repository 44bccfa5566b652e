//! The fidelity tr (Σ₁^½ Σ₂ Σ₁^½)^½ of two populations from samples not much larger than the dimension.
//!
//! The closed form of [`independent`](super::independent) is the first term of a series in d/N, and at N = 2.6 d it
//! misses a sixth. When d and N grow together, the eigenvalues λ = s² of the product of two independent sample covariances determine those of
//! the populations' product exactly in the limit (Tiomoko & Couillet 2019, "Random matrix-improved estimation
//! of the Wasserstein distance between two centered Gaussian distributions", arXiv:1903.03447). With
//! ψₐ(z) = 1 − (1/nₐ) Σᵢ λᵢ/(λᵢ − z), n₁ and n₂ the degrees of freedom, and m(z) the Stieltjes transform of the
//! samples, z m(z) is the same function of u = z/(ψ₁ψ₂) for the populations; Cauchy's formula for Σ √u, integrated
//! by parts, is
//!
//! fidelity = −2 n₂ (1/2πi) ∮ √z ψ₂′/√(ψ₁ψ₂) dz
//!
//! around the poles λᵢ and the zeros of ψₐ between them. The smallest zero is positive: it is λ₁(1 − d/n) or more, for n the
//! smaller of n₁ and n₂. In w = log z the integrand is therefore analytic but for a segment of the real axis and its images
//! at ±2πi, …, and the trapezoidal rule on an ellipse about that segment converges geometrically (Trefethen & Weideman 2014,
//! "The exponentially convergent trapezoidal rule"). No ψₐ crosses the negative axis on the way, so principal roots will do.

use std::f64::consts::PI;

use num_complex::Complex64;

/// Points on the upper half of the ellipse; the lower half has the conjugate values. Enough for eigenvalues over fourteen
/// orders of magnitude.
const POINTS: usize = 128;

/// Estimate of the populations' fidelity from the singular values of samples with the given degrees of freedom.
///
/// The singular values must be positive, and both degrees of freedom must exceed their number.
pub(super) fn fidelity(singular_values: &[f64], degrees: [f64; 2]) -> f64 {
    if singular_values.is_empty() {
        return 0.0;
    }
    let lambda: Vec<f64> = singular_values.iter().map(|s| s * s).collect();
    let terms = ellipse(&lambda, degrees[0].min(degrees[1])).map(|(z, dz)| {
        let sums = Sums::at(z, &lambda);
        let [first, second] = degrees.map(|n| sums.psi(n));
        // The lower half is the conjugate of the upper one: of the integral, 2i times the imaginary part is left.
        (z.sqrt() * second.slope / (first.value.sqrt() * second.value.sqrt()) * dz).im / PI
    });
    -2.0 * degrees[1] * terms.sum::<f64>()
}

/// ψ(z) and ψ′(z).
struct Psi {
    value: Complex64,
    slope: Complex64,
}

/// Σ λ/(λ − z) and Σ λ/(λ − z)², which ψ₁ and ψ₂ share.
struct Sums {
    first: Complex64,
    second: Complex64,
}

impl Sums {
    fn at(z: Complex64, lambda: &[f64]) -> Self {
        let mut sums = Self { first: Complex64::ZERO, second: Complex64::ZERO };
        for &l in lambda {
            let pole = (l - z).inv();
            sums.first += l * pole;
            sums.second += l * pole * pole;
        }
        sums
    }

    fn psi(&self, n: f64) -> Psi {
        Psi { value: 1.0 - self.first / n, slope: -self.second / n }
    }
}

/// Points z on the upper half of a contour about all poles and zeros, each with its dz.
fn ellipse(lambda: &[f64], n: f64) -> impl Iterator<Item = (Complex64, Complex64)> {
    let d = lambda.len() as f64;
    let least = lambda.iter().copied().fold(f64::INFINITY, f64::min) * (1.0 - d / n);
    let largest = lambda.iter().copied().fold(0.0, f64::max);
    let middle = 0.5 * (largest.ln() + least.ln());
    let focus = 0.5 * (largest.ln() - least.ln());
    // As far from the segment as from its image at 2πi.
    let height = PI;
    let width = focus.hypot(height);
    let step = PI / POINTS as f64;
    (0..POINTS).map(move |point| {
        let (sin, cos) = (step * (point as f64 + 0.5)).sin_cos();
        let z = Complex64::new(middle + width * cos, height * sin).exp();
        (z, z * Complex64::new(-width * sin, height * cos) * step)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(d: usize) -> Vec<f64> {
        (0..d).map(|i| 1.0 / (1.0 + i as f64 / 5.0)).collect()
    }

    /// For samples of one size the integral is a sum over residues: 2n Σ (√λᵢ − √ηᵢ), ηᵢ the zeros of ψ.
    fn by_residues(singular_values: &[f64], n: f64) -> f64 {
        let mut lambda: Vec<f64> = singular_values.iter().map(|s| s * s).collect();
        lambda.sort_unstable_by(f64::total_cmp);
        let mut total = 0.0;
        for (i, &pole) in lambda.iter().enumerate() {
            let (mut low, mut high) = (if i == 0 { 0.0 } else { lambda[i - 1] }, pole);
            for _ in 0..200 {
                let eta = 0.5 * (low + high);
                let sum: f64 = lambda.iter().map(|l| l / (l - eta)).sum();
                *if sum > n { &mut high } else { &mut low } = eta;
            }
            total += pole.sqrt() - (0.5 * (low + high)).sqrt();
        }
        2.0 * n * total
    }

    #[test]
    fn equal_sizes_are_a_sum_over_residues() {
        for (d, n) in [(1, 2.0), (30, 31.0), (30, 80.0), (384, 1e3), (384, 1e5)] {
            let s = spectrum(d);
            let (contour, residues) = (fidelity(&s, [n, n]), by_residues(&s, n));
            assert!((contour / residues - 1.0).abs() < 1e-9, "d {d}, n {n}: {contour} {residues}");
        }
        let s: Vec<f64> = (0..60).map(|i| 10f64.powf(-f64::from(i) / 8.6)).collect();
        let (contour, residues) = (fidelity(&s, [90.0, 90.0]), by_residues(&s, 90.0));
        assert!((contour / residues - 1.0).abs() < 1e-9, "{contour} {residues}");
    }

    #[test]
    fn the_sides_may_be_swapped() {
        let s = spectrum(30);
        for sizes in [[40.0, 200.0], [31.0, 1e5], [100.0, 90.0]] {
            let (there, back) = (fidelity(&s, sizes), fidelity(&s, [sizes[1], sizes[0]]));
            assert!((there / back - 1.0).abs() < 1e-9, "{there} {back}");
        }
    }

    #[test]
    fn the_first_order_is_the_closed_form() {
        let s = spectrum(20);
        let (n, m) = (1e5, 3e5);
        let sum: f64 = s.iter().map(|a| s.iter().map(|b| a * b / (a + b)).sum::<f64>()).sum();
        // A quarter: the fidelity enters the distance twice.
        let first_order = 0.25 * (1.0 / n + 1.0 / m) * sum;
        let excess = fidelity(&s, [n, m]) - s.iter().sum::<f64>();
        assert!((excess / first_order - 1.0).abs() < 1e-3, "{excess} for {first_order}");
    }
}
