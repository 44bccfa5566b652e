//! The slopes of the activations, which training goes back through.

use super::activation::{Activation, erf_of_root_half, exp};
use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::row::{load, store};

impl Level {
    /// Multiplies every `dy` by the slope of the activation at its `x`.
    pub fn activation_gradient(self, activation: Activation, x: &[f32], dy: &mut [f32]) {
        self.run(Slope { activation, x, dy });
    }
}

struct Slope<'a> {
    activation: Activation,
    x: &'a [f32],
    dy: &'a mut [f32],
}

impl Kernel for Slope<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { activation, x, dy } = self;
        assert_eq!(x.len(), dy.len(), "one slope for every value");
        for (x, dy) in x.chunks(LANES).zip(dy.chunks_mut(LANES)) {
            if activation == Activation::Relu {
                // As torch: 0 at 0.
                x.iter().zip(dy).for_each(|(x, dy)| *dy = if *x > 0.0 { *dy } else { 0.0 });
                continue;
            }
            let (value, upstream) = (load(isa, x, 0.0), load(isa, dy, 0.0));
            let slope = match activation {
                Activation::GeluTanh => gelu_tanh_slope(isa, value),
                _ => gelu_slope(isa, value),
            };
            store(upstream.mul(slope), dy);
        }
    }
}

/// Φ(x) + x·φ(x)
#[inline(always)]
fn gelu_slope<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let half = isa.splat(0.5);
    let density = exp(isa, x.mul(x).mul(isa.splat(-0.5))).mul(isa.splat(0.398_942_3));
    x.mul_add(density, half.mul_add(erf_of_root_half(isa, x), half))
}

/// With s = 1/(1 + e⁻²ʸ), 2y = √(8/π)(x + 0.044715x³): s + x·s·(1 − s)·(2y)′, and 1 − s = e⁻²ʸ·s without a difference.
#[inline(always)]
fn gelu_tanh_slope<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let one = isa.splat(1.0);
    let square = x.mul(x);
    let cubic = square.mul_add(isa.splat(0.044_715), one).mul(x);
    let e = exp(isa, cubic.mul(isa.splat(-1.595_769_2)));
    let s = one.div(e.add(one));
    let inner = square.mul_add(isa.splat(3.0 * 0.044_715), one).mul(isa.splat(1.595_769_2));
    x.mul(s).mul(e.mul(s)).mul_add(inner, s)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences of the formulas in f64; erf by its Maclaurin series.
    #[test]
    fn slopes_are_those_of_central_differences() {
        let erf = |x: f64| {
            let (mut term, mut sum) = (x, x);
            for n in 1..120 {
                term *= -x * x / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        };
        let gelu = |x: f64| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2));
        let tanh = |x: f64| {
            0.5 * x
                * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        };
        let x: Vec<f32> = (-5000..5001).map(|i| i as f32 / 1000.0).collect();
        for level in Level::available() {
            for (activation, f) in
                [(Activation::Gelu, &gelu as &dyn Fn(f64) -> f64), (Activation::GeluTanh, &tanh)]
            {
                let mut slopes = vec![2.0; x.len()];
                level.activation_gradient(activation, &x, &mut slopes);
                for (x, slope) in x.iter().zip(slopes) {
                    let x = f64::from(*x);
                    let want = 2.0 * (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;
                    assert!((f64::from(slope) - want).abs() < 3e-6, "{level} {activation:?} {x}");
                }
            }
            let mut slopes = [3.0; 5];
            let x = [-1.0, 0.0, 1e-30, 2.0, 0.5];
            level.activation_gradient(Activation::Relu, &x, &mut slopes);
            assert_eq!(slopes, [0.0, 0.0, 3.0, 3.0, 3.0], "{level}");
        }
    }

    #[test]
    fn far_out_slopes_are_zero_or_one() {
        for level in Level::available() {
            for activation in [Activation::Gelu, Activation::GeluTanh] {
                let mut slopes = [1.0; 4];
                level.activation_gradient(activation, &[-1e4, -30.0, 30.0, 1e4], &mut slopes);
                assert!(slopes[..2].iter().all(|s| s.abs() < 1e-5), "{level} {slopes:?}");
                assert!(slopes[2..].iter().all(|s| (s - 1.0).abs() < 1e-5), "{level} {slopes:?}");
            }
        }
    }
}
