//! The inference of the set distance where only sums are left: pairs that were counted on many machines.
//!
//! The jackknives need no more than the sums of every group, so value and systematic error are those of [`set_inference`] with
//! the same groups. The first-order influences behind its standard error need the rows, once the distance is known. Here the
//! variance is the jackknife's own, that of the groups' pseudo-values (Tukey 1958, "Bias and confidence in not-quite large
//! samples"): right on the average, but itself a sample of as many values as there are groups, so the interval is Student's.
//!
//! [`set_inference`]: super::set_inference

use ndarray::{Array1, Array2, ArrayView1, s};

use super::image_moments::{ImageMoments, about};
use super::sums::Sums;
use super::{Jackknives, SetInference, half, independent, sharing_of_pairs};
use crate::MetricError;
use crate::decomposition::{Decomposition, of_cross_trace};
use crate::estimate::Unavailable;
use crate::frechet::SetDistance;
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

/// Infers the set distance from moments of images: of all of them, and of every group, by the number of their references.
///
/// Where images have several references, what these have in common changes the Gaussian bias; it is taken from their covariance within
/// images, where [`set_inference`](super::set_inference) has fourth moments of the rows.
///
/// # Errors
/// Fewer than two images, or a decomposition that fails.
pub fn infer_pairs(
    total: &[ImageMoments],
    groups: &[Vec<ImageMoments>],
) -> Result<PairInference, MetricError> {
    let nothing = || MetricError::TooFew { what: "images", n: 0, needed: 2 };
    let d = total.first().ok_or_else(nothing)?.joint.dim() / 2;
    let [mut first, mut second] = [(); 2].map(|()| Moments::new(d));
    for class in total {
        first.merge(&class.candidates())?;
        second.merge(&class.of_references())?;
    }
    let transport = Transport::between_moments(&first, &second, default_solver())?;
    let (n, m) = (first.n() as usize, second.n() as f64);
    let cross = cross(total, &first, second.mean());
    let decomposition = match total {
        [_] => of_cross_trace(&transport, cross.diag().sum() / m),
        _ => weighted(total, &first)?,
    };
    let rank = transport.spectrum.len();
    let inference = match out_of_reach(n, groups.len(), rank, d) {
        Some(reason) => Err(reason),
        None => {
            let moved = transport.first.map.dot(&cross).dot(&transport.second.map.t());
            let origin = second.mean();
            let of = |images: &[ImageMoments]| Sums::of_images(images, origin).ok_or_else(nothing);
            let parts = groups.iter().map(|group| of(group)).collect::<Result<Vec<Sums>, _>>()?;
            let sharing =
                sharing_of_pairs(&transport, &moved, m) + within_images(&transport, total, origin);
            Ok(SetInference::of_groups(Jackknives::of(&of(total)?, &parts, rank, sharing)?))
        }
    };
    Ok(PairInference { distance: transport.distance(), decomposition, inference })
}

/// Σ (p − μ₁)(s − k μ₂)ᵀ over all images.
fn cross(total: &[ImageMoments], first: &Moments, mean: ArrayView1<f64>) -> Array2<f64> {
    let of =
        |class: &ImageMoments| class.about([0, 1], [first.mean(), (class.count() * &mean).view()]);
    let mut classes = total.iter().map(of);
    let sum = classes.next().unwrap_or_else(|| Array2::zeros((0, 0)));
    classes.fold(sum, |sum, class| sum + class)
}

/// The decomposition where some images have more references than others, in which each image weighs the same.
fn weighted(total: &[ImageMoments], first: &Moments) -> Result<Decomposition, MetricError> {
    let n = first.n() as f64;
    let d = first.dim();
    let mut mean = Array1::zeros(d);
    for class in total {
        let sums = class.joint.mean().slice(s![d..]).to_owned();
        mean.scaled_add(class.joint.n() as f64 / (n * class.count()), &sums);
    }
    let mut comoment = Array2::zeros((d, d));
    let mut trace = 0.0;
    for class in total {
        comoment.scaled_add(1.0 / class.count(), &about(&class.of_references(), mean.view()));
        let origin = class.count() * &mean;
        let cross = class.about([0, 1], [first.mean(), origin.view()]);
        trace += cross.diag().sum() / class.count();
    }
    let second = Moments::from_sums(first.n(), mean, comoment);
    let transport = Transport::between_moments(first, &second, default_solver())?;
    Ok(of_cross_trace(&transport, trace / n))
}

/// What references of the same images add to the Gaussian bias, as a share of that of independent sets.
fn within_images(transport: &Transport, total: &[ImageMoments], mean: ArrayView1<f64>) -> f64 {
    let count =
        |class: &ImageMoments| class.joint.n() as f64 * class.count() * (class.count() - 1.0);
    let pairs: f64 = total.iter().map(count).sum();
    if pairs == 0.0 {
        return 0.0;
    }
    let d = mean.len();
    let mut within = Array2::<f64>::zeros((d, d));
    for class in total.iter().filter(|class| class.references > 1) {
        let origin = class.count() * &mean;
        within += &class.about([1, 1], [origin.view(), origin.view()]);
        within -= &about(&class.of_references(), mean);
    }
    let map = &transport.second.map;
    let b = map.dot(&within).dot(&map.t()) / pairs;
    let m = transport.second.n as f64 - 1.0;
    let together = half(transport, &|i, j| b[[i, i]] * b[[j, j]] + b[[i, j]] * b[[i, j]]);
    together * pairs / (m * m) / independent(transport)
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
        Self::new(jackknives, contributions, Vec::new(), Some(both.len() - 1))
    }
}
