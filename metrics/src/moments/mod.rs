//! Count, mean and co-moment of a set of embeddings: all that the set distance needs of it.
//!
//! Moments are computed in one pass over any stream of rows, in memory that does not grow with the stream ([`Stream`]),
//! and two of them merge into the moments of the union, so shards can be computed anywhere. Rows are summed in `f64`
//! less the mean of their first block, which is taken out again at the end (the "shifted data" of Chan, Golub & LeVeque
//! 1983, "Algorithms for computing the sample variance"): a few rows so go through a two-pass sum. What is merged goes
//! by the update of Chan, Golub & LeVeque (1979), "Updating formulae and a pairwise algorithm for
//! computing sample variances": with δ = μ_b − μ_a, μ = μ_a + δ n_b/n and M = M_a + M_b + δδᵀ n_a n_b/n. Blocks have a
//! fixed size and are added in order, so the result is the same to the bit whatever the number of threads. Where it must be the
//! same whatever the shards too, [`ExactSums`] are summed instead.

mod comoment;
mod exact;
mod rank_k;
mod stream;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use crate::MetricError;
pub(crate) use comoment::{centred, column_means, comoment_about, weighted_mean, weighted_moments};
pub use exact::ExactSums;
pub(crate) use exact::{Pair, units};
pub(crate) use rank_k::Products;
pub use stream::Stream;
use stream::{Shifted, blocks_of};

/// Rows per block: many, so that merging costs little beside the products; few, so that threads share small sets.
pub const BLOCK_ROWS: usize = 2048;
/// Blocks in flight at once; bounds the memory of a large push.
const BLOCKS_PER_ROUND: usize = 16;

/// A component of an embedding: `f32` or `f64`.
pub trait Embedded: Copy + Into<f64> + Send + Sync {}

impl<T: Copy + Into<f64> + Send + Sync> Embedded for T {}

/// Count, mean `[d]` and co-moment `[d, d]` (the sum of centred outer products) of a set of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    n: u64,
    mean: Array1<f64>,
    comoment: Array2<f64>,
}

impl Moments {
    /// Moments of the empty set in `d` dimensions.
    pub fn new(d: usize) -> Self {
        Self { n: 0, mean: Array1::zeros(d), comoment: Array2::zeros((d, d)) }
    }

    /// Moments of the rows of a matrix `[n, d]`.
    pub fn from_rows<T: Embedded>(rows: ArrayView2<T>) -> Self {
        let mut moments = Self::new(rows.ncols());
        moments.extend(rows);
        moments
    }

    /// Moments known from elsewhere: a count, a mean `[d]` and a covariance `[d, d]` with the given `ddof`
    /// (1 in the `.npz` files of pytorch-fid).
    ///
    /// # Errors
    /// Shapes that differ, a value that is not finite, a matrix that is not symmetric or has a negative variance, or `n ≤ ddof`.
    pub fn from_mean_covariance(
        n: u64,
        mean: Array1<f64>,
        covariance: Array2<f64>,
        ddof: u8,
    ) -> Result<Self, MetricError> {
        let d = mean.len();
        if covariance.dim() != (d, d) {
            let (rows, columns) = covariance.dim();
            return Err(MetricError::NotACovariance(format!(
                "{rows}×{columns} values for a mean of {d}"
            )));
        }
        let degrees = degrees_of_freedom(n, ddof)?;
        if mean.iter().chain(&covariance).any(|v| !v.is_finite()) {
            return Err(MetricError::NotFinite { what: "moments" });
        }
        let scale = covariance.diag().iter().fold(0.0, |max: f64, v| max.max(v.abs()));
        let asymmetry =
            (&covariance - &covariance.t()).iter().fold(0.0, |max: f64, v| max.max(v.abs()));
        if asymmetry > 1e-6 * scale {
            return Err(MetricError::NotACovariance(format!(
                "it differs from its transpose by {asymmetry:.3e}"
            )));
        }
        // A negative eigenvalue beyond rounding is found when a distance needs the factor; a negative variance shows here.
        let negative = covariance.diag().iter().position(|variance| *variance < -1e-6 * scale);
        if let Some(at) = negative {
            return Err(MetricError::NotACovariance(format!(
                "the variance of dimension {} is {:.3e}",
                at + 1,
                covariance[[at, at]]
            )));
        }
        let comoment = (&covariance + &covariance.t()) * (0.5 * degrees);
        Ok(Self { n, mean, comoment })
    }

    /// Moments that were summed elsewhere: count, mean and co-moment.
    pub(crate) fn from_sums(n: u64, mean: Array1<f64>, comoment: Array2<f64>) -> Self {
        Self { n, mean, comoment }
    }

    /// Moments that were kept: count, mean `[d]` and co-moment `[d, d]`, to the bit.
    ///
    /// # Errors
    /// Shapes that differ. Values that are not finite show when the moments are used.
    pub fn from_comoment(
        n: u64,
        mean: Array1<f64>,
        comoment: Array2<f64>,
    ) -> Result<Self, MetricError> {
        let d = mean.len();
        match comoment.dim() {
            (rows, columns) if rows == d && columns == d => Ok(Self { n, mean, comoment }),
            (_, columns) => Err(MetricError::DimensionMismatch { left: d, right: columns }),
        }
    }

    /// Adds the rows of a matrix `[n, d]`.
    ///
    /// # Errors
    /// Another dimension. Values that are not finite show when the moments are used.
    pub fn push_rows<T: Embedded>(&mut self, rows: ArrayView2<T>) -> Result<(), MetricError> {
        self.same_dimension(rows.ncols())?;
        self.extend(rows);
        Ok(())
    }

    /// Adds the set that `other` describes. Associative and commutative up to rounding.
    ///
    /// # Errors
    /// Dimensions that differ.
    pub fn merge(&mut self, other: &Moments) -> Result<(), MetricError> {
        self.same_dimension(other.dim())?;
        self.absorb(other);
        Ok(())
    }

    /// Number of rows.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Dimension of the rows.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// Mean of the rows, `[d]`; zeros for the empty set.
    pub fn mean(&self) -> ArrayView1<'_, f64> {
        self.mean.view()
    }

    /// Sum of centred outer products, `[d, d]`, symmetric.
    pub fn comoment(&self) -> ArrayView2<'_, f64> {
        self.comoment.view()
    }

    /// Covariance `[d, d]`: the co-moment over `n − ddof` (0: of the population; 1: unbiased, as `np.cov`).
    ///
    /// # Errors
    /// `n ≤ ddof`, or embeddings that were not finite.
    pub fn covariance(&self, ddof: u8) -> Result<Array2<f64>, MetricError> {
        let degrees = degrees_of_freedom(self.n, ddof)?;
        if self.mean.iter().chain(&self.comoment).any(|v| !v.is_finite()) {
            return Err(MetricError::NotFinite { what: "embeddings" });
        }
        Ok(&self.comoment / degrees)
    }

    fn same_dimension(&self, d: usize) -> Result<(), MetricError> {
        if self.dim() == d {
            Ok(())
        } else {
            Err(MetricError::DimensionMismatch { left: self.dim(), right: d })
        }
    }

    fn extend<T: Embedded>(&mut self, rows: ArrayView2<T>) {
        if rows.nrows() < BLOCK_ROWS {
            let mean = column_means(rows);
            let comoment = comoment_about(rows, mean.view(), None);
            self.absorb(&Self { n: rows.nrows() as u64, mean, comoment });
            return;
        }
        let mut sums = Shifted::about(rows.slice(s![..BLOCK_ROWS, ..]));
        sums.add(&blocks_of(rows));
        self.absorb(&sums.into_moments());
    }

    fn absorb(&mut self, other: &Moments) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            self.clone_from(other);
            return;
        }
        let (a, b) = (self.n as f64, other.n as f64);
        let n = a + b;
        let delta = &other.mean - &self.mean;
        let weight = a * (b / n);
        for ((mut row, other_row), &d) in
            self.comoment.outer_iter_mut().zip(other.comoment.outer_iter()).zip(&delta)
        {
            let scaled = d * weight;
            row.zip_mut_with(&other_row, |m, &o| *m += o);
            row.zip_mut_with(&delta, |m, &e| *m += scaled * e);
        }
        self.mean.scaled_add(b / n, &delta);
        self.n += other.n;
    }
}

fn degrees_of_freedom(n: u64, ddof: u8) -> Result<f64, MetricError> {
    if n > u64::from(ddof) {
        Ok((n - u64::from(ddof)) as f64)
    } else {
        Err(MetricError::TooFew {
            what: "embeddings for a covariance",
            n: n as usize,
            needed: usize::from(ddof) + 1,
        })
    }
}

#[cfg(test)]
mod tests;
