//! FGD∞: the set distance extrapolated to infinitely many captions, with no assumption about their distribution.
//!
//! The mean of FGD over samples of N is nearly FGD∞ + c/N, so a straight line through distances of subsamples against 1/N meets the axis at FGD∞
//! (Chong & Forsyth 2020, "Effectively unbiased FID and Inception Score", arXiv:1911.07023). Subsamples are
//! drawn without replacement: repeated rows would add a bias of their own. Where several fit into the sample side by
//! side, their mean is the point, which halves the scatter for the price of a few small decompositions.

use ndarray::{ArrayView2, Axis};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::MetricError;
use crate::frechet::fgd_set;
use crate::units::{Presence, Units};

/// The smallest subsample is this part of the whole at least; below, the line bends.
const LARGEST_SPAN: f64 = 4.0;
/// Subsamples keep this many rows per dimension where the sample allows, for the same reason.
const ROWS_PER_DIMENSION: f64 = 2.0;
/// The line needs some length: the smallest subsample is never more than this part of the whole.
const SMALLEST_SPAN: f64 = 2.0;

/// The line through the distances of subsamples.
#[derive(Debug, Clone, PartialEq)]
pub struct Infinity {
    /// FGD∞. May be slightly negative for equal populations, as an unbiased number must.
    pub intercept: f64,
    /// What the bias is, times N.
    pub slope: f64,
    /// Share of the variance of the distances that the line explains.
    pub r2: f64,
    /// The subsamples, largest first; the first is the whole sample.
    pub points: Vec<Point>,
}

/// The distance at one size of subsamples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Rows drawn from the first set; the second set is drawn in the same proportion.
    pub n: usize,
    /// Number of disjoint subsamples of this size that the value is the mean of: as many as there is room for.
    pub subsamples: usize,
    /// Their set distance.
    pub value: f64,
}

/// Extrapolates `fgd_set` of `a` `[n, d]` and `b` `[m, d]` over `points` sample sizes, evenly spaced in 1/N.
///
/// Units are drawn whole, with all of their captions. The result depends on `seed` and not on
/// the number of threads.
///
/// # Errors
/// Fewer than 3 points, fewer than 8 units in either set, and as [`fgd_set`].
pub fn fgd_infinity(
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    units: &Units,
    seed: u64,
    points: usize,
) -> Result<Infinity, MetricError> {
    if points < 3 {
        let message =
            format!("a line through more points than it fits needs 3 at least, not {points}");
        return Err(MetricError::InvalidSetting(message));
    }
    let smaller = units.on(0).min(units.on(1));
    if smaller < 8 {
        let what = "images to draw subsamples from";
        return Err(MetricError::TooFew { what, n: smaller, needed: 8 });
    }
    let span = (smaller as f64 / (ROWS_PER_DIMENSION * a.ncols().max(1) as f64))
        .clamp(SMALLEST_SPAN, LARGEST_SPAN);
    let line: Vec<Point> = (0..points)
        .into_par_iter()
        .map(|i| {
            let inverse = 1.0 + (span - 1.0) * i as f64 / (points - 1) as f64;
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(i as u64);
            subsample_distance(a, b, units, 1.0 / inverse, &mut rng)
        })
        .collect::<Result<_, _>>()?;
    Ok(fit(line))
}

/// Mean distance over as many disjoint subsamples of this fraction as the sample holds.
fn subsample_distance(
    a: ArrayView2<f32>,
    b: ArrayView2<f32>,
    units: &Units,
    fraction: f64,
    rng: &mut ChaCha8Rng,
) -> Result<Point, MetricError> {
    let subsamples = (1.0 / fraction) as usize;
    let mut drawn: Vec<Vec<usize>> = vec![Vec::new(); subsamples];
    for presence in Presence::ALL {
        let members: Vec<usize> = units.with(presence).collect();
        let order = index::sample(rng, members.len(), members.len()).into_vec();
        let size = (members.len() as f64 * fraction).floor() as usize;
        for (drawn, part) in drawn.iter_mut().zip(order.chunks(size.max(1))) {
            drawn.extend(part.iter().take(size).map(|&at| members[at]));
        }
    }
    let rows = |side: usize, drawn: &[usize]| {
        let mut rows: Vec<usize> =
            drawn.iter().flat_map(|&unit| units.rows(side, unit).iter().copied()).collect();
        rows.sort_unstable();
        rows
    };
    let distances: Vec<f64> = (drawn.par_iter())
        .map(|drawn| {
            let (a, b) = (a.select(Axis(0), &rows(0, drawn)), b.select(Axis(0), &rows(1, drawn)));
            Ok(fgd_set(a.view(), b.view())?.value)
        })
        .collect::<Result<_, MetricError>>()?;
    let value = distances.iter().sum::<f64>() / subsamples as f64;
    Ok(Point { n: rows(0, &drawn[0]).len(), subsamples, value })
}

/// Least squares of value on 1/n.
fn fit(points: Vec<Point>) -> Infinity {
    let count = points.len() as f64;
    let inverse = |point: &Point| 1.0 / point.n as f64;
    let mean_x = points.iter().map(inverse).sum::<f64>() / count;
    let mean_y = points.iter().map(|p| p.value).sum::<f64>() / count;
    let mut sums = (0.0, 0.0, 0.0);
    for point in &points {
        let (x, y) = (inverse(point) - mean_x, point.value - mean_y);
        sums = (sums.0 + x * x, sums.1 + x * y, sums.2 + y * y);
    }
    let (xx, xy, yy) = sums;
    let slope = xy / xx;
    let left = (yy - slope * xy).max(0.0);
    // Distances that are all equal leave nothing to explain, and the line explains it.
    let r2 = if yy > 0.0 { 1.0 - left / yy } else { 1.0 };
    Infinity { intercept: mean_y - slope * mean_x, slope, r2, points }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found() {
        let point = |n: usize, value| Point { n, subsamples: 1, value };
        let line = fit(vec![point(100, 0.05), point(50, 0.06), point(25, 0.08)]);
        assert!((line.intercept - 0.04).abs() < 1e-15);
        assert!((line.slope - 1.0).abs() < 1e-12);
        assert!((line.r2 - 1.0).abs() < 1e-12);
        // x = .01, .02, .04 against numpy.polyfit(x, y, 1)
        let line = fit(vec![point(100, 0.05), point(50, 0.07), point(25, 0.08)]);
        assert!((line.intercept - 0.045).abs() < 1e-12, "{}", line.intercept);
        assert!((line.slope - 0.928_571_428_571_428_7).abs() < 1e-9, "{}", line.slope);
    }

    #[test]
    fn too_little_is_an_error() {
        let rows = ndarray::Array2::<f32>::ones((7, 2));
        let units = Units::independent(7, 7);
        let few = fgd_infinity(rows.view(), rows.view(), &units, 1, 9);
        assert!(matches!(few, Err(MetricError::TooFew { n: 7, needed: 8, .. })));
        let two = fgd_infinity(rows.view(), rows.view(), &units, 1, 2);
        assert!(matches!(two, Err(MetricError::InvalidSetting(_))));
    }
}
