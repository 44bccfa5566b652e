//! The tails of Student's t.

/// Terms of the continued fraction; it settles in some dozens.
const TERMS: usize = 200;

/// Probability of a value at least as far from 0 as this one, of Student's t with scale `se` and these degrees of freedom, at least 1;
/// 1 where nothing differs.
///
/// It is the regularised incomplete beta function I of ν/(ν + t²) with ν/2 and ½ (Abramowitz & Stegun 1964, 26.7.1).
pub(super) fn two_sided(value: f64, se: f64, degrees: usize) -> f64 {
    if value == 0.0 {
        return 1.0;
    }
    let (nu, t) = (degrees as f64, value / se);
    let x = nu / (nu + t * t);
    if x < (nu / 2.0 + 1.0) / (nu / 2.0 + 2.5) {
        incomplete_beta(x, nu / 2.0, 0.5)
    } else {
        1.0 - incomplete_beta(1.0 - x, 0.5, nu / 2.0)
    }
}

/// Iₓ(a, b) for x below (a + 1)/(a + b + 2), by its continued fraction (DLMF 8.17.22), from the front as Lentz does (1976).
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp() / a;
    let coefficient = |n: usize| {
        let m = (n / 2) as f64;
        match n % 2 {
            0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        }
    };
    let (mut c, mut d, mut fraction) = (1.0, 1.0 / (1.0 + coefficient(1)), 1.0);
    fraction *= d;
    for n in 2..TERMS {
        let term = coefficient(n);
        d = 1.0 / (1.0 + term * d);
        c = 1.0 + term / c;
        fraction *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_scipy() {
        // 2 * scipy.stats.t.sf(t, degrees)
        for (t, degrees, p) in [
            (0.1, 19, 0.921_391_949_765_254_5),
            (2.093_024_054_408_263, 19, 0.05),
            (5.0, 19, 7.949_974_998_417_639e-5),
            (30.0, 19, 1.809_731_841_725_044_6e-17),
            (1.0, 1, 0.5),
            (3.0, 2, 0.095_465_966_266_709_13),
        ] {
            let found = two_sided(-2.0 * t, 2.0, degrees);
            assert!((found / p - 1.0).abs() < 1e-9, "{t} {degrees}: {found}");
        }
        assert_eq!((two_sided(0.0, 0.0, 19), two_sided(1.0, 0.0, 19)), (1.0, 0.0));
    }
}
