//! The fidelity tr (Σ₁^½ Σ₂ Σ₁^½)^½ of two populations from samples not much larger than the dimension.
//!
//! The closed form of [`bias`](super) is the first term of a series in d/N, and at N = 2.6 d it misses a sixth. When d and
//! N grow together, the eigenvalues λ = s² of the product of two independent sample covariances determine those of
//! the populations' product exactly in the limit (Tiomoko & Couillet 2019, "Random matrix-improved estimation
//! of the Wasserstein distance between two centered Gaussian distributions", arXiv:1903.03447). With
//! ψₐ(z) = 1 − (1/nₐ) Σᵢ λᵢ/(λᵢ − z), n₁ and n₂ the degrees of freedom, and m(z) the Stieltjes transform of the
//! samples, z m(z) is the same function of u = z/(ψ₁ψ₂) for the populations; Cauchy's formula for Σ √u, integrated
//! by parts, is
//!
//! fidelity = −2 n₂ (1/2πi) ∮ √z ψ₂′/√(ψ₁ψ₂) dz = 2 √(n₁n₂) Σ sᵢ − 2 n₂ Σ qᵢ,
//!
//! where s comes from the poles λᵢ and qᵢ from the cut between the zeros ηᵢ⁽¹⁾ and ηᵢ⁽²⁾ of ψ₁ and ψ₂ below λᵢ. For n₁ = n₂
//! the cut shrinks to a pole, qᵢ = √ηᵢ, and the fidelity is 2n Σ (√λᵢ − √ηᵢ).

use std::f64::consts::PI;

use rayon::prelude::*;

/// Chebyshev points on each cut.
const NODES: usize = 24;
/// Halvings of an interval that leave nothing of it in `f64`.
const HALVINGS: usize = 60;

/// Estimate of the populations' fidelity from the singular values of samples with the given degrees of freedom.
///
/// Both must exceed the number of singular values.
pub(super) fn fidelity(singular_values: &[f64], degrees: [f64; 2]) -> f64 {
    let mut lambda: Vec<f64> = singular_values.iter().map(|s| s * s).collect();
    lambda.sort_unstable_by(f64::total_cmp);
    let gaps = if degrees[0] == degrees[1] {
        let gaps = zeros_below(&lambda, degrees[0]);
        [gaps.clone(), gaps]
    } else {
        degrees.map(|n| zeros_below(&lambda, n))
    };
    let [n1, n2] = degrees;
    let ratio = (n1 / n2).sqrt();
    let terms: Vec<f64> = (0..lambda.len())
        .into_par_iter()
        .map(|i| ratio * lambda[i].sqrt() - cut(&lambda, &gaps, n2, i))
        .collect();
    2.0 * n2 * terms.iter().sum::<f64>()
}

/// For each λᵢ, ascending, the gap λᵢ − ηᵢ to the zero ηᵢ of ψ between λᵢ₋₁ (or 0) and λᵢ.
fn zeros_below(lambda: &[f64], n: f64) -> Vec<f64> {
    (0..lambda.len())
        .into_par_iter()
        .map(|i| {
            let below = if i == 0 { 0.0 } else { lambda[i - 1] };
            let (mut low, mut high) = (0.0, lambda[i] - below);
            for _ in 0..HALVINGS {
                let gap = 0.5 * (low + high);
                let sum: f64 = lambda.iter().map(|&l| l / ((l - lambda[i]) + gap)).sum();
                // ψ falls from its pole at λᵢ₋₁ to the one at λᵢ: where it is negative, the zero lies farther below.
                if sum > n { low = gap } else { high = gap }
            }
            0.5 * (low + high)
        })
        .collect()
}

/// qᵢ: the mean of √x |ψ₂′(x)|/√hᵢ(x) over the Chebyshev points of the i-th cut, hᵢ = ψ₁ψ₂ without its two zeros there.
fn cut(lambda: &[f64], gaps: &[Vec<f64>; 2], n2: f64, i: usize) -> f64 {
    let (a, b) = (gaps[0][i], gaps[1][i]);
    if a == b {
        return (lambda[i] - a).max(0.0).sqrt();
    }
    let (middle, half) = (0.5 * (a + b), 0.5 * (b - a));
    let value = |node: usize| {
        let gap = middle + half * (PI * (node as f64 + 0.5) / NODES as f64).cos();
        let (mut slope, mut product) = (0.0, 1.0);
        for (j, &l) in lambda.iter().enumerate() {
            let distance = (l - lambda[i]) + gap;
            slope += l / (distance * distance);
            let others = if j == i {
                1.0
            } else {
                (distance - gaps[0][j]) * (distance - gaps[1][j])
            };
            product *= others / (distance * distance);
        }
        (lambda[i] - gap).max(0.0).sqrt() * slope / (n2 * product.sqrt())
    };
    (0..NODES).map(value).sum::<f64>() / NODES as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(d: usize) -> Vec<f64> {
        (0..d).map(|i| 1.0 / (1.0 + i as f64 / 5.0)).collect()
    }

    #[test]
    fn equal_sizes_are_the_limit_of_unequal_ones() {
        let s = spectrum(30);
        let equal = fidelity(&s, [80.0, 80.0]);
        let nearly = fidelity(&s, [80.0, 80.0 + 1e-6]);
        assert!((equal - nearly).abs() < 1e-6, "{equal} {nearly}");
    }

    #[test]
    fn the_sides_may_be_swapped() {
        let s = spectrum(30);
        for sizes in [[40.0, 200.0], [31.0, 1e5], [100.0, 90.0]] {
            let (there, back) = (fidelity(&s, sizes), fidelity(&s, [sizes[1], sizes[0]]));
            assert!((there / back - 1.0).abs() < 1e-6, "{there} {back}");
        }
    }

    #[test]
    fn the_first_order_is_the_closed_form() {
        let s = spectrum(20);
        let (n, m) = (1e5, 3e5);
        let sum: f64 = s
            .iter()
            .map(|a| s.iter().map(|b| a * b / (a + b)).sum::<f64>())
            .sum();
        // A quarter: the fidelity enters the distance twice.
        let first_order = 0.25 * (1.0 / n + 1.0 / m) * sum;
        let excess = fidelity(&s, [n, m]) - s.iter().sum::<f64>();
        assert!(
            (excess / first_order - 1.0).abs() < 1e-3,
            "{excess} for {first_order}"
        );
    }
}
