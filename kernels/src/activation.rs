//! exp, erf, tanh and GELU on sixteen lanes. Coefficients are least-maximum-error fits made for this file; the tests
//! hold every function to the standard library in f64 over its whole range.

use super::lanes::Lanes;

/// The activation between the two feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x) with the error function (Hendrycks & Gimpel 2016, arXiv:1606.08415).
    Gelu,
    /// Its tanh approximation (same paper, section 2).
    GeluTanh,
}

/// eˣ for x ≤ 88; below −87 it is e⁻⁸⁷ (10⁻³⁸). Relative error below 3·10⁻⁷.
///
/// x = n·ln 2 + r with whole n and |r| ≤ ln 2 / 2 (ln 2 in two parts: Cody & Waite 1980), then the Taylor polynomial
/// of eʳ to the seventh power.
///
/// # Safety
/// The instruction set of `L` is present.
#[inline(always)]
pub(super) unsafe fn exp<L: Lanes>(x: L) -> L {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let x = x.max(L::splat(-87.0)).min(L::splat(88.0));
        // Adding and taking away 1.5·2²³ rounds to the nearest whole number.
        let magic = L::splat(12_582_912.0);
        let n = x
            .mul_add(L::splat(std::f32::consts::LOG2_E), magic)
            .sub(magic);
        let r = n.mul_add(L::splat(-0.693_359_4), x);
        let r = n.mul_add(L::splat(2.121_944_4e-4), r);
        let p = L::splat(1.0 / 5040.0);
        let p = p.mul_add(r, L::splat(1.0 / 720.0));
        let p = p.mul_add(r, L::splat(1.0 / 120.0));
        let p = p.mul_add(r, L::splat(1.0 / 24.0));
        let p = p.mul_add(r, L::splat(1.0 / 6.0));
        let p = p.mul_add(r, L::splat(0.5));
        let p = p.mul_add(r, L::splat(1.0));
        let p = p.mul_add(r, L::splat(1.0));
        p.mul(n.exp2_whole())
    }
}

/// erf(x)/x = P(x²)/Q(x²) for |x| ≤ 3.9, beyond which erf is 1 − 4·10⁻⁸.
const ERF_LIMIT: f32 = 3.9;
#[expect(
    clippy::approx_constant,
    reason = "a fitted coefficient next to 2/√π, not the constant"
)]
const ERF_P: [f32; 6] = [
    1.128_379,
    0.191_931_7,
    0.052_965_63,
    0.003_836_458_8,
    2.874_445_6e-4,
    2.050_415_8e-6,
];
const ERF_Q: [f32; 6] = [
    1.0,
    0.503_426_8,
    0.114_754_3,
    0.015_108_376,
    0.001_181_626_9,
    3.823_037e-5,
];

/// Horner's rule.
#[inline(always)]
unsafe fn polynomial<L: Lanes>(t: L, coefficients: &[f32; 6]) -> L {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut p = L::splat(coefficients[5]);
        for i in (0..5).rev() {
            p = p.mul_add(t, L::splat(coefficients[i]));
        }
        p
    }
}

/// x·Φ(x) = ½x(1 + erf(x/√2)). Absolute error below 4·10⁻⁷ · max(1, |x|).
///
/// # Safety
/// The instruction set of `L` is present.
#[inline(always)]
pub(super) unsafe fn gelu<L: Lanes>(x: L) -> L {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let z = x.mul(L::splat(std::f32::consts::FRAC_1_SQRT_2));
        let z = z.max(L::splat(-ERF_LIMIT)).min(L::splat(ERF_LIMIT));
        let t = z.mul(z);
        let erf = z.mul(polynomial(t, &ERF_P)).div(polynomial(t, &ERF_Q));
        let half = x.mul(L::splat(0.5));
        half.mul_add(erf, half)
    }
}

/// ½x(1 + tanh(√(2/π)(x + 0.044715x³))), through tanh(y) = 1 − 2/(e²ʸ + 1).
///
/// # Safety
/// The instruction set of `L` is present.
#[inline(always)]
unsafe fn gelu_tanh<L: Lanes>(x: L) -> L {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let one = L::splat(1.0);
        let cubic = x.mul(x).mul_add(L::splat(0.044_715), one).mul(x);
        let y2 = cubic.mul(L::splat(1.595_769_2));
        let tanh = one.sub(L::splat(2.0).div(exp(y2).add(one)));
        let half = x.mul(L::splat(0.5));
        half.mul_add(tanh, half)
    }
}

/// The activation that the encoder's configuration names.
///
/// # Safety
/// The instruction set of `L` is present.
#[inline(always)]
pub(super) unsafe fn apply<L: Lanes>(activation: Activation, x: L) -> L {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        match activation {
            Activation::Gelu => gelu(x),
            Activation::GeluTanh => gelu_tanh(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lanes::LANES;
    use super::super::lanes::portable::Portable;
    use super::*;

    fn lanes(x: f32, f: impl Fn(Portable) -> Portable) -> f32 {
        // SAFETY: the portable lanes run everywhere.
        unsafe { f(Portable::splat(x)).to_array()[LANES - 1] }
    }

    /// erf by its Maclaurin series, erfc by its continued fraction (Abramowitz & Stegun 7.1.5, 7.1.14), in f64.
    fn erf(x: f64) -> f64 {
        let scale = std::f64::consts::FRAC_2_SQRT_PI;
        if x.abs() < 2.5 {
            let mut term = x;
            let mut sum = x;
            for n in 1..60 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            return scale * sum;
        }
        let a = x.abs();
        let fraction = (1..120)
            .rev()
            .fold(a, |below, k| a + f64::from(k) / 2.0 / below);
        let erfc = (-a * a).exp() / fraction / std::f64::consts::PI.sqrt();
        (1.0 - erfc).copysign(x)
    }

    #[test]
    fn exp_follows_the_standard_library() {
        for i in -87_000..=20_000 {
            let x = i as f32 / 1000.0;
            // SAFETY: the portable lanes run everywhere.
            let got = f64::from(lanes(x, |v| unsafe { exp(v) }));
            let want = f64::from(x).exp();
            assert!(
                (got / want - 1.0).abs() < 3e-7,
                "exp({x}) = {got}, not {want}"
            );
        }
    }

    #[test]
    fn gelu_follows_the_error_function() {
        for i in -12_000..=12_000 {
            let x = i as f32 / 1000.0;
            // SAFETY: the portable lanes run everywhere.
            let got = f64::from(lanes(x, |v| unsafe { gelu(v) }));
            let x = f64::from(x);
            let want = 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2));
            assert!(
                (got - want).abs() < 4e-7 * x.abs().max(1.0),
                "gelu({x}) = {got}, not {want}"
            );
        }
    }

    #[test]
    fn gelu_tanh_follows_its_formula() {
        for i in -12_000..=12_000 {
            let x = i as f32 / 1000.0;
            // SAFETY: the portable lanes run everywhere.
            let got = f64::from(lanes(x, |v| unsafe { gelu_tanh(v) }));
            let x = f64::from(x);
            let y = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            let want = 0.5 * x * (1.0 + y.tanh());
            assert!(
                (got - want).abs() < 6e-7 * x.abs().max(1.0),
                "gelu({x}) = {got}, not {want}"
            );
        }
    }
}
