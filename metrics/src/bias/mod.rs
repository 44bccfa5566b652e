//! How much of the set distance is only the size of the samples, and what is left without it.
//!
//! Estimated moments differ even where the populations do not, so the distance of two samples is too large by
//! about c/N (Chong & Forsyth 2020, arXiv:1911.07023), with c different for every system. To second order, with
//! Gaussian fourth moments, c is known. In the coordinates of the [transport](crate::transport) both sets have the
//! diagonal covariance S = diag(s), and an error E = E₁ − E₂ of the two sample covariances adds
//! ½ Σᵢⱼ Eᵢⱼ²/(sᵢ + sⱼ) to the distance. For independent samples Var Eᵢⱼ = sᵢsⱼ(1 + δᵢⱼ)(1/(N−1) + 1/(M−1)), hence
//!
//! bias = tr Σ₁/N + tr Σ₂/M + ½ (1/(N−1) + 1/(M−1)) [Σᵢ sᵢ + Σ_{i≠j} sᵢsⱼ/(sᵢ + sⱼ)].
//!
//! For two equal populations s are the eigenvalues of Σ. Captions of one image vary together, which takes away from
//! the bias (candidate with reference) or adds to it (references among themselves): the paired form subtracts and
//! adds the products of their cross-covariances in the same place.
//!
//! That is the first order in d/N. What higher orders add to the covariance part is known for independent samples
//! (Tiomoko & Couillet 2019, arXiv:1903.03447) and applied to the paired form as the same factor, which simulation
//! bears out: `examples/coverage.rs` with unit vectors in 384 dimensions and N = 1,000 (600 draws) corrected a distance of
//! .0937, on the average, from .1400 to .0939 (paired) and from .1704 to .0937 (independent); one of .0090 (40 draws) from .0593 to
//! .0092 and from .0934 to .0089. The first order alone left .1011, .1059, .0173 and .0226.

mod large_dimension;

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::MetricError;
use crate::estimate::Unavailable;
use crate::linalg::product;
use crate::paired::Pairs;
use crate::transport::{Sampling, Transport};

/// A bias above this share of the corrected value makes the raw value a poor number to report.
const TOLERATED_SHARE: f64 = 0.1;

/// The part of a set distance that comes from the finite samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bias {
    /// Expected excess of the distance over that of the populations; at least 0.
    pub bias: f64,
    /// The closed form alone, to first order in d/N.
    pub first_order: f64,
    /// The part that the means make.
    pub of_means: f64,
    /// The distance less its bias. May be slightly negative for equal populations, as an unbiased number must.
    pub corrected: f64,
    /// Standard deviation of the excess itself: all of the distance's error where the two populations are equal.
    pub second_order_se: f64,
}

/// The closed-form bias of the distance of `transport`, which was made from `a` and `b`.
///
/// `Err(Unavailable)` unless both samples are larger than the dimension.
pub fn analytic_bias(
    transport: &Transport,
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    sampling: Sampling,
) -> Result<Result<Bias, Unavailable>, MetricError> {
    let dependence = match sampling {
        Sampling::Independent => None,
        Sampling::Paired { image_of } => {
            let pairs = Pairs {
                candidates: a,
                references: b,
                image_of,
            };
            pairs.references_per_image()?;
            Some(Dependence::within_images(transport, &pairs))
        }
    };
    let (n, d) = (transport.smaller(), transport.dim());
    if n <= d {
        return Ok(Err(Unavailable::RankDeficient { n, d }));
    }
    Ok(Ok(second_order(transport, dependence)))
}

/// What captions of one image share.
struct Dependence {
    /// Cross-covariance of candidate and reference, `[d, d]`.
    cross: Array2<f64>,
    /// Cross-covariance of two references of one image, `[d, d]`; zeros where no image has two.
    between: Array2<f64>,
    /// Ordered pairs of references of one image.
    pairs_between: f64,
}

impl Dependence {
    fn within_images(transport: &Transport, pairs: &Pairs) -> Self {
        let (first, second) = (&transport.first, &transport.second);
        let candidates = crate::moments::centred(pairs.candidates, first.mean.view(), None);
        let mut sums = Array2::<f64>::zeros(candidates.dim());
        let mut counts = vec![0.0; sums.nrows()];
        for (&image, row) in pairs.image_of.iter().zip(pairs.references.outer_iter()) {
            counts[image] += 1.0;
            ndarray::Zip::from(sums.row_mut(image))
                .and(&row)
                .and(&second.mean)
                .for_each(|sum, &x, &mean| *sum += f64::from(x) - mean);
        }
        let (n, m) = (first.n as f64, second.n as f64);
        let cross = product(candidates.t(), sums.view()) / (m * (n - 1.0) / n);
        let pairs_between: f64 = counts.iter().map(|k| k * (k - 1.0)).sum();
        let between = if pairs_between > 0.0 {
            let own = &second.covariance * (m - 1.0);
            (product(sums.t(), sums.view()) - own) / pairs_between
        } else {
            Array2::zeros(second.covariance.dim())
        };
        Self {
            cross,
            between,
            pairs_between,
        }
    }
}

fn second_order(transport: &Transport, dependence: Option<Dependence>) -> Bias {
    let (first, second, s) = (&transport.first, &transport.second, &transport.spectrum);
    let (n, m) = (first.n as f64, second.n as f64);
    // Covariance of the error of μ₁ − μ₂, and variances of the entries of E.
    let mut mean_error = &first.covariance / n + &second.covariance / m;
    let mut variance = outer(s) * (1.0 / (n - 1.0) + 1.0 / (m - 1.0));
    variance.diag_mut().mapv_inplace(|v| 2.0 * v);
    let (independent, _) = excess(&variance, s);
    if let Some(Dependence {
        cross,
        between,
        pairs_between,
    }) = dependence
    {
        // The images are the sample: with references in clusters their number sets the degrees of freedom.
        let loss = n / (n - 1.0);
        variance *= (1.0 / (n - 1.0) + loss / m) / (1.0 / (n - 1.0) + 1.0 / (m - 1.0));
        let repeated = pairs_between / (m * m);
        mean_error.scaled_add(repeated, &between);
        mean_error.scaled_add(-1.0 / n, &cross);
        mean_error.scaled_add(-1.0 / n, &cross.t());
        if pairs_between > 0.0 {
            let moved = product(second.map.view(), between.view());
            let moved = product(moved.view(), second.map.t());
            variance.scaled_add(repeated * loss, &products(&moved));
        }
        let moved = product(first.map.view(), cross.view());
        let moved = product(moved.view(), second.map.t());
        variance.scaled_add(-2.0 / (n - 1.0), &products(&moved));
    }
    let of_means = mean_error.diag().sum().max(0.0);
    let (of_covariances, spread) = excess(&variance, s);
    let fidelity = large_dimension::fidelity(&s.to_vec(), [n - 1.0, m - 1.0]);
    // The limit of many dimensions leaves out that the variances on the diagonal count twice.
    let diagonal = 0.25 * (1.0 / (n - 1.0) + 1.0 / (m - 1.0));
    let all_orders = 2.0 * (fidelity - s.sum()) + diagonal * s.sum();
    // What captions of one image share changes the first order by this factor, and, so we take it, the others too.
    let sharing = if independent > 0.0 {
        of_covariances / independent
    } else {
        0.0
    };
    let bias = of_means + sharing * all_orders;
    Bias {
        bias,
        first_order: of_means + of_covariances,
        of_means,
        corrected: transport.distance().value - bias,
        second_order_se: (2.0 * mean_error.iter().map(|v| v * v).sum::<f64>() + spread).sqrt(),
    }
}

/// Mean and variance of ½ Σᵢⱼ Eᵢⱼ²/(sᵢ + sⱼ) for a symmetric E of normal entries with these variances.
fn excess(variance: &Array2<f64>, s: &Array1<f64>) -> (f64, f64) {
    variance
        .indexed_iter()
        .fold((0.0, 0.0), |(mean, spread), ((i, j), &v)| {
            let term = v.max(0.0) / (s[i] + s[j]);
            let share = if i == j { 0.5 } else { 1.0 };
            (mean + 0.5 * term, spread + share * term * term)
        })
}

fn outer(a: &Array1<f64>) -> Array2<f64> {
    a.view()
        .insert_axis(Axis(1))
        .dot(&a.view().insert_axis(Axis(0)))
}

/// Covariances of xᵢxⱼ with yᵢyⱼ for normal x and y of this cross-covariance.
fn products(cross: &Array2<f64>) -> Array2<f64> {
    outer(&cross.diag().to_owned()) + cross * &cross.t()
}

/// A sample too small for its distance: what the bias is, and what size would do.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "bias from {images} captions is {}, {} of the corrected distance {}: {}",
    plain(*bias), percent(*share), plain(*corrected), advice(*needed)
)]
pub struct SampleSizeWarning {
    /// Size of the smaller sample.
    pub images: usize,
    /// The bias at this size.
    pub bias: f64,
    /// The distance without it.
    pub corrected: f64,
    /// Bias over corrected distance; `None` where nothing is left of the distance.
    pub share: Option<f64>,
    /// Size of the smaller sample, the other growing in proportion, at which the bias is a tenth of the corrected
    /// distance; `None` where nothing is left of it.
    pub needed: Option<u64>,
}

/// Three significant digits, without an exponent as far as a reader can count zeros.
fn plain(number: f64) -> String {
    let exponent = number.abs().log10().floor();
    let decimals = if exponent.is_finite() {
        2.0 - exponent
    } else {
        2.0
    };
    format!("{number:.*}", decimals.clamp(0.0, 7.0) as usize)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(
        || "more than all".to_owned(),
        |share| format!("{:.0}%", 100.0 * share),
    )
}

fn advice(needed: Option<u64>) -> String {
    match needed {
        Some(needed) => format!("{needed} captions would bring it to 10%"),
        None => "these systems cannot be told apart from equal ones".to_owned(),
    }
}

/// Warns where the bias exceeds a tenth of the corrected distance; `images` is the size of the smaller sample.
pub fn sample_size_advice(bias: &Bias, images: usize) -> Option<SampleSizeWarning> {
    let Bias {
        bias, corrected, ..
    } = *bias;
    let share = (corrected > 0.0).then(|| bias / corrected);
    if share.is_some_and(|share| share <= TOLERATED_SHARE) {
        return None;
    }
    let needed = share.map(|share| (images as f64 * share / TOLERATED_SHARE).ceil() as u64);
    Some(SampleSizeWarning {
        images,
        bias,
        corrected,
        share,
        needed,
    })
}
