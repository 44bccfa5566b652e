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
//! no such term, and where few units are very unlike the rest it would be most of the sum: it is taken out. The sum of squares of
//! what is left counts every interaction of two units twice, of which one is taken off where they can be measured (`interactions`); with V
//! what is left, se² = V + Δ².
//! Coverage on embeddings of real captions: docs/statistics.md.

mod expansion;
mod image_moments;
mod interactions;
mod jackknife;
mod large_dimension;
mod of_sums;
mod result;
mod second_order;
mod sums;

use ndarray::{Array2, ArrayView2};

use crate::MetricError;
use crate::estimate::Unavailable;
use crate::frechet::{same_dimension, two_at_least};
use crate::linalg::default_solver;
use crate::transport::Transport;
use crate::units::{Presence, Units};
use expansion::Expansion;
pub use image_moments::ImageMoments;
use interactions::interactions;
use jackknife::{Jackknives, are_enough};
pub use of_sums::{PairInference, infer_pairs};
pub use result::{SetDifference, SetInference};
use second_order::SecondOrder;
use sums::Groups;

/// Groups of units that are left out in turn.
const GROUPS: usize = 20;
/// A unit with more than this share of a side's rows leaves nothing to resample.
const LARGEST_UNIT: f64 = 0.1;

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
    same_dimension(rows[0].ncols(), rows[1].ncols())?;
    rows.iter().try_for_each(|side| two_at_least(side.nrows()))?;
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
    let expansion = Expansion::of(&transport, rows, units)?;
    let orders = SecondOrder::of(&expansion, rows.map(|rows| rows.nrows()));
    // Of fewer units the whitening is little but their own, and squares of pairs came out twice what they are.
    let interactions = if are_enough(fewest, rank) { interactions(&expansion) } else { Vec::new() };
    drop(expansion);
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
    let found = SetInference::new(jackknives, contributions, interactions, None);
    let found = found.of_units(Some(units.clone()));
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

#[cfg(test)]
mod tests;
