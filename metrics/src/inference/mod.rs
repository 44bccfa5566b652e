//! What is left of the set distance without its bias, with an interval that holds on captions.
//!
//! Estimated moments differ even where the populations do not, so the distance of two samples is too large by about c/N (Chong &
//! Forsyth 2020, arXiv:1911.07023), with c different for every system. The c of Gaussian captions is known to all orders
//! in d/N (`large_dimension`), but captions are not Gaussian: their norms vary after whitening, systems are mixtures. So the bias is
//! measured, by the jackknife over groups of [units](crate::units) (Quenouille 1956, "Notes on bias in estimation"), twice:
//!
//! - on the distance less what the means add, which is known exactly. This takes off any c/N, and leaves the c/N²;
//! - on the same less its Gaussian bias to all orders, which takes off the c/N² too, were it Gaussian.
//!
//! The truth lies between the two. Their midpoint is the estimate, half of their distance a systematic error Δ.
//!
//! The standard error comes from first-order influences (Rippl, Munk & Sturm 2016, arXiv:1507.04090) with one correction: the
//! influence is the derivative at the sample and holds twice what its own unit adds to the second order. The corrected value has
//! no such term, and where few units are very unlike the rest it would be most of the sum: it is taken out. With V the sum of
//! squares of what is left, se² = V + Δ². Coverage on embeddings of real captions: docs/statistics.md.

mod large_dimension;
mod of_sums;
mod second_order;
mod sums;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::MetricError;
use crate::estimate::{Estimate, Unavailable};
use crate::linalg::{Factor, default_solver, product};
use crate::transport::{SPAN, Transport};
use crate::units::{Presence, Units};
pub use of_sums::{PairInference, infer_pairs};
use second_order::SecondOrder;
use sums::{Groups, Sums};

/// Groups of units that are left out in turn.
const GROUPS: usize = 20;
/// A unit with more than this share of a side's rows leaves nothing to resample.
const LARGEST_UNIT: f64 = 0.1;

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
    /// The sample is small for its dimensions: the systematic error is more than half of the random one, or a leave-out sample has
    /// no more distinct rows than dimensions.
    pub small_sample: bool,
    /// The value is less than two standard errors: the two sets cannot be told from equal ones. The interval is then up to √2
    /// too wide.
    pub nearly_equal: bool,
    /// Pseudo-values of both jackknives, one for each group.
    pseudo: [Vec<f64>; 2],
    /// What each unit contributes, or each group of them; the variance of the value is the sum of their squares.
    contributions: Vec<f64>,
    /// Whether the second jackknife could be had.
    gaussian: bool,
    /// Degrees of freedom of the variance, where groups contribute.
    degrees: Option<usize>,
}

/// The inference of two sets, and the influence of every row of either, up to a constant.
pub(crate) struct Inferred {
    pub(crate) transport: Transport,
    pub(crate) found: Result<SetInference, Unavailable>,
    /// `None` where the inference is unavailable.
    pub(crate) slopes: Option<[Vec<f64>; 2]>,
}

/// Infers the distance of the populations behind `candidates` `[N, d]` and `references` `[M, d]`, whose rows depend on each other
/// as `units` says. The result depends on `seed`, which deals the groups, and not on the number of threads.
///
/// The inner error is why there is none: no more units than dimensions, or one unit that holds a tenth of the rows.
///
/// # Errors
/// Fewer than two rows a side, dimensions that differ, values that are not finite, or a decomposition that fails.
pub fn set_inference(
    candidates: ArrayView2<f32>,
    references: ArrayView2<f32>,
    units: &Units,
    seed: u64,
) -> Result<Result<SetInference, Unavailable>, MetricError> {
    let groups = groups_of(units);
    Ok(infer([candidates, references], units, &units.deal(groups, seed))?.found)
}

/// [`set_inference`] with given groups: `group_of[unit]` counts from 0, without gaps.
///
/// # Errors
/// As [`set_inference`].
pub fn set_inference_by_groups(
    candidates: ArrayView2<f32>,
    references: ArrayView2<f32>,
    units: &Units,
    group_of: &[usize],
) -> Result<Result<SetInference, Unavailable>, MetricError> {
    Ok(infer([candidates, references], units, group_of)?.found)
}

/// How many groups the units are dealt into: each has units of both sides.
pub(crate) fn groups_of(units: &Units) -> usize {
    GROUPS.min(units.on(0)).min(units.on(1)).max(2)
}

pub(crate) fn infer(
    rows: [ArrayView2<f32>; 2],
    units: &Units,
    group_of: &[usize],
) -> Result<Inferred, MetricError> {
    crate::frechet::same_dimension(rows[0].ncols(), rows[1].ncols())?;
    let groups = group_of.iter().max().map_or(0, |last| last + 1);
    let sums = Groups::of(rows, units, group_of, groups);
    sums::finite(&sums.total)?;
    let (a, b) = (sums.moments(0), sums.moments(1));
    let transport = Transport::between_moments(&a, &b, default_solver())?;
    let rank = transport.spectrum.len();
    let fewest = units.on(0).min(units.on(1));
    if let Some(reason) = out_of_reach(units, fewest, rank, rows[0].ncols()) {
        return Ok(Inferred { transport, found: Err(reason), slopes: None });
    }
    let orders = SecondOrder::of(&transport, rows, units)?;
    let sharing = sharing(&transport, &orders, units);
    let jackknives = Jackknives::of(&sums.total, &sums.groups, rank, sharing)?;
    let mut contributions = vec![0.0; units.count()];
    for side in 0..2 {
        let slopes = &orders.slopes[side];
        let n = slopes.len() as f64;
        let mean = slopes.iter().sum::<f64>() / n;
        let parts = units.of(side).iter().zip(slopes);
        parts.for_each(|(&unit, slope)| contributions[unit] += (slope - mean) / n);
    }
    for (unit, part) in contributions.iter_mut().enumerate() {
        *part -= 2.0 * (orders.of_covariances[unit] + orders.of_means[unit]);
    }
    let contributions = units.centred(contributions);
    let found = SetInference::new(jackknives, contributions, None);
    Ok(Inferred { transport, found: Ok(found), slopes: Some(orders.slopes) })
}

fn out_of_reach(units: &Units, fewest: usize, rank: usize, d: usize) -> Option<Unavailable> {
    // Few rows span few directions: that the sample exceeds its own rank says nothing.
    if fewest <= d.max(rank + 1) {
        return Some(Unavailable::RankDeficient { n: fewest, d });
    }
    let share = units.largest_share();
    (share > LARGEST_UNIT).then_some(Unavailable::OneCluster { share })
}

/// By which factor what units share on both sides changes the bias of independent sets, to first order.
fn sharing(transport: &Transport, orders: &SecondOrder, units: &Units) -> f64 {
    let shared = units.with(Presence::Both).count();
    match &orders.cross {
        _ if shared == 0 => 1.0,
        Some(cross) if shared > 1 => sharing_of_pairs(transport, cross, shared as f64),
        // Several captions a side: the actual fourth moments.
        _ => (orders.of_covariances.iter().sum::<f64>() / independent(transport)).max(0.0),
    }
}

/// [`sharing`] of units of one caption a side: Gaussian fourth moments, of which the cross-covariance Σ z vᵀ knows all.
fn sharing_of_pairs(transport: &Transport, cross: &Array2<f64>, shared: f64) -> f64 {
    let (n, m) = degrees(transport);
    let c = cross / (shared - 1.0);
    let together = half(transport, &|i, j| c[[i, i]] * c[[j, j]] + c[[i, j]] * c[[j, i]]);
    let together = 2.0 * together * (shared - 1.0) / (n * m);
    (1.0 - together / independent(transport)).max(0.0)
}

/// The first-order bias of independent Gaussian sets.
fn independent(transport: &Transport) -> f64 {
    let s = &transport.spectrum;
    let (n, m) = degrees(transport);
    let gaussian = half(transport, &|i, j| s[i] * s[j] + if i == j { s[i] * s[i] } else { 0.0 });
    gaussian * (1.0 / n + 1.0 / m)
}

fn degrees(transport: &Transport) -> (f64, f64) {
    (transport.first.n as f64 - 1.0, transport.second.n as f64 - 1.0)
}

/// ½ Σᵢⱼ vᵢⱼ/(sᵢ + sⱼ)
fn half(transport: &Transport, entry: &dyn Fn(usize, usize) -> f64) -> f64 {
    let s = &transport.spectrum;
    let row = |i: usize| (0..s.len()).map(|j| entry(i, j) / (s[i] + s[j])).sum::<f64>();
    0.5 * (0..s.len()).map(row).sum::<f64>()
}

/// The two jackknives over groups of units.
struct Jackknives {
    /// The distance of the whole sample.
    raw: f64,
    /// Pseudo-values of both, one for each group.
    pseudo: [Vec<f64>; 2],
    /// Whether the second could be had.
    gaussian: bool,
}

impl Jackknives {
    fn of(total: &Sums, groups: &[Sums], rank: usize, sharing: f64) -> Result<Self, MetricError> {
        let whole = Terms::of(total, rank)?;
        let left_out: Vec<Terms> = (groups.par_iter())
            .map(|group| Terms::of(&total.without(group), rank))
            .collect::<Result<_, _>>()?;
        let gaussian = left_out.iter().chain([&whole]).all(|terms| terms.gaussian.is_some());
        let g = groups.len() as f64;
        let pseudo = |share: f64| -> Vec<f64> {
            let whole = g * whole.less_bias(share);
            left_out.iter().map(|terms| whole - (g - 1.0) * terms.less_bias(share)).collect()
        };
        let plain = pseudo(0.0);
        let pseudo = [plain.clone(), if gaussian { pseudo(sharing) } else { plain }];
        Ok(Self { raw: whole.distance, pseudo, gaussian })
    }
}

/// The distance of a sample, and what is known of its bias.
struct Terms {
    distance: f64,
    /// The part that the means make.
    of_means: f64,
    /// The part that the covariances make, were captions Gaussian and the sets independent; `None` where too few rows are distinct.
    gaussian: Option<f64>,
}

impl Terms {
    /// `rank` is the number of directions that both sets span.
    fn of(sums: &Sums, rank: usize) -> Result<Self, MetricError> {
        let solver = default_solver();
        let [first, second] = [0, 1].map(|side| {
            let mean = sums.mean(side);
            Factor::of_covariance(sums.covariance(side).view(), mean.dot(&mean), solver)
        });
        let (first, second) = (first?, second?);
        let values = solver.singular_values(product(first.l().t(), second.l()).view())?;
        let largest = values.iter().fold(0.0, |max: f64, &v| max.max(v));
        let spectrum: Vec<f64> = values.iter().copied().filter(|&s| s > SPAN * largest).collect();
        let fidelity: f64 = spectrum.iter().sum();
        let shift = sums.mean(0) - sums.mean(1);
        let degrees = [0, 1].map(|side| sums.rows(side) - 1.0);
        let enough = spectrum.len() == rank && degrees[0].min(degrees[1]) > rank as f64;
        Ok(Self {
            distance: shift.dot(&shift) + first.trace() + second.trace() - 2.0 * fidelity,
            of_means: sums.of_means(),
            // The limit of many dimensions leaves out that the variances on the diagonal count twice.
            gaussian: enough.then(|| {
                let diagonal = 0.25 * (1.0 / degrees[0] + 1.0 / degrees[1]) * fidelity;
                2.0 * (large_dimension::fidelity(&spectrum, degrees) - fidelity) + diagonal
            }),
        })
    }

    fn less_bias(&self, sharing: f64) -> f64 {
        self.distance - self.of_means - sharing * self.gaussian.unwrap_or(0.0)
    }
}

impl SetInference {
    /// `degrees` of freedom where the variance was estimated from few groups.
    fn new(jackknives: Jackknives, contributions: Vec<f64>, degrees: Option<usize>) -> Self {
        let Jackknives { raw, pseudo, gaussian } = jackknives;
        let Combined { value, systematic, variance } = Combined::of(&pseudo, &contributions);
        let se = (variance + systematic.powi(2)).sqrt();
        let corrected = match degrees {
            Some(degrees) => Estimate::student(value, se, degrees).cut_at_0(),
            None => Estimate::non_negative(value, se),
        };
        Self {
            raw,
            corrected,
            systematic,
            small_sample: !gaussian || systematic > 0.5 * variance.sqrt(),
            nearly_equal: value < 2.0 * corrected.se,
            pseudo,
            contributions,
            gaussian,
            degrees,
        }
    }

    /// What finite samples are expected to add to the distance.
    pub fn bias(&self) -> f64 {
        self.raw - self.corrected.value
    }

    /// The same of a set beside itself: nothing, without uncertainty.
    pub(crate) fn of_equal_sets(self) -> Self {
        let none = |values: Vec<f64>| vec![0.0; values.len()];
        let pseudo = self.pseudo.map(none);
        let jackknives = Jackknives { raw: 0.0, pseudo, gaussian: self.gaussian };
        Self::new(jackknives, none(self.contributions), self.degrees)
    }

    /// The same where the target is a finite set, of which the sample holds this share, on either side: drawn without replacement,
    /// what is left to chance is what was not drawn (Cochran 1977, *Sampling Techniques*, section 2.6).
    pub fn of_finite_population(&self, share: f64) -> Self {
        let left = 1.0 - share;
        let pseudo = self.pseudo.clone().map(|values| {
            values.into_iter().map(|value| self.raw - left * (self.raw - value)).collect()
        });
        let contributions = self.contributions.iter().map(|part| left.sqrt() * part).collect();
        let jackknives = Jackknives { raw: self.raw, pseudo, gaussian: self.gaussian };
        Self::new(jackknives, contributions, self.degrees)
    }

    /// How far this system is from the references beyond another on the same units: the difference of the corrected values with its
    /// standard error, in which cancels what both share. A test of equal distance holds it against 1.96 standard errors.
    ///
    /// # Errors
    /// Systems that were not measured on the same units.
    pub fn difference(&self, other: &Self) -> Result<SetDifference, MetricError> {
        if self.contributions.len() != other.contributions.len()
            || self.pseudo[0].len() != other.pseudo[0].len()
        {
            return Err(MetricError::InvalidPairs(format!(
                "{} units of the first system and {} of the second; compare them on the same images",
                self.contributions.len(),
                other.contributions.len()
            )));
        }
        let minus =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let pseudo = [0, 1].map(|which| minus(&self.pseudo[which], &other.pseudo[which]));
        let contributions = minus(&self.contributions, &other.contributions);
        let Combined { value, systematic, variance } = Combined::of(&pseudo, &contributions);
        Ok(SetDifference {
            raw: self.raw - other.raw,
            corrected: Estimate::normal(value, (variance + systematic.powi(2)).sqrt()),
            small_sample: !self.gaussian || !other.gaussian || systematic > 0.5 * variance.sqrt(),
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
    /// As [`SetInference::small_sample`].
    pub small_sample: bool,
}

/// Midpoint of two jackknives, half of what they are apart, and the variance of units.
struct Combined {
    value: f64,
    systematic: f64,
    variance: f64,
}

impl Combined {
    fn of(pseudo: &[Vec<f64>; 2], contributions: &[f64]) -> Self {
        let [a, b] = [0, 1].map(|k| pseudo[k].iter().sum::<f64>() / pseudo[k].len() as f64);
        Self {
            value: 0.5 * (a + b),
            systematic: 0.5 * (a - b).abs(),
            variance: contributions.iter().map(|part| part * part).sum(),
        }
    }
}

#[cfg(test)]
mod tests;
