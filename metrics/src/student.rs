//! Student's t: what is left of a standard error that few observations made.

/// Terms of the continued fraction; it settles in some √degrees.
const TERMS: usize = 10_000;

/// The value in standard errors that is exceeded with probability `alpha`, in (0, 0.5], on both sides together, of Student's t with these
/// degrees of freedom, at least 1: half an interval's width.
pub fn critical(alpha: f64, degrees: usize) -> f64 {
    let nu = degrees as f64;
    let ln_gammas = libm::lgamma((nu + 1.0) / 2.0) - libm::lgamma(nu / 2.0);
    let scale = ln_gammas.exp() / (nu * std::f64::consts::PI).sqrt();
    let density = |t: f64| scale * (-(nu + 1.0) / 2.0 * (t * t / nu).ln_1p()).exp();
    // The tails are convex, so Newton's steps come from below, but for the first one.
    let mut t = 1.0;
    for _ in 0..100 {
        let step = (two_sided(t, 1.0, degrees) - alpha) / (2.0 * density(t));
        t += step;
        if step.abs() < 1e-13 * t {
            break;
        }
    }
    t
}

/// Probability of a value at least as far from 0 as this one, of Student's t with scale `se` and these degrees of freedom, at least 1;
/// 1 where nothing differs.
///
/// It is the regularised incomplete beta function I of ν/(ν + t²) with ν/2 and ½ (Abramowitz & Stegun 1964, 26.7.1).
pub fn two_sided(value: f64, se: f64, degrees: usize) -> f64 {
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
        // scipy.stats.t.isf(alpha / 2, degrees)
        for (alpha, degrees, t) in [
            (0.05, 1, 12.706_204_736_174_705),
            (0.05, 29, 2.045_229_642_132_703),
            (0.05, 1000, 1.962_339_080_826_407_8),
            (0.05, 10_000_000, 1.959_964_221_767_205_5),
            (0.01, 2, 9.924_843_200_918_29),
            (0.01, 15, 2.946_712_883_475_238_5),
            (0.4, 4, 0.940_964_577_235_181_1),
            (0.4, 200, 0.843_422_131_535_418_1),
        ] {
            let found = critical(alpha, degrees);
            assert!((found / t - 1.0).abs() < 1e-9, "{alpha} {degrees}: {found}");
        }
        assert_eq!((two_sided(0.0, 0.0, 19), two_sided(1.0, 0.0, 19)), (1.0, 0.0));
    }
}
