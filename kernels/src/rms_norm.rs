//! RMSNorm over rows (Zhang & Sennrich 2019, arXiv:1910.07467) and its gradient: y = x·r·w, r = 1/√(mean(x²) + ε).

use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::row::{dot, load, store};

impl Level {
    /// Normalises rows as wide as `weight` from `x` into `y`.
    pub fn rms_norm(self, weight: &[f32], epsilon: f32, x: &[f32], y: &mut [f32]) {
        self.run(RmsNorm { weight, epsilon, x, y });
    }

    /// Adds to `dx` what the gradient `dy` of the normalised rows is worth at `x`: w·dy·r − x·r³·mean(x·w·dy). The weight
    /// is a constant.
    pub fn rms_norm_gradient(
        self,
        weight: &[f32],
        epsilon: f32,
        x: &[f32],
        dy: &[f32],
        dx: &mut [f32],
    ) {
        self.run(RmsNormGradient { weight, epsilon, x, dy, dx });
    }
}

struct RmsNorm<'a> {
    weight: &'a [f32],
    epsilon: f32,
    x: &'a [f32],
    y: &'a mut [f32],
}

/// 1/√(mean(x²) + ε)
#[inline(always)]
fn inverse_root<I: Isa>(isa: I, x: &[f32], epsilon: f32) -> f32 {
    1.0 / (dot(isa, x, x) / x.len() as f32 + epsilon).sqrt()
}

impl Kernel for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { weight, epsilon, x, y } = self;
        assert_eq!(x.len(), y.len(), "as many rows out as in");
        for (x, y) in x.chunks_exact(weight.len()).zip(y.chunks_exact_mut(weight.len())) {
            let r = isa.splat(inverse_root(isa, x, epsilon));
            let inputs = x.chunks(LANES).zip(weight.chunks(LANES));
            for ((x, w), y) in inputs.zip(y.chunks_mut(LANES)) {
                store(load(isa, x, 0.0).mul(r).mul(load(isa, w, 0.0)), y);
            }
        }
    }
}

struct RmsNormGradient<'a> {
    weight: &'a [f32],
    epsilon: f32,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for RmsNormGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { weight, epsilon, x, dy, dx } = self;
        assert!(x.len() == dy.len() && x.len() == dx.len(), "as many rows out as in");
        let width = weight.len();
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for ((x, dy), dx) in rows.zip(dx.chunks_exact_mut(width)) {
            let r = inverse_root(isa, x, epsilon);
            let mut along = isa.splat(0.0);
            let columns = || x.chunks(LANES).zip(dy.chunks(LANES)).zip(weight.chunks(LANES));
            for ((x, dy), w) in columns() {
                let wdy = load(isa, dy, 0.0).mul(load(isa, w, 0.0));
                along = load(isa, x, 0.0).mul_add(wdy, along);
            }
            let shrink = isa.splat(-r * r * r * along.sum() / width as f32);
            let r = isa.splat(r);
            for (((x, dy), w), dx) in columns().zip(dx.chunks_mut(LANES)) {
                let wdy = load(isa, dy, 0.0).mul(load(isa, w, 0.0));
                let sum = wdy.mul_add(r, load(isa, dx, 0.0));
                store(load(isa, x, 0.0).mul_add(shrink, sum), dx);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    /// The formulas in f64.
    fn twin(w: &[f32], eps: f64, x: &[f32], dy: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let (mut ys, mut dxs) = (Vec::new(), Vec::new());
        for (x, dy) in x.chunks(w.len()).zip(dy.chunks(w.len())) {
            let f = |v: &f32| f64::from(*v);
            let n = w.len() as f64;
            let r = (x.iter().map(|x| f(x) * f(x)).sum::<f64>() / n + eps).sqrt().recip();
            let along: f64 = x.iter().zip(dy).zip(w).map(|((x, d), w)| f(x) * f(d) * f(w)).sum();
            for ((x, d), w) in x.iter().zip(dy).zip(w) {
                ys.push(f(x) * r * f(w));
                dxs.push(f(w) * f(d) * r - f(x) * r.powi(3) * along / n);
            }
        }
        (ys, dxs)
    }

    #[test]
    fn rows_of_any_width_follow_the_formula_on_every_level() {
        for width in [1, 15, 16, 40, 67] {
            let at = |shift: usize| (0..3 * width).map(|i| value(i + shift)).collect::<Vec<f32>>();
            let (x, dy, before) = (at(0), at(91), at(7));
            let w: Vec<f32> = (0..width).map(|i| 1.0 + 0.5 * value(i + 5)).collect();
            let (want, gradient) = twin(&w, 1e-6, &x, &dy);
            for level in Level::available() {
                let (mut y, mut dx) = (vec![0.0; x.len()], before.clone());
                level.rms_norm(&w, 1e-6, &x, &mut y);
                level.rms_norm_gradient(&w, 1e-6, &x, &dy, &mut dx);
                for i in 0..x.len() {
                    assert!((f64::from(y[i]) - want[i]).abs() < 2e-6, "{level}, {width} wide");
                    let added = f64::from(dx[i]) - f64::from(before[i]);
                    let scale = 1.0 + gradient[i].abs();
                    assert!((added - gradient[i]).abs() < 2e-5 * scale, "{level}, {width} wide");
                }
            }
        }
    }
}
