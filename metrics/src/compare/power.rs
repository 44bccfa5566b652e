//! What a sample of this size can show at all: planning, and the honest reading of "no difference found".
//!
//! A two-sided test at α = 0.05 finds a true difference δ with probability 0.8 when δ is the 97.5% and the 80% point of its distribution
//! together in standard errors: 2.80 of a normal one, more of Student's t of few observations. The error falls as √(1/n − 1/N), where N,
//! the population, is without end unless it is given.

use super::normal;
use super::resample::FEWEST_EXCHANGES;
use crate::student;

const ALPHA: f64 = 0.05;
const POWER: f64 = 0.8;
/// More observations than this are not counted: a difference that takes as many is rounding.
const MOST: f64 = 9e15;
/// From so many observations on Student's t is the normal distribution.
const MANY: u64 = 1_000_000;

/// Which test a comparison makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Normal, of a difference with a standard error.
    Normal,
    /// Student's t of the observations' mean.
    Student,
    /// Student's t with these degrees of freedom, whatever the observations.
    Groups(usize),
    /// Exchange of the two systems, observation by observation.
    Exchange {
        /// Observations on which the two differ.
        differing: u64,
    },
}

impl Test {
    /// Observations with which it can reject at all, where of so many some differ.
    fn fewest(self, observations: u64) -> u64 {
        match self {
            Self::Exchange { differing } => {
                (FEWEST_EXCHANGES as u64 * observations).div_ceil(differing.max(1))
            }
            _ => 2,
        }
    }

    /// The difference that is found with this power, in standard errors.
    fn errors_needed(self, observations: u64) -> f64 {
        let student = |degrees: usize| {
            student::critical(ALPHA, degrees) + student::critical(2.0 * (1.0 - POWER), degrees)
        };
        match self {
            Self::Groups(degrees) => student(degrees),
            Self::Student | Self::Exchange { .. } if observations < MANY => {
                student(observations as usize - 1)
            }
            _ => normal::quantile(1.0 - ALPHA / 2.0) + normal::quantile(POWER),
        }
    }
}

/// What decides whether a comparison finds a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Power {
    /// The test.
    pub test: Test,
    /// Standard error of the difference.
    pub se: f64,
    /// What was observed independently: images, or clusters of them; at least 2.
    pub observations: u64,
    /// Part of the population that was not observed, in [0, 1].
    pub left_out: f64,
}

impl Power {
    /// The smallest true difference that the comparison finds with power 0.8 at α = 0.05; `None` where it finds none.
    pub fn detectable(&self) -> Option<f64> {
        let is_enough = self.observations >= self.fewest();
        is_enough.then(|| self.test.errors_needed(self.observations) * self.se)
    }

    fn fewest(&self) -> u64 {
        self.test.fewest(self.observations)
    }

    /// Observations it would take to find a true difference of `difference` with that power; `None` where they are without end, as of
    /// a difference of 0 or of rounding.
    pub fn needed(&self, difference: f64) -> Option<u64> {
        let observations = self.observations as f64;
        if self.left_out <= 0.0 {
            // All are known.
            return (difference != 0.0).then_some(self.observations);
        }
        let of_one = self.se * self.se * observations / self.left_out;
        let in_population = (1.0 - self.left_out) / observations;
        // Not below 0: a number of observations that the population does not have knows all of it.
        let variance = |n: u64| (of_one * (1.0 / n as f64 - in_population)).max(0.0);
        let is_found = |n: u64| difference.abs() >= self.test.errors_needed(n) * variance(n).sqrt();
        let normal = Test::Normal.errors_needed(0);
        let limit = 1.0 / (difference * difference / (normal * normal * of_one) + in_population);
        let is_counted = limit < MOST;
        if difference == 0.0 || !is_counted {
            return None;
        }
        let mut high = (limit.ceil() as u64).max(self.fewest());
        while !is_found(high) {
            high *= 2;
        }
        let mut low = self.fewest() - 1;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if is_found(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// Images it would take, where the observations are so many of them or clusters of that many.
    pub fn images_needed(&self, difference: f64, images: u64) -> Option<u64> {
        let needed = u128::from(self.needed(difference)?) * u128::from(images);
        u64::try_from(needed.div_ceil(u128::from(self.observations))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(test: Test, observations: u64) -> Power {
        Power { test, se: 0.003, observations, left_out: 1.0 }
    }

    #[test]
    fn what_is_needed_is_what_detects() {
        let exchange = |observations| Test::Exchange { differing: observations };
        for test in [|_| Test::Normal, |_| Test::Student, exchange] {
            for observations in [6, 20, 1131, 2_000_000] {
                let test = test(observations);
                let power = of(test, observations);
                let detectable = power.detectable().unwrap();
                let needed = power.needed(1.000_000_001 * detectable).unwrap();
                assert_eq!(needed, observations, "{test:?}");
                assert!(power.needed(-0.999_999 * detectable).unwrap() > observations);
            }
        }
        let half = of(Test::Normal, 1131).needed(0.5 * 2.801_585_2 * 0.003).unwrap();
        assert!(half.abs_diff(4 * 1131) <= 1, "{half}");
        assert_eq!(of(Test::Student, 9).needed(0.0), None);
        // 0.3 − 0.1 − 0.1 − 0.1
        assert_eq!(of(Test::Exchange { differing: 9 }, 10).needed(-2.8e-17), None);
        assert_eq!(of(Test::Student, 9).needed(f64::NAN), None);
        // scipy.stats.t.isf(0.025, 4) + scipy.stats.t.isf(0.2, 4)
        let few = of(Test::Student, 5).detectable().unwrap() / 0.003;
        assert!((few - 3.717_409_682_4).abs() < 1e-8, "{few}");
    }

    #[test]
    fn an_exchange_of_five_finds_nothing() {
        let of_all = Test::Exchange { differing: 5 };
        assert_eq!(of(of_all, 5).detectable(), None);
        assert_eq!(of(of_all, 5).needed(1.0), Some(6));
        assert_eq!(of(Test::Student, 5).needed(1.0), Some(2));
    }

    #[test]
    fn a_population_is_no_larger_than_itself() {
        let half = Power { left_out: 0.5, ..of(Test::Normal, 500) };
        let detectable = half.detectable().unwrap();
        assert!(half.needed(1.000_001 * detectable).unwrap() == 500);
        // A difference of next to nothing takes all thousand.
        assert_eq!(half.needed(1e-9), Some(1000));
        assert_eq!(Power { left_out: 0.0, ..half }.needed(1e-9), Some(500));
    }
}
