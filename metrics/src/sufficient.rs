//! Sufficient statistics: what to keep of every image so that a metric can be recomputed for any choice of images.
//!
//! A mean keeps its value per image. BLEU, METEOR and the like keep a row of additive statistics (matched n-grams, possible
//! n-grams, lengths) and the function from the sum of rows to the metric, as sacrebleu does. Slices, the jackknife, the bootstrap
//! and the exchange test of [`compare`](crate::compare) ask nothing else of a metric.

use std::sync::Arc;

use rayon::prelude::*;

use crate::estimate::{Estimate, Unavailable};

/// One row of additive statistics per image, and the metric as a function of their sum.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// `columns[k][i]` is statistic `k` of image `i`; there is at least one column.
    columns: Arc<[Vec<f64>]>,
    /// From the sums of the columns to the metric; `None` for the mean of the only column.
    pooled: Option<fn(&[f64]) -> f64>,
}

impl PartialEq for Statistics {
    /// Equal numbers of the same kind; functions have no equality to speak of.
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns && self.is_mean() == other.is_mean()
    }
}

impl Statistics {
    /// The mean of one value per image.
    pub fn mean(per_image: Vec<f64>) -> Self {
        Self { columns: [per_image].into(), pooled: None }
    }

    /// A function of the sums over images of `N` numbers each.
    pub fn pooled<const N: usize>(rows: &[[f64; N]], value: fn(&[f64]) -> f64) -> Self {
        let [statistics] = Self::pooled_by(rows, [value]);
        statistics
    }

    /// Several functions of the same sums.
    pub fn pooled_by<const N: usize, const M: usize>(
        rows: &[[f64; N]],
        values: [fn(&[f64]) -> f64; M],
    ) -> [Self; M] {
        let column = |k: usize| rows.iter().map(|row| row[k]).collect();
        let columns: Arc<[Vec<f64>]> = (0..N).map(column).collect();
        values.map(|value| Self { columns: columns.clone(), pooled: Some(value) })
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.columns[0].len()
    }

    /// Whether the metric is the mean of one value per image.
    pub fn is_mean(&self) -> bool {
        self.pooled.is_none()
    }

    /// The metric on all images.
    pub fn value(&self) -> f64 {
        self.of_sums(&self.sums(), self.images() as f64)
    }

    /// The metric on each image alone; NaN where it has none.
    pub fn per_image(&self) -> Vec<f64> {
        (0..self.images())
            .into_par_iter()
            .map(|image| self.of_sums(&self.row(image), 1.0))
            .collect()
    }

    /// The metric on these images only; an image given twice counts twice, as in a bootstrap. `None` for no image.
    ///
    /// # Panics
    /// If an index is not below [`Statistics::images`].
    pub fn over(&self, images: &[usize]) -> Option<f64> {
        (!images.is_empty()).then(|| self.subset(images).value())
    }

    /// The statistics of these images only.
    ///
    /// # Panics
    /// As [`Statistics::over`].
    pub fn subset(&self, images: &[usize]) -> Self {
        let pick = |column: &Vec<f64>| images.iter().map(|&image| column[image]).collect();
        Self { columns: self.columns.iter().map(pick).collect(), pooled: self.pooled }
    }

    /// The statistics of whole clusters: those of their images added up, so that what resamples takes clusters. `cluster_of[image]`
    /// counts from 0. A mean becomes the ratio of two sums.
    ///
    /// # Panics
    /// If there are fewer entries than [`Statistics::images`].
    pub fn by_cluster(&self, cluster_of: &[usize]) -> Self {
        let added = |column: &[f64]| sums(column, cluster_of);
        let mut columns: Vec<Vec<f64>> = self.columns.iter().map(|column| added(column)).collect();
        let pooled = self.pooled.unwrap_or_else(|| {
            columns.push(added(&vec![1.0; self.images()]));
            |sums| sums[0] / sums[1]
        });
        Self { columns: columns.into(), pooled: Some(pooled) }
    }

    /// The metric with the jackknife's standard error over units, which hold rows that were drawn together, and Student's interval; units with
    /// nothing to say are none. `unit_of[image]` counts from 0.
    ///
    /// # Errors
    /// Fewer than two units.
    pub fn estimate(&self, unit_of: &[usize]) -> Result<Estimate, Unavailable> {
        let units = self.by_cluster(unit_of);
        let says = |unit: &usize| units.columns.iter().any(|column| column[*unit] != 0.0);
        let units = units.subset(&(0..units.images()).filter(says).collect::<Vec<_>>());
        let n = units.images();
        match units.standard_error() {
            Some(se) => Ok(Estimate::student(self.value(), se, n - 1)),
            None => Err(Unavailable::TooFew { n, needed: 2 }),
        }
    }

    /// The same statistics as those of `images` among `total` images, of which the others have nothing to say.
    pub(crate) fn among(&self, images: &[usize], total: usize) -> Self {
        let spread = |column: &Vec<f64>| {
            let mut all = vec![0.0; total];
            images.iter().zip(column).for_each(|(&i, v)| all[i] = *v);
            all
        };
        Self { columns: self.columns.iter().map(spread).collect(), pooled: self.pooled }
    }

    /// The metric without each image.
    pub(crate) fn leave_one_out(&self) -> Vec<f64> {
        let (sums, rest) = (self.sums(), self.images() as f64 - 1.0);
        (0..self.images())
            .into_par_iter()
            .map(|image| {
                let row = self.row(image);
                let without: Vec<f64> = sums.iter().zip(row).map(|(sum, own)| sum - own).collect();
                self.of_sums(&without, rest)
            })
            .collect()
    }

    /// Delete-one-image jackknife standard error (Efron & Stein 1981); for a mean the usual s / √n. `None` with fewer than
    /// two images.
    pub fn standard_error(&self) -> Option<f64> {
        let n = self.images() as f64;
        if self.images() < 2 {
            return None;
        }
        let without = self.leave_one_out();
        let mean = without.iter().sum::<f64>() / n;
        let squares: f64 = without.iter().map(|value| (value - mean).powi(2)).sum();
        Some((squares * (n - 1.0) / n).sqrt())
    }

    pub(crate) fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// The metric from sums over `images` images.
    pub(crate) fn of_sums(&self, sums: &[f64], images: f64) -> f64 {
        match self.pooled {
            Some(value) => value(sums),
            None => sums[0] / images,
        }
    }

    pub(crate) fn sums(&self) -> Vec<f64> {
        self.columns.iter().map(|column| column.iter().sum()).collect()
    }

    fn row(&self, image: usize) -> Vec<f64> {
        self.columns.iter().map(|column| column[image]).collect()
    }
}

/// The sum of the values of each cluster, counted from 0.
pub(crate) fn sums(values: &[f64], cluster_of: &[usize]) -> Vec<f64> {
    let mut sums = vec![0.0; cluster_of.iter().max().map_or(0, |last| last + 1)];
    values.iter().zip(cluster_of).for_each(|(value, &cluster)| sums[cluster] += value);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jackknife_of_a_mean_is_the_textbook_standard_error() {
        let statistics = Statistics::mean(vec![1.0, 2.0, 4.0, 8.0]);
        assert_eq!(statistics.value(), 3.75);
        let variance =
            [1.0, 2.0, 4.0, 8.0].map(|v: f64| (v - 3.75).powi(2)).iter().sum::<f64>() / 3.0;
        let se = statistics.standard_error().expect("four images");
        assert!((se - (variance / 4.0).sqrt()).abs() < 1e-12);
        assert_eq!(Statistics::mean(vec![0.5]).standard_error(), None);
    }

    #[test]
    fn clusters_are_sums_of_their_images() {
        let mean = Statistics::mean(vec![1.0, 2.0, 4.0, 8.0]);
        let clusters = mean.by_cluster(&[0, 1, 0, 1]);
        assert_eq!((clusters.images(), clusters.value()), (2, 3.75));
        assert_eq!(clusters.per_image(), [2.5, 5.0]);
        // Two clusters of means 2.5 and 5 are two observations.
        assert!((clusters.standard_error().unwrap() - 1.25).abs() < 1e-12);
        // A cluster for each image changes nothing.
        let alone = mean.by_cluster(&[0, 1, 2, 3]).standard_error().unwrap();
        assert!((alone - mean.standard_error().unwrap()).abs() < 1e-12);
    }

    #[test]
    fn images_are_counted_as_often_as_they_are_given() {
        let share = Statistics::pooled(&[[0.0, 1.0], [2.0, 3.0]], |sums| sums[0] / sums[1]);
        assert_eq!(share.over(&[0, 1, 1]), Some(4.0 / 7.0));
        assert_eq!(share.over(&[]), None);
        assert_eq!(share.per_image(), [0.0, 2.0 / 3.0]);
        let among = share.among(&[3, 1], 4);
        assert_eq!(among.value(), share.value());
        assert!(among.per_image()[0].is_nan() && among.per_image()[3] == 0.0);
    }
}
