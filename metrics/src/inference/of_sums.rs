//! The inference of the set distance where only sums are left: pairs that were counted on many machines.
//!
//! The jackknives need no more than the sums of every group, so value and systematic error are those of [`set_inference`] with
//! the same groups. The first-order influences behind its standard error need the rows, once the distance is known. Here the
//! variance is the jackknife's own, that of the groups' pseudo-values (Tukey 1958, "Bias and confidence in not-quite large
//! samples"): right on the average, but itself a sample of as many values as there are groups, so the interval is Student's.
//!
//! [`set_inference`]: super::set_inference

use ndarray::{Array2, s};

use super::{Jackknives, SetInference, sharing_of_pairs};
use crate::MetricError;
use crate::decomposition::{Decomposition, of_cross_trace};
use crate::estimate::Unavailable;
use crate::frechet::SetDistance;
use crate::inference::sums::Sums;
use crate::linalg::default_solver;
use crate::moments::Moments;
use crate::transport::Transport;

/// The set distance of pairs, as far as sums tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct PairInference {
    /// The distance as every tool computes it.
    pub distance: SetDistance,
    /// What the paired distance is made of.
    pub decomposition: Decomposition,
    /// The distance without its bias, with its interval.
    pub inference: Result<SetInference, Unavailable>,
}

/// Infers the set distance from moments of rows (candidate, reference), `[2d]`: of all pairs, and of every group of them.
///
/// # Errors
/// Fewer than two pairs, or a decomposition that fails.
pub fn infer_pairs(total: &Moments, groups: &[Moments]) -> Result<PairInference, MetricError> {
    let d = total.dim() / 2;
    let (first, second) = (side(total, 0), side(total, 1));
    let transport = Transport::between_moments(&first, &second, default_solver())?;
    let cross = total.comoment();
    let cross = cross.slice(s![..d, d..]);
    let n = total.n() as f64;
    let decomposition = of_cross_trace(&transport, cross.diag().sum() / n);
    let rank = transport.spectrum.len();
    let inference = match out_of_reach(total.n() as usize, groups.len(), rank, d) {
        Some(reason) => Err(reason),
        None => {
            let moved: Array2<f64> = transport.first.map.dot(&cross).dot(&transport.second.map.t());
            let origin = second.mean();
            let of = |moments: &Moments| Sums::of_pairs(moments, origin);
            let parts: Vec<Sums> = groups.iter().map(of).collect();
            let sharing = sharing_of_pairs(&transport, &moved, n);
            Ok(SetInference::of_groups(Jackknives::of(&of(total), &parts, rank, sharing)?))
        }
    };
    Ok(PairInference { distance: transport.distance(), decomposition, inference })
}

/// The moments of one half of the rows.
fn side(joint: &Moments, which: usize) -> Moments {
    let d = joint.dim() / 2;
    let own = which * d..(which + 1) * d;
    let comoment = joint.comoment().slice(s![own.clone(), own.clone()]).to_owned();
    Moments::from_sums(joint.n(), joint.mean().slice(s![own]).to_owned(), comoment)
}

fn out_of_reach(n: usize, groups: usize, rank: usize, d: usize) -> Option<Unavailable> {
    if groups < 2 {
        return Some(Unavailable::NoInterval(
            "the sums are not divided into groups, which the bias is measured by; score these captions by themselves",
        ));
    }
    (n <= d.max(rank + 1)).then_some(Unavailable::RankDeficient { n, d })
}

impl SetInference {
    /// The variance is that of the groups' pseudo-values.
    fn of_groups(jackknives: Jackknives) -> Self {
        let [plain, gaussian] = &jackknives.pseudo;
        let both: Vec<f64> = plain.iter().zip(gaussian).map(|(a, b)| 0.5 * (a + b)).collect();
        let groups = both.len() as f64;
        let mean = both.iter().sum::<f64>() / groups;
        let scale = (groups * (groups - 1.0)).sqrt();
        let contributions = both.iter().map(|value| (value - mean) / scale).collect();
        Self::new(jackknives, contributions, Some(both.len() - 1))
    }
}
