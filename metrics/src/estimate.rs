//! A number with its uncertainty, and the reason where there is none.

use thiserror::Error;

/// The 97.5% point of the standard normal distribution.
const Z975: f64 = 1.959_963_984_540_054;

/// A value with its standard error and 95% confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The point estimate.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
    /// 95% confidence interval, `[low, high]`.
    pub ci95: [f64; 2],
}

impl Estimate {
    /// An estimate whose error is normal: `value ± 1.96 se`.
    pub fn normal(value: f64, se: f64) -> Self {
        let ci95 = [value - Z975 * se, value + Z975 * se];
        Self { value, se, ci95 }
    }

    /// An estimate of something that cannot be negative: the interval of [`Estimate::normal`] cut at 0.
    pub fn non_negative(value: f64, se: f64) -> Self {
        let mut estimate = Self::normal(value, se);
        estimate.ci95 = estimate.ci95.map(|bound| bound.max(0.0));
        estimate
    }

    /// The mean of independent values, with the standard error `s / √n` (ddof 1).
    ///
    /// # Errors
    /// Fewer than two values: one has a mean but no spread.
    pub fn of_mean(values: &[f64]) -> Result<Self, Unavailable> {
        if values.len() < 2 {
            return Err(Unavailable::TooFew { n: values.len(), needed: 2 });
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Ok(Self::normal(mean, (squares / (n - 1.0) / n).sqrt()))
    }
}

/// Why a number that belongs in a report is missing from it.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// Too few independent observations.
    #[error("{n} observation(s), at least {needed} needed")]
    TooFew {
        /// How many there are.
        n: usize,
        /// How many it takes.
        needed: usize,
    },
    /// The sample does not exceed the dimension, so the asymptotic formula does not hold.
    #[error("{n} captions in {d} dimensions: the formula needs more captions than dimensions")]
    RankDeficient {
        /// Size of the smaller sample.
        n: usize,
        /// Dimension of the embeddings.
        d: usize,
    },
    /// Both sets are (nearly) the same distribution, where the first-order error vanishes.
    #[error("the two sets are nearly equal, where a first-order standard error is not reliable")]
    NearlyEqual,
}
