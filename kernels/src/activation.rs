//! exp, erf, tanh, GELU and ReLU on sixteen lanes. Coefficients are least-maximum-error fits made for this file; the
//! tests hold every function to the standard library in f64 over its whole range. What is not a number stays so.

use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};

/// The activation between two feed-forward layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// x·Φ(x) with the error function (Hendrycks & Gimpel 2016, arXiv:1606.08415).
    Gelu,
    /// Its tanh approximation (same paper, section 2).
    GeluTanh,
    /// max(x, 0)
    Relu,
}

impl Activation {
    /// The activation of this name in the configurations of transformers; `None` where it is computed by no kernel.
    pub fn named(name: &str) -> Option<Activation> {
        match name {
            "gelu" => Some(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
            "relu" => Some(Activation::Relu),
            _ => None,
        }
    }
}

impl Level {
    /// Replaces every value by its activation.
    pub fn activate(self, activation: Activation, values: &mut [f32]) {
        self.run(Activate { activation, values });
    }
}

struct Activate<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        match self.activation {
            Activation::Gelu => each::<I, Gelu>(isa, self.values),
            Activation::GeluTanh => each::<I, GeluTanh>(isa, self.values),
            Activation::Relu => each::<I, Relu>(isa, self.values),
        }
    }
}

/// A function of one vector. A type rather than a function pointer: the call to one would be compiled without the
/// instruction set.
trait Function {
    fn of<I: Isa>(isa: I, x: I::F32) -> I::F32;
}

macro_rules! functions {
    ($($name:ident = $function:ident),*) => {
        $(struct $name;

        impl Function for $name {
            #[inline(always)]
            fn of<I: Isa>(isa: I, x: I::F32) -> I::F32 {
                $function(isa, x)
            }
        })*
    };
}

functions!(Gelu = gelu, GeluTanh = gelu_tanh, Relu = relu);

#[inline(always)]
fn each<I: Isa, F: Function>(isa: I, values: &mut [f32]) {
    let (vectors, rest) = values.as_chunks_mut::<LANES>();
    for vector in vectors {
        // SAFETY: sixteen floats are read and written.
        unsafe { F::of(isa, isa.load(vector.as_ptr())).store(vector.as_mut_ptr()) };
    }
    let mut last = [0.0; LANES];
    last[..rest.len()].copy_from_slice(rest);
    // SAFETY: as above.
    last = F::of(isa, unsafe { isa.load(last.as_ptr()) }).to_array();
    rest.copy_from_slice(&last[..rest.len()]);
}

/// eˣ for x ≤ 88; below −87 it is e⁻⁸⁷ (10⁻³⁸). Relative error below 3·10⁻⁷.
///
/// x = n·ln 2 + r with whole n and |r| ≤ ln 2 / 2 (ln 2 in two parts: Cody & Waite 1980), then the Taylor polynomial
/// of eʳ to the seventh power.
#[inline(always)]
pub fn exp<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let x = isa.splat(88.0).min(isa.splat(-87.0).max(x));
    // Adding and taking away 1.5·2²³ rounds to the nearest whole number.
    let magic = isa.splat(12_582_912.0);
    let n = x.mul_add(isa.splat(std::f32::consts::LOG2_E), magic).sub(magic);
    let r = n.mul_add(isa.splat(-0.693_359_4), x);
    let r = n.mul_add(isa.splat(2.121_944_4e-4), r);
    let p = isa.splat(1.0 / 5040.0);
    let p = p.mul_add(r, isa.splat(1.0 / 720.0));
    let p = p.mul_add(r, isa.splat(1.0 / 120.0));
    let p = p.mul_add(r, isa.splat(1.0 / 24.0));
    let p = p.mul_add(r, isa.splat(1.0 / 6.0));
    let p = p.mul_add(r, isa.splat(0.5));
    let p = p.mul_add(r, isa.splat(1.0));
    let p = p.mul_add(r, isa.splat(1.0));
    p.mul(n.exp2_whole())
}

/// eˣ for x ≤ 0 as a weight beside that of 0: what is below 10⁻³⁰ is nothing. Shares of it would be denormal numbers, with which a
/// processor multiplies a hundred times as long.
#[inline(always)]
pub fn weight<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    isa.splat(0.0).max(exp(isa, x).sub(isa.splat(1e-30)))
}

/// erf(x)/x = P(x²)/Q(x²) for |x| ≤ 3.9, beyond which erf is 1 − 4·10⁻⁸.
const ERF_LIMIT: f32 = 3.9;
#[expect(clippy::approx_constant, reason = "a fitted coefficient next to 2/√π, not the constant")]
const ERF_P: [f32; 6] =
    [1.128_379, 0.191_931_7, 0.052_965_63, 0.003_836_458_8, 2.874_445_6e-4, 2.050_415_8e-6];
const ERF_Q: [f32; 6] =
    [1.0, 0.503_426_8, 0.114_754_3, 0.015_108_376, 0.001_181_626_9, 3.823_037e-5];

/// Horner's rule.
#[inline(always)]
fn polynomial<I: Isa>(isa: I, t: I::F32, coefficients: &[f32; 6]) -> I::F32 {
    let mut p = isa.splat(coefficients[5]);
    for i in (0..5).rev() {
        p = p.mul_add(t, isa.splat(coefficients[i]));
    }
    p
}

/// erf(x/√2)
#[inline(always)]
pub fn erf_of_root_half<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let z = x.mul(isa.splat(std::f32::consts::FRAC_1_SQRT_2));
    let z = isa.splat(ERF_LIMIT).min(isa.splat(-ERF_LIMIT).max(z));
    let t = z.mul(z);
    z.mul(polynomial(isa, t, &ERF_P)).div(polynomial(isa, t, &ERF_Q))
}

/// x·Φ(x) = ½x(1 + erf(x/√2)). Absolute error below 4·10⁻⁷ · max(1, |x|).
#[inline(always)]
fn gelu<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let half = x.mul(isa.splat(0.5));
    half.mul_add(erf_of_root_half(isa, x), half)
}

/// ½x(1 + tanh(√(2/π)(x + 0.044715x³))), as x/(1 + e⁻²ʸ): nothing cancels where tanh is near −1.
#[inline(always)]
fn gelu_tanh<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let one = isa.splat(1.0);
    let cubic = x.mul(x).mul_add(isa.splat(0.044_715), one).mul(x);
    x.div(exp(isa, cubic.mul(isa.splat(-1.595_769_2))).add(one))
}

/// max(x, 0)
#[inline(always)]
fn relu<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    isa.splat(0.0).max(x)
}

/// The activation of one vector.
#[inline(always)]
pub fn apply<I: Isa>(isa: I, activation: Activation, x: I::F32) -> I::F32 {
    match activation {
        Activation::Gelu => gelu(isa, x),
        Activation::GeluTanh => gelu_tanh(isa, x),
        Activation::Relu => relu(isa, x),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let fraction = (1..120).rev().fold(a, |below, k| a + f64::from(k) / 2.0 / below);
        let erfc = (-a * a).exp() / fraction / std::f64::consts::PI.sqrt();
        (1.0 - erfc).copysign(x)
    }

    /// Holds `f` to `exact` on every level, at every thousandth from `from` to `to`; `scale` is what `bound` is relative to.
    fn follows(
        [from, to]: [i32; 2],
        f: impl Fn(Level, &mut [f32]),
        exact: impl Fn(f64) -> f64,
        bound: impl Fn(f64, f64) -> f64,
    ) {
        let x: Vec<f32> = (from..=to).map(|i| i as f32 / 1000.0).collect();
        for level in Level::available() {
            let mut got = x.clone();
            f(level, &mut got);
            for (x, got) in x.iter().zip(got) {
                let (x, got) = (f64::from(*x), f64::from(got));
                let want = exact(x);
                assert!((got - want).abs() < bound(x, want), "{level} at {x}: {got}, not {want}");
            }
        }
    }

    struct Exp<'a>(&'a mut [f32]);

    functions!(Power = exp);

    impl Kernel for Exp<'_> {
        type Output = ();

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) {
            each::<I, Power>(isa, self.0);
        }
    }

    #[test]
    fn exp_follows_the_standard_library() {
        let exp = |level: Level, x: &mut [f32]| level.run(Exp(x));
        follows([-87_000, 88_000], exp, f64::exp, |_, want| 3e-7 * want);
    }

    #[test]
    fn activations_follow_their_formulas() {
        let of = |activation| move |level: Level, x: &mut [f32]| level.activate(activation, x);
        let bound = |x: f64, _| 6e-7 * x.abs().max(1.0);
        let range = [-12_000, 12_000];
        let gelu = |x: f64| 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2));
        follows(range, of(Activation::Gelu), gelu, |x, want| bound(x, want) * 2.0 / 3.0);
        let gelu_tanh = |x: f64| {
            let y = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + y.tanh())
        };
        follows(range, of(Activation::GeluTanh), gelu_tanh, bound);
        follows(range, of(Activation::Relu), |x| x.max(0.0), bound);
    }

    #[test]
    fn extremes_stay_finite_and_what_is_no_number_stays_none() {
        for level in Level::available() {
            let mut x = [f32::NEG_INFINITY, -1e30, 1e30, f32::NAN];
            level.run(Exp(&mut x));
            assert!(x[0] < 1e-37 && x[1] < 1e-37 && x[2].is_finite() && x[3].is_nan());
            for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
                let mut x = [-1e30, 1e30, f32::NAN];
                level.activate(activation, &mut x);
                assert!(x[0].abs() < 1e24 && (x[1] / 1e30 - 1.0).abs() < 1e-6 && x[2].is_nan());
            }
        }
    }

    /// scipy: x/2·(1+erf(x/√2)), and numpy in f64 for the tanh form.
    #[test]
    fn values_are_those_of_scipy() {
        let x = [-10.0, -3.0, -1.0, -0.1, 0.0, 1e-4, 0.5, 2.0, 5.0, 30.0];
        for (activation, expected) in [(Activation::Gelu, GELU), (Activation::GeluTanh, GELU_TANH)]
        {
            let mut ours = x;
            Level::current().activate(activation, &mut ours);
            for ((x, a), b) in x.iter().zip(ours).zip(expected) {
                assert!(
                    (f64::from(a) - b).abs() < 4e-7 * f64::from(x.abs()).max(1.0),
                    "{activation:?}({x}) = {a}, not {b}"
                );
            }
        }
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
