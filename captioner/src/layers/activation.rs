//! Activation functions, written so that the compiler vectorises them.
//!
//! The vision tower alone evaluates GELU 62 million times per image; a libm call each would cost as much as a tenth of
//! its matrix products.

use candle_core::Tensor;
use serde::Deserialize;

use crate::error::Result;

/// The activations that BLIP-2 checkpoints name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Activation {
    /// x·Φ(x) with the exact normal distribution function.
    #[serde(rename = "gelu")]
    Gelu,
    /// Its tanh approximation (Hendrycks & Gimpel 2016, <https://arxiv.org/abs/1606.08415>).
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh")]
    GeluTanh,
    /// max(x, 0).
    #[serde(rename = "relu")]
    Relu,
}

impl Activation {
    /// In place, on host memory.
    pub fn apply(self, values: &mut [f32]) {
        match self {
            Self::Gelu => each(values, gelu),
            Self::GeluTanh => each(values, gelu_tanh),
            Self::Relu => each(values, |x| x.max(0.0)),
        }
    }

    /// On a device tensor.
    pub fn forward(self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Gelu => x.gelu_erf()?,
            Self::GeluTanh => x.gelu()?,
            Self::Relu => x.relu()?,
        })
    }
}

/// Replaces every value by e^value.
pub(super) fn exp_all(values: &mut [f32]) {
    each(values, exp);
}

#[inline(always)]
fn each(values: &mut [f32], f: impl Fn(f32) -> f32) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        #[target_feature(enable = "avx2,fma")]
        fn wide(values: &mut [f32], f: impl Fn(f32) -> f32) {
            values.iter_mut().for_each(|v| *v = f(*v));
        }
        // SAFETY: the features were just detected.
        return unsafe { wide(values, f) };
    }
    values.iter_mut().for_each(|v| *v = f(*v));
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    const SQRT_2_OVER_PI: f32 = 0.797_884_6;
    let inner = SQRT_2_OVER_PI * (x + 0.044715 * x * x * x);
    // ½(1 + tanh u) = 1 / (1 + e^-2u)
    x / (1.0 + exp(-2.0 * inner))
}

/// erf as x·P(x²)/Q(x²) on |x| < 3.83, where it reaches 1 in f32: the minimax rational of Eigen and XLA
/// (`generic_fast_erf_float`); within 3e-7 of erf.
#[expect(
    clippy::approx_constant,
    reason = "coefficients of a fitted function, as they were fitted"
)]
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-3.832_507, 3.832_507);
    let x2 = x * x;
    let p = 0.000_229_050_66_f32;
    let p = p * x2 + 0.003_408_291;
    let p = p * x2 + 0.050_955_694;
    let p = p * x2 + 0.185_208_33;
    let p = p * x2 + 1.128_379_1;
    let q = -1.179_160_3e-7_f32;
    let q = q * x2 + 2.354_796_6e-5;
    let q = q * x2 + 0.001_017_962_6;
    let q = q * x2 + 0.014_070_47;
    let q = q * x2 + 0.110_985_05;
    let q = q * x2 + 0.497_469_26;
    let q = q * x2 + 1.0;
    x * p / q
}

/// e^x = 2^n · e^r with |r| <= ln2/2, e^r by the polynomial of Cephes' `expf`; relative error below 2e-7.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to an integer
    let x = x.clamp(-87.3, 88.3);
    let n = x * std::f32::consts::LOG2_E + ROUND - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let e = p * r * r + r + 1.0;
    e * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy: x/2·(1+erf(x/√2)), and numpy in f64 for the tanh form.
    #[test]
    fn values_are_those_of_scipy() {
        let x = [-10.0, -3.0, -1.0, -0.1, 0.0, 1e-4, 0.5, 2.0, 5.0, 30.0];
        for (activation, expected) in [(Activation::Gelu, GELU), (Activation::GeluTanh, GELU_TANH)]
        {
            let mut ours = x;
            activation.apply(&mut ours);
            for ((x, a), b) in x.iter().zip(ours).zip(expected) {
                assert!(
                    (f64::from(a) - b).abs() < 4e-7 * f64::from(x.abs()).max(1.0),
                    "{activation:?}({x}) = {a}, not {b}"
                );
            }
        }
    }

    #[test]
    fn exp_is_accurate_and_never_overflows() {
        let mut x: Vec<f32> = (-800..=800).map(|i| i as f32 * 0.1).collect();
        let exact: Vec<f64> = x.iter().map(|x| f64::from(*x).exp()).collect();
        exp_all(&mut x);
        for (a, b) in x.iter().zip(exact) {
            assert!((f64::from(*a) / b - 1.0).abs() < 3e-7, "{a}, not {b}");
        }
        let mut extremes = [f32::NEG_INFINITY, -1e30, 1e30];
        exp_all(&mut extremes);
        assert!(extremes[0] < 1e-37 && extremes[1] < 1e-37 && extremes[2].is_finite());
    }

    const GELU: [f64; 10] = [
        -0.0,
        -0.00404969409489031,
        -0.15865525393145707,
        -0.0460172162722971,
        0.0,
        5.000398942279737e-05,
        0.3457312306370065,
        1.9544997361036416,
        4.999998566742141,
        30.0,
    ];
    const GELU_TANH: [f64; 10] = [
        -0.0,
        -0.0036373920817729943,
        -0.1588080093917233,
        -0.04601724895456484,
        0.0,
        5.000398942279734e-05,
        0.34571400982514394,
        1.954597694087775,
        4.999999770820381,
        30.0,
    ];
}
