//! The loss of one token and the gradient of its logits, in one pass over them.

use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::row::{load, store};
use super::softmax::exponentials;

impl Level {
    /// −ln softmax(logits)\[label\]; the logits become `scale` times its gradient, softmax(logits) − 1 at the label.
    ///
    /// # Panics
    /// A label beyond the logits.
    pub fn cross_entropy(self, logits: &mut [f32], label: usize, scale: f32) -> f32 {
        self.run(CrossEntropy { logits, label, scale })
    }
}

struct CrossEntropy<'a> {
    logits: &'a mut [f32],
    label: usize,
    scale: f32,
}

impl Kernel for CrossEntropy<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        let Self { logits, label, scale } = self;
        let chosen = logits[label];
        let (sum, largest) = exponentials(isa, logits);
        let share = isa.splat(scale / sum);
        for x in logits.chunks_mut(LANES) {
            store(load(isa, x, 0.0).mul(share), x);
        }
        logits[label] -= scale;
        sum.ln() + largest - chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::value;

    #[test]
    fn loss_and_gradient_follow_the_formula_on_every_level() {
        for (length, label) in [(1, 0), (16, 15), (37, 3), (256, 200)] {
            let x: Vec<f32> = (0..length).map(|i| 30.0 + 8.0 * value(i)).collect();
            let e: Vec<f64> = x.iter().map(|x| f64::from(*x - 30.0).exp()).collect();
            let sum: f64 = e.iter().sum();
            for level in Level::available() {
                let mut got = x.clone();
                let loss = level.cross_entropy(&mut got, label, 0.25);
                let want = (sum / e[label]).ln();
                assert!((f64::from(loss) - want).abs() < 5e-6, "{level}: {loss}, not {want}");
                for (i, (got, e)) in got.iter().zip(&e).enumerate() {
                    let want = 0.25 * (e / sum - f64::from(u8::from(i == label)));
                    assert!((f64::from(*got) - want).abs() < 1e-6, "{level}, {length} long");
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_seen_in_the_loss() {
        for level in Level::available() {
            let mut logits = [f32::NAN; 20];
            assert!(level.cross_entropy(&mut logits, 3, 1.0).is_nan());
            let mut logits = [0.0; 20];
            logits[3] = f32::INFINITY;
            assert!(!level.cross_entropy(&mut logits, 4, 1.0).is_finite());
        }
    }
}
