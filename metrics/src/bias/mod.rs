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
//! bears out: `examples/coverage.rs` with unit vectors in 384 dimensions and N = 1,000 (1,000 draws) corrected a distance of
//! .0937, on the average, from .1400 to .0939 (paired) and from .1704 to .0937 (independent); one of .0090 from .0592 to .0091
//! and from .0935 to .0089. The first order alone left .1011, .1059, .0173 and .0226.

mod large_dimension;

use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::MetricError;
use crate::estimate::Unavailable;
use crate::linalg::product;
use crate::moments::centred;
use crate::paired::Pairs;
use crate::transport::{Sampling, Transport};

/// A bias above this share of the corrected value makes the raw value a poor number to report.
const TOLERATED_SHARE: f64 = 0.1;

/// Parts of the images that are summed on their own.
const PARTS: usize = 16;
/// Images whose captions are multiplied at once: they stay in the second-level cache.
const BLOCK_IMAGES: usize = 128;

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
/// The inner error is that a sample is no larger than the dimension, where the formula does not hold.
///
/// # Errors
/// Pairs that are inconsistent, or a decomposition that fails.
pub fn analytic_bias(
    transport: &Transport,
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    sampling: Sampling,
) -> Result<Result<Bias, Unavailable>, MetricError> {
    let dependence = match sampling {
        Sampling::Independent => None,
        Sampling::Paired { image_of } => {
            let pairs = Pairs { candidates: a, references: b, image_of };
            let counts = pairs.references_per_image()?;
            Some(Dependence::within_images(transport, &pairs, &counts))
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
    fn within_images(transport: &Transport, pairs: &Pairs, counts: &[usize]) -> Self {
        let (first, second) = (&transport.first, &transport.second);
        let (n, m) = (first.n as f64, second.n as f64);
        let pairs_between: f64 = counts.iter().map(|&k| (k * (k - 1)) as f64).sum();
        let sums = Sums::of(pairs, counts, [first.mean.view(), second.mean.view()]);
        let between = if pairs_between > 0.0 {
            let own = &second.covariance * (m - 1.0);
            (sums.references - own) / pairs_between
        } else {
            Array2::zeros(second.covariance.dim())
        };
        Self { cross: sums.cross / (m * (n - 1.0) / n), between, pairs_between }
    }
}

/// Sums over images of products of the candidate, and of the sum of its references, both less their means.
struct Sums {
    /// Candidate with references, `[d, d]`.
    cross: Array2<f64>,
    /// References with themselves, `[d, d]`; zeros where no image has two.
    references: Array2<f64>,
}

impl Sums {
    /// In parallel over parts whose number is fixed, so that sums do not depend on the number of threads.
    fn of(pairs: &Pairs, counts: &[usize], means: [ArrayView1<f64>; 2]) -> Self {
        let rows_of = rows_by_image(pairs.image_of, counts);
        let repeated = counts.iter().any(|&count| count > 1);
        let d = pairs.candidates.ncols();
        let zeros = || Self { cross: Array2::zeros((d, d)), references: Array2::zeros((d, d)) };
        let images = counts.len();
        let part = images.div_ceil(PARTS).max(1);
        let parts: Vec<Self> = (0..images)
            .step_by(part)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|from| {
                let mut sums = zeros();
                let end = images.min(from + part);
                for from in (from..end).step_by(BLOCK_IMAGES) {
                    let block = from..end.min(from + BLOCK_IMAGES);
                    let own = pairs.candidates.slice(s![block.clone(), ..]);
                    let own = centred(own, means[0], None);
                    let mut of_image = Array2::<f64>::zeros(own.dim());
                    for (mut sum, rows) in of_image.outer_iter_mut().zip(&rows_of[block]) {
                        for &row in rows {
                            ndarray::Zip::from(&mut sum)
                                .and(pairs.references.row(row))
                                .and(&means[1])
                                .for_each(|sum, &x, &mean| *sum += f64::from(x) - mean);
                        }
                    }
                    general_mat_mul(1.0, &own.t(), &of_image, 1.0, &mut sums.cross);
                    if repeated {
                        let references = &mut sums.references;
                        general_mat_mul(1.0, &of_image.t(), &of_image, 1.0, references);
                    }
                }
                sums
            })
            .collect();
        parts.iter().fold(zeros(), |mut all, part| {
            all.cross += &part.cross;
            all.references += &part.references;
            all
        })
    }
}

/// The rows of each image's references.
fn rows_by_image(image_of: &[usize], counts: &[usize]) -> Vec<Vec<usize>> {
    let mut rows: Vec<Vec<usize>> = counts.iter().map(|&k| Vec::with_capacity(k)).collect();
    for (row, &image) in image_of.iter().enumerate() {
        rows[image].push(row);
    }
    rows
}

fn second_order(transport: &Transport, dependence: Option<Dependence>) -> Bias {
    let (first, second, s) = (&transport.first, &transport.second, &transport.spectrum);
    let (n, m) = (first.n as f64, second.n as f64);
    // Covariance of the error of μ₁ − μ₂, and variances of the entries of E.
    let mut mean_error = &first.covariance / n + &second.covariance / m;
    let mut variance = outer(s) * (1.0 / (n - 1.0) + 1.0 / (m - 1.0));
    variance.diag_mut().mapv_inplace(|v| 2.0 * v);
    let (independent, _) = excess(&variance, s);
    if let Some(Dependence { cross, between, pairs_between }) = dependence {
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
    let sharing = if independent > 0.0 { of_covariances / independent } else { 0.0 };
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
    variance.indexed_iter().fold((0.0, 0.0), |(mean, spread), ((i, j), &v)| {
        let term = v.max(0.0) / (s[i] + s[j]);
        let share = if i == j { 0.5 } else { 1.0 };
        (mean + 0.5 * term, spread + share * term * term)
    })
}

fn outer(a: &Array1<f64>) -> Array2<f64> {
    a.view().insert_axis(Axis(1)).dot(&a.view().insert_axis(Axis(0)))
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
    let decimals = if exponent.is_finite() { 2.0 - exponent } else { 2.0 };
    format!("{number:.*}", decimals.clamp(0.0, 7.0) as usize)
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "more than all".to_owned(), |share| format!("{:.0}%", 100.0 * share))
}

fn advice(needed: Option<u64>) -> String {
    match needed {
        Some(needed) => format!("{needed} captions would bring it to 10%"),
        None => "these systems cannot be told apart from equal ones".to_owned(),
    }
}

/// Warns where the bias exceeds a tenth of the corrected distance; `images` is the size of the smaller sample.
pub fn sample_size_advice(bias: &Bias, images: usize) -> Option<SampleSizeWarning> {
    let Bias { bias, corrected, .. } = *bias;
    let share = (corrected > 0.0).then(|| bias / corrected);
    if share.is_some_and(|share| share <= TOLERATED_SHARE) {
        return None;
    }
    let needed = share.map(|share| (images as f64 * share / TOLERATED_SHARE).ceil() as u64);
    Some(SampleSizeWarning { images, bias, corrected, share, needed })
}
