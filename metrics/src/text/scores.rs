//! A corpus value, its standard error and the value of each caption, all from one table of additive statistics.
//!
//! Every metric of [`super`] is a function of sums over captions: BLEU and METEOR of summed counts, the others of a
//! summed score and the number of captions. Keeping the summands makes slices and the bootstrap exact and cheap:
//! [`Scores::over`] recomputes the metric for any choice of captions, repeated ones included.

use rayon::prelude::*;

use crate::estimate::{Estimate, Unavailable};

/// One metric over one corpus.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The value of the whole corpus.
    pub corpus: f64,
    /// Delete-one-caption jackknife standard error of `corpus` (Efron & Stein 1981); for a mean it is the usual
    /// s / √n. `None` with fewer than two captions. The references are taken as given: for CIDEr the document
    /// frequencies stay fixed.
    pub se: Option<f64>,
    /// The value of each caption on its own, in the order of the corpus.
    pub per_caption: Vec<f64>,
    table: Table,
}

/// One row of additive statistics per caption and the function from their sum to the metric.
#[derive(Debug, Clone)]
struct Table {
    width: usize,
    rows: Vec<f64>,
    value: fn(&[f64]) -> f64,
}

impl Scores {
    /// From one row of statistics per caption; `value` maps the column sums over any captions to the metric.
    /// There must be at least one row.
    pub(super) fn pooled<const N: usize>(rows: &[[f64; N]], value: fn(&[f64]) -> f64) -> Self {
        let table = Table {
            width: N,
            rows: rows.as_flattened().to_vec(),
            value,
        };
        let total = table.sum(0..rows.len());
        Self {
            corpus: value(&total),
            se: table.jackknife(&total),
            per_caption: rows.par_iter().map(|row| value(row)).collect(),
            table,
        }
    }

    /// The metric whose corpus value is the mean of its per-caption values.
    pub(super) fn mean(per_caption: Vec<f64>) -> Self {
        let rows: Vec<[f64; 2]> = per_caption.iter().map(|&score| [score, 1.0]).collect();
        let mut scores = Self::pooled(&rows, |sums| sums[0] / sums[1]);
        scores.per_caption = per_caption;
        scores
    }

    /// The corpus value with its standard error and 95% interval, which is cut at 0.
    ///
    /// # Errors
    /// With fewer than two captions, which show no spread.
    pub fn estimate(&self) -> Result<Estimate, Unavailable> {
        match self.se {
            Some(se) => Ok(Estimate::non_negative(self.corpus, se)),
            None => Err(Unavailable::TooFew {
                n: self.per_caption.len(),
                needed: 2,
            }),
        }
    }

    /// The corpus value if the corpus consisted of these captions only (indices into `per_caption`; an index given
    /// twice counts twice, as in a bootstrap). `None` for no caption.
    ///
    /// # Panics
    /// If an index is not below the number of captions.
    pub fn over(&self, captions: &[usize]) -> Option<f64> {
        if captions.is_empty() {
            return None;
        }
        Some((self.table.value)(
            &self.table.sum(captions.iter().copied()),
        ))
    }
}

impl Table {
    fn sum(&self, captions: impl IntoIterator<Item = usize>) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for caption in captions {
            let row = &self.rows[caption * self.width..][..self.width];
            sums.iter_mut()
                .zip(row)
                .for_each(|(sum, cell)| *sum += cell);
        }
        sums
    }

    fn jackknife(&self, total: &[f64]) -> Option<f64> {
        let n = self.rows.len() / self.width;
        if n < 2 {
            return None;
        }
        let without: Vec<f64> = self
            .rows
            .par_chunks_exact(self.width)
            .map(|row| {
                let rest: Vec<f64> = total
                    .iter()
                    .zip(row)
                    .map(|(sum, cell)| sum - cell)
                    .collect();
                (self.value)(&rest)
            })
            .collect();
        let n = n as f64;
        let mean = without.iter().sum::<f64>() / n;
        let squares: f64 = without.iter().map(|value| (value - mean).powi(2)).sum();
        Some((squares * (n - 1.0) / n).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jackknife_of_a_mean_is_the_textbook_standard_error() {
        let values = vec![1.0, 2.0, 4.0, 8.0];
        let scores = Scores::mean(values.clone());
        assert_eq!(scores.corpus, 3.75);
        let variance = values.iter().map(|v| (v - 3.75_f64).powi(2)).sum::<f64>() / 3.0;
        let se = scores.se.expect("four captions");
        assert!((se - (variance / 4.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn one_caption_has_no_standard_error() {
        let scores = Scores::mean(vec![0.5]);
        assert_eq!(scores.se, None);
        assert_eq!(
            scores.estimate(),
            Err(Unavailable::TooFew { n: 1, needed: 2 })
        );
    }

    #[test]
    fn over_counts_repeated_captions() {
        let scores = Scores::mean(vec![0.0, 3.0]);
        assert_eq!(scores.over(&[0, 1, 1]), Some(2.0));
        assert_eq!(scores.over(&[]), None);
    }
}
