//! What is inferred of one system, and of the difference of two.

use super::jackknife::Jackknives;
use crate::MetricError;
use crate::estimate::Estimate;
use crate::units::Units;

/// A variance that fewer units than this make is that of too few draws: coverage falls to 86–93% (docs/statistics.md).
const FEW: f64 = 40.0;

/// A systematic error of this part of the other one makes intervals that may not hold: where it was 0.4 to 0.5, 84% of 127 did
/// (docs/statistics.md).
const MUCH: f64 = 0.4;

/// Distances that differ by less of themselves are of the same rows, summed in another order.
const ROUNDING: f64 = 1e-9;

/// The set distance without its bias, and how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct SetInference {
    /// The distance of the two samples as they are.
    pub raw: f64,
    /// The distance without its bias, with standard error and 95% interval, which is cut at 0. The value itself may fall below 0,
    /// as an unbiased number must where the populations are nearly equal.
    pub corrected: Estimate,
    /// Half of what the two jackknives are apart: the part of the standard error that does not average out.
    pub systematic: f64,
    /// The sample is small for its dimensions: no more than two units for each, or the systematic error is more than 0.4 of the
    /// random one, or a leave-out sample has no more distinct rows than dimensions. Or it is small for what varies in it: a few units
    /// make most of the standard error, and how many such units another sample would have is hardly known.
    pub small_sample: bool,
    /// The value is less than two standard errors: the two sets cannot be told from equal ones.
    pub nearly_equal: bool,
    /// Pseudo-values of both jackknives, one for each group.
    pseudo: [Vec<f64>; 2],
    /// What each unit contributes, or each group of them.
    contributions: Vec<f64>,
    /// What pairs of units add to that, whose squares the contributions' squares hold twice; none where it could not be measured.
    interactions: Vec<f64>,
    /// Whether the second jackknife could be had, and there are units enough.
    enough: bool,
    /// Degrees of freedom of the variance, where groups contribute.
    degrees: Option<usize>,
    /// The units that contribute; `None` where groups do.
    units: Option<Units>,
}

impl SetInference {
    /// `degrees` of freedom where the variance was estimated from few groups.
    pub(super) fn new(
        jackknives: Jackknives,
        contributions: Vec<f64>,
        interactions: Vec<f64>,
        degrees: Option<usize>,
    ) -> Self {
        let Jackknives { raw, pseudo, enough } = jackknives;
        let Combined { value, systematic, se, is_small } =
            Combined::of(&pseudo, &contributions, &interactions, degrees.is_none());
        let corrected = match degrees {
            Some(degrees) => Estimate::student(value, se, degrees).cut_at_0(),
            None => Estimate::non_negative(value, se),
        };
        Self {
            raw,
            corrected,
            systematic,
            small_sample: !enough || is_small,
            nearly_equal: value < 2.0 * corrected.se,
            pseudo,
            contributions,
            interactions,
            enough,
            degrees,
            units: None,
        }
    }

    /// The same, contributed by these units.
    pub(super) fn of_units(self, units: Option<Units>) -> Self {
        Self { units, ..self }
    }

    /// What finite samples are expected to add to the distance.
    pub fn bias(&self) -> f64 {
        self.raw - self.corrected.value
    }

    /// Of finite sets that were drawn whole: the distance as it is, which no sample adds to, on however few units.
    pub(crate) fn of_census(raw: f64, units: &Units) -> Self {
        let pseudo = [(); 2].map(|()| vec![raw; 2]);
        let jackknives = Jackknives { raw, pseudo, enough: true };
        Self::new(jackknives, vec![0.0; units.count()], Vec::new(), None)
            .of_units(Some(units.clone()))
    }

    /// The same of a set beside itself: nothing, without uncertainty.
    pub(crate) fn of_equal_sets(self) -> Self {
        let none = |values: Vec<f64>| vec![0.0; values.len()];
        let pseudo = self.pseudo.map(none);
        let jackknives = Jackknives { raw: 0.0, pseudo, enough: self.enough };
        let parts = [self.contributions, self.interactions].map(none);
        let [contributions, interactions] = parts;
        Self::new(jackknives, contributions, interactions, self.degrees).of_units(self.units)
    }

    /// The same where the target is a finite set, of which the sample holds this share, on either side: drawn without replacement,
    /// what is left to chance is what was not drawn (Cochran 1977, *Sampling Techniques*, section 2.6).
    pub fn of_finite_population(&self, share: f64) -> Self {
        let left = 1.0 - share;
        let pseudo = self.pseudo.clone().map(|values| {
            values.into_iter().map(|value| self.raw - left * (self.raw - value)).collect()
        });
        let scaled = |parts: &[f64], share: f64| -> Vec<f64> {
            parts.iter().map(|part| share.sqrt() * part).collect()
        };
        let contributions = scaled(&self.contributions, left);
        // Of an interaction left² is left, and the contributions hold 2 left of it.
        let interactions = scaled(&self.interactions, left * (2.0 - left));
        let jackknives = Jackknives { raw: self.raw, pseudo, enough: self.enough };
        let found = Self::new(jackknives, contributions, interactions, self.degrees);
        found.of_units(self.units.clone())
    }

    /// The same with the candidates in this order, in which row `i` of every system that is compared is of one image.
    pub fn in_order(self, candidates: &[usize]) -> Self {
        let units = self.units.as_ref().map(|units| units.in_order(candidates));
        self.of_units(units)
    }

    /// The same by units that are made of these. What pairs of units make is then not known apart, and nothing is taken off for it.
    fn of_larger_units(&self, larger: &Units) -> Self {
        let mut contributions = vec![0.0; larger.count()];
        if let Some(units) = &self.units {
            let mut is_there = vec![false; units.count()];
            for side in 0..2 {
                for (&unit, &into) in units.of(side).iter().zip(larger.of(side)) {
                    if !std::mem::replace(&mut is_there[unit], true) {
                        contributions[into] += self.contributions[unit];
                    }
                }
            }
        }
        Self {
            contributions,
            interactions: Vec::new(),
            units: Some(larger.clone()),
            ..self.clone()
        }
    }

    /// How far this system is from the references beyond another on the same units: the difference of the corrected values with its
    /// standard error, in which cancels what both share. A test of equal distance holds it against 1.96 standard errors, or
    /// against Student's t where these are of groups.
    ///
    /// Where one of them shares captions with the references that the other does not, units are joined until they are units of both.
    ///
    /// # Errors
    /// Systems that were not measured on the same rows.
    pub fn difference(&self, other: &Self) -> Result<SetDifference, MetricError> {
        if let (Some(of_self), Some(of_other)) = (&self.units, &other.units)
            && of_self != of_other
            && [0, 1].iter().all(|&side| of_self.of(side).len() == of_other.of(side).len())
        {
            let labels = [0, 1].map(|side| of_other.of(side).iter().map(Some).collect());
            let both = of_self.joined(labels);
            return self.of_larger_units(&both).difference(&other.of_larger_units(&both));
        }
        if self.contributions.len() != other.contributions.len()
            || self.pseudo[0].len() != other.pseudo[0].len()
            || self.degrees != other.degrees
        {
            return Err(MetricError::InvalidPairs(format!(
                "{} units of the first system and {} of the second; compare them on the same images",
                self.contributions.len(),
                other.contributions.len()
            )));
        }
        if (self.raw - other.raw).abs() <= ROUNDING * self.raw.max(other.raw) {
            return Ok(SetDifference {
                raw: 0.0,
                corrected: Estimate::normal(0.0, 0.0),
                degrees: self.degrees,
                small_sample: false,
                same_rows: true,
            });
        }
        let minus =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let pseudo = [0, 1].map(|which| minus(&self.pseudo[which], &other.pseudo[which]));
        let contributions = minus(&self.contributions, &other.contributions);
        let interactions = minus(&self.interactions, &other.interactions);
        let Combined { value, se, is_small, .. } =
            Combined::of(&pseudo, &contributions, &interactions, self.degrees.is_none());
        let corrected = match self.degrees {
            Some(degrees) => Estimate::student(value, se, degrees),
            None => Estimate::normal(value, se),
        };
        Ok(SetDifference {
            raw: self.raw - other.raw,
            corrected,
            degrees: self.degrees,
            small_sample: !self.enough || !other.enough || is_small,
            same_rows: false,
        })
    }
}

/// How two systems differ in the set distance to the same references.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SetDifference {
    /// Difference of the distances as they are.
    pub raw: f64,
    /// Difference of the corrected distances.
    pub corrected: Estimate,
    /// Degrees of freedom of the standard error, where it is that of a few groups of units.
    pub degrees: Option<usize>,
    /// As [`SetInference::small_sample`].
    pub small_sample: bool,
    /// Both systems have the same captions, be it of other images: as sets they are one, whatever the pairing made of their bias.
    pub same_rows: bool,
}

/// Midpoint of two jackknives, half of what they are apart, the standard error of both, and whether that is hardly known.
struct Combined {
    value: f64,
    systematic: f64,
    se: f64,
    is_small: bool,
}

impl Combined {
    /// `of_units` tells contributions of units from those of groups.
    fn of(
        pseudo: &[Vec<f64>; 2],
        contributions: &[f64],
        interactions: &[f64],
        of_units: bool,
    ) -> Self {
        let [a, b] = [0, 1].map(|k| pseudo[k].iter().sum::<f64>() / pseudo[k].len() as f64);
        let systematic = 0.5 * (a - b).abs();
        let squares = |parts: &[f64]| parts.iter().map(|part| part * part).sum::<f64>();
        let twice = squares(contributions);
        // Of g groups' jackknife, pairs within a group are no part, and others g/(g − 1) times: as much of the variance of interactions.
        // The rest of what is there twice is too much, and they are at most half of that.
        let groups = pseudo[0].len() as f64;
        let too_much = (groups - 2.0) / (groups - 1.0);
        let variance = twice - too_much * squares(interactions).min(0.5 * twice);
        Self {
            value: 0.5 * (a + b),
            systematic,
            se: (variance + systematic.powi(2)).sqrt(),
            is_small: systematic > MUCH * variance.sqrt() || (of_units && is_of_few(contributions)),
        }
    }
}

/// Whether the variance Σ c² is that of few units: (Σ c²)²/Σ c⁴ is their number, were they equal and all others nothing; normal
/// contributions of N units come to N/3.
fn is_of_few(contributions: &[f64]) -> bool {
    let (squares, fourth) =
        contributions.iter().map(|c| c * c).fold((0.0, 0.0), |(s, f), c2| (s + c2, f + c2 * c2));
    squares * squares < FEW * fourth
}
