//! How large a sample is, and how large it had better be.

use fgd_metrics::inference::SetInference;

use super::set::EvalSet;

/// More of the corrected value than this from finite samples alone makes the raw value a poor number to quote.
const TOLERATED_SHARE: f64 = 0.1;

/// How large a sample is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Images of the submission.
    pub images: f64,
    /// References, where they are of other images.
    pub others: Option<f64>,
    /// Part of the population that was not drawn, in [0, 1].
    pub left_out: f64,
}

impl Size {
    /// Of an evaluation set.
    pub fn of(set: &EvalSet) -> Self {
        let others = set.image_of.is_none().then(|| set.references.nrows() as f64);
        Self { images: set.len() as f64, others, left_out: set.left_out() }
    }

    /// Warns where the raw distance says little: what finite samples add is more than a tenth of the corrected distance.
    pub fn advice(self, found: &SetInference) -> Option<String> {
        let (bias, value) = (found.bias(), found.corrected.value);
        if value < 0.0 && found.corrected.ci95[1] <= 0.0 {
            return Some(
                "below 0 by more than its error, which no distance is: do these captions stand at their own images, and are images that \
                 belong together one --cluster?"
                    .to_owned(),
            );
        }
        if found.nearly_equal {
            return Some("the two sets cannot be told from equal ones".to_owned());
        }
        (bias > TOLERATED_SHARE * value).then(|| {
            let needed = self.needed(bias, TOLERATED_SHARE * value);
            let what = if self.others.is_some() { "captions a side" } else { "images" };
            format!(
                "finite samples add {}% to the distance: compare the corrected one, not the raw; some {} {what} would bring it to 10%",
                two_digits(100.0 * bias / value),
                two_digits(needed)
            )
        })
    }

    /// Images, or captions a side, of which a bias of `tolerated` is left: it falls as 1/n + 1/m, and to 0 where all are drawn.
    fn needed(self, bias: f64, tolerated: f64) -> f64 {
        let inverse =
            self.others.map_or(1.0 / self.images, |m| (1.0 / self.images + 1.0 / m) / 2.0);
        let of_one = bias / (inverse * self.left_out);
        of_one / (tolerated + of_one * (1.0 - self.left_out) / self.images)
    }
}

/// A number above 1 in two digits: it is an estimate.
fn two_digits(number: f64) -> f64 {
    let unit = 10_f64.powf(number.max(1.0).log10().floor() - 1.0).max(1.0);
    (number / unit).round() * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_leaves_what_is_tolerated() {
        let size = |images, others, left_out| Size { images, others, left_out };
        // Of 900 images 0.03 are bias: 0.003 are left of ten times as many.
        assert!((size(900.0, None, 1.0).needed(0.03, 0.003) - 9_000.0).abs() < 1e-6);
        assert!((size(900.0, Some(900.0), 1.0).needed(0.03, 0.003) - 9_000.0).abs() < 1e-6);
        // As many of one side as of the other, whatever each has now.
        for (n, m) in [(900.0, 3_000.0), (3_000.0, 900.0)] {
            let bias = 13.5 * (1.0 / n + 1.0 / m);
            assert!((size(n, Some(m), 1.0).needed(bias, 0.003) - 9_000.0).abs() < 1e-6);
        }
        // Of 3,000 in all, 2,250 do: 27 (1/2250 − 1/3000) = 0.003.
        let bias = 27.0 * (1.0 / 900.0 - 1.0 / 3_000.0);
        assert!((size(900.0, None, 0.7).needed(bias, 0.003) - 2_250.0).abs() < 1e-6);
    }

    #[test]
    fn an_estimate_has_two_digits() {
        let found = [1.0, 9.6, 99.6, 23_992.0, 1_078.0].map(two_digits);
        assert_eq!(found, [1.0, 10.0, 100.0, 24_000.0, 1_100.0]);
    }
}
