//! A number with its uncertainty, and the reason where there is none.

use thiserror::Error;

use crate::student;

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
        Self::normal(value, se).cut_at_0()
    }

    /// The same with an error this many times as large.
    pub fn with_error(self, factor: f64) -> Self {
        let Self { value, se, ci95 } = self;
        let ci95 = ci95.map(|bound| value + factor * (bound - value));
        Self { value, se: factor * se, ci95 }
    }

    /// The same with the other sign.
    pub fn turned(self) -> Self {
        let Self { value, se, ci95: [low, high] } = self;
        Self { value: -value, se, ci95: [-high, -low] }
    }

    /// The same with its interval cut at 0.
    pub fn cut_at_0(self) -> Self {
        self.within([0.0, f64::INFINITY])
    }

    /// The same with its interval cut where no value can lie.
    pub fn within(self, [low, high]: [f64; 2]) -> Self {
        Self { ci95: self.ci95.map(|bound| bound.max(low).min(high)), ..self }
    }

    /// An estimate from few observations: `value ± t se`, with Student's t of these degrees of freedom, at least 1.
    pub fn student(value: f64, se: f64, degrees: usize) -> Self {
        let half = student::critical(0.05, degrees) * se;
        Self { value, se, ci95: [value - half, value + half] }
    }

    /// The mean of independent values, with the standard error `s / √n` (ddof 1) and the interval of Student's t.
    ///
    /// # Errors
    /// Fewer than two values: one has a mean but no spread.
    pub fn of_mean(values: &[f64]) -> Result<Self, Unavailable> {
        let alone: Vec<usize> = (0..values.len()).collect();
        Self::of_clustered_mean(values, &alone)
    }

    /// The mean of values that depend on each other within clusters: the clusters are what is independent.
    ///
    /// # Errors
    /// Fewer than two clusters.
    pub fn of_clustered_mean(values: &[f64], cluster_of: &[usize]) -> Result<Self, Unavailable> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let mut sums = vec![None; cluster_of.iter().max().map_or(0, |last| last + 1)];
        for (value, &cluster) in values.iter().zip(cluster_of) {
            *sums[cluster].get_or_insert(0.0) += (value - mean) / n;
        }
        let sums: Vec<f64> = sums.into_iter().flatten().collect();
        if sums.len() < 2 {
            return Err(Unavailable::TooFew { n: sums.len(), needed: 2 });
        }
        let clusters = sums.len() as f64;
        let variance = sums.iter().map(|sum| sum * sum).sum::<f64>() * clusters / (clusters - 1.0);
        Ok(Self::student(mean, variance.sqrt(), sums.len() - 1))
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
    /// The sample does not exceed the dimension, so nothing is known of the bias.
    #[error(
        "{n} images or clusters in {d} dimensions: what the sample adds to the distance is known only for more of them than dimensions"
    )]
    RankDeficient {
        /// Images, or clusters of them, of the smaller sample.
        n: usize,
        /// Dimension of the embeddings.
        d: usize,
    },
    /// One cluster holds so many captions that the others say nothing about its share.
    #[error("one cluster holds {:.0}% of the captions: too few others to tell how far the distance would move", 100.0 * share)]
    OneCluster {
        /// Its share of the captions of a side, in (0, 1].
        share: f64,
    },
    /// There is no text in the pictures to be read, as far as the references tell.
    #[error("no reference holds quoted or upper-case text")]
    NothingToRead,
    /// The median distance between references is 0, and with it the width of a kernel.
    #[error(
        "half of the pairs of references or more are alike, which leaves the RBF kernel no bandwidth"
    )]
    NoBandwidth,
    /// The number has no interval that would hold.
    #[error("{0}")]
    NoInterval(&'static str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_apart_are_clusters_of_one() {
        let clusters = Estimate::of_clustered_mean(&[1.0, 2.0, 1.0, 2.0], &[0, 1, 0, 1]);
        assert_eq!(clusters, Estimate::of_mean(&[1.0, 2.0]));
        // Two observations 1 apart: ± 12.7 standard errors of 0.5.
        let found = Estimate::of_mean(&[1.0, 2.0]).unwrap();
        assert!((found.ci95[1] - 1.5 - 0.5 * 12.706_204_736).abs() < 1e-8);
    }
}
