//! Softmax over a row, and the gradient of what went into it.

use super::activation::{exp, weight};
use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::row::{dot, load, store};

impl Level {
    /// x becomes softmax(x); the largest value is taken away first, so none is too large.
    pub fn softmax(self, x: &mut [f32]) {
        self.run(Softmax(x));
    }

    /// The largest value of a row; −∞ of none.
    pub fn largest(self, x: &[f32]) -> f32 {
        self.run(Largest(x))
    }

    /// ln Σ eˣ, which x less is the logarithm of softmax(x).
    pub fn log_sum_exp(self, x: &[f32]) -> f32 {
        self.run(LogSumExp(x))
    }

    /// With p = softmax(x) and the gradient `dp` of p, `dp` becomes that of x: p·(dp − Σ p·dp).
    pub fn softmax_gradient(self, p: &[f32], dp: &mut [f32]) {
        self.run(SoftmaxGradient { p, dp });
    }
}

struct Softmax<'a>(&'a mut [f32]);

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let share = 1.0 / exponentials(isa, self.0).0;
        for x in self.0.chunks_mut(LANES) {
            store(load(isa, x, 0.0).mul(isa.splat(share)), x);
        }
    }
}

/// x becomes the [`weight`] e^(x − largest); returns the sum and the largest.
#[inline(always)]
pub fn exponentials<I: Isa>(isa: I, x: &mut [f32]) -> (f32, f32) {
    let largest = largest(isa, x);
    let mut sum = isa.splat(0.0);
    for x in x.chunks_mut(LANES) {
        store(weight(isa, load(isa, x, 0.0).sub(isa.splat(largest))), x);
        sum = sum.add(load(isa, x, 0.0));
    }
    (sum.sum(), largest)
}

#[inline(always)]
fn largest<I: Isa>(isa: I, x: &[f32]) -> f32 {
    let mut largest = isa.splat(f32::NEG_INFINITY);
    for x in x.chunks(LANES) {
        largest = load(isa, x, f32::NEG_INFINITY).max(largest);
    }
    largest.largest()
}

struct Largest<'a>(&'a [f32]);

impl Kernel for Largest<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        largest(isa, self.0)
    }
}

struct LogSumExp<'a>(&'a [f32]);

/// Vectors whose sum is added to the whole in f64.
const PART: usize = 64;

impl Kernel for LogSumExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let largest = largest(isa, self.0);
        let mut whole = 0.0;
        for part in self.0.chunks(PART * LANES) {
            let mut sum = isa.splat(0.0);
            for x in part.chunks(LANES) {
                sum = sum.add(exp(isa, load(isa, x, f32::NEG_INFINITY).sub(isa.splat(largest))));
            }
            whole += f64::from(sum.sum());
        }
        largest + whole.ln() as f32
    }
}

struct SoftmaxGradient<'a> {
    p: &'a [f32],
    dp: &'a mut [f32],
}

impl Kernel for SoftmaxGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { p, dp } = self;
        assert_eq!(p.len(), dp.len(), "one gradient for every probability");
        let mean = isa.splat(dot(isa, p, dp));
        for (p, dp) in p.chunks(LANES).zip(dp.chunks_mut(LANES)) {
            store(load(isa, dp, 0.0).sub(mean).mul(load(isa, p, 0.0)), dp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn the_largest_and_the_sum_are_those_of_the_formula_on_every_level() {
        for length in [1, 16, 37, 3000] {
            let x: Vec<f32> = (0..length).map(|i| 30.0 + 8.0 * value(i)).collect();
            let sum: f64 = x.iter().map(|x| f64::from(*x).exp()).sum();
            for level in Level::available() {
                let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(level.largest(&x), largest, "{level}");
                let got = f64::from(level.log_sum_exp(&x));
                assert!((got - sum.ln()).abs() < 4e-6, "{level}: {got}, not {}", sum.ln());
            }
        }
    }

    #[test]
    fn rows_of_any_length_follow_the_formula_on_every_level() {
        for length in [1, 9, 16, 31, 64] {
            let x: Vec<f32> = (0..length).map(|i| 9.0 * value(i)).collect();
            let upstream: Vec<f32> = (0..length).map(|i| value(i + 77)).collect();
            let e: Vec<f64> = x.iter().map(|x| f64::from(*x).exp()).collect();
            let sum: f64 = e.iter().sum();
            let mean: f64 =
                e.iter().zip(&upstream).map(|(e, d)| e / sum * f64::from(*d)).sum::<f64>();
            for level in Level::available() {
                let (mut p, mut dp) = (x.clone(), upstream.clone());
                level.softmax(&mut p);
                level.softmax_gradient(&p, &mut dp);
                for i in 0..length {
                    let want = e[i] / sum;
                    assert!((f64::from(p[i]) - want).abs() < 1e-6, "{level}, {length} long");
                    let want = want * (f64::from(upstream[i]) - mean);
                    assert!((f64::from(dp[i]) - want).abs() < 1e-6, "{level}, {length} long");
                }
            }
        }
    }
}
