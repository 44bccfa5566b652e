//! Vendi score: the effective number of different captions.
//!
//! The exponential of the entropy of the eigenvalues of the similarity matrix K/n, Kᵢⱼ = cos(xᵢ, xⱼ)
//! (Friedman & Dieng 2023, arXiv:2210.02410): 1 for a captioner that says one thing, n for n orthogonal
//! captions. K/n shares its nonzero eigenvalues with the second moment XᵀX/n, which is d × d whatever n is.
//! It describes one set: print that of the references beside that of the candidates.

use ndarray::{Array1, Array2, ArrayView2, s};
use rayon::prelude::*;

use crate::MetricError;
use crate::estimate::Estimate;
use crate::linalg::{SymmetricEigen, default_solver};
use crate::metric::{Definition, Evaluation, Group, Metric, Value};
use crate::samples::Sample;

/// Rows whose products are summed at a time.
const BLOCK: usize = 512;
/// Eigenvalues below this share of the trace are rounding.
const ROUNDING: f64 = 1e-14;

/// The Vendi score of the candidates, in the table of metrics.
pub(crate) struct Vendi;

impl Metric for Vendi {
    fn group(&self) -> Option<Group> {
        Some(Group::new("vendi", "Effective number of different captions"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[Definition::neither("vendi", "Vendi score (effective captions)")
                .within([1.0, f64::INFINITY])]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let (score, influence) = score(sample.candidates)?;
        let units = sample.units()?;
        let entropy = Estimate::of_clustered_mean(&influence, units.of(0));
        let found = entropy.map(|entropy| of_entropy(score, entropy));
        let found = match found {
            // Two captions have one angle between them, which moves both alike.
            Ok(found) => {
                Value::of_enough(found.with_error(sample.left_to_chance()?), units.on(0), 3)
            }
            Err(few) => Value { reason: Some(few), ..Value::exact(score) },
        };
        Ok(Evaluation::of([found]))
    }
}

/// Effective number of captions in `1..=min(n, d)`, with its delta-method standard error.
///
/// Entropy is a smooth function of the second moment M: caption x moves it by tr(M ln M) − x̂ᵀ(ln M)x̂ to
/// first order. The score of a sample is biased low, the more the fewer captions: compare sets of one size.
///
/// # Errors
/// Fewer than two rows, a component that is not finite, or a row of zeros.
pub fn vendi_score(embeddings: ArrayView2<'_, f32>) -> Result<Estimate, MetricError> {
    let (score, influence) = score(embeddings)?;
    let entropy = Estimate::of_mean(&influence);
    let few = |_| MetricError::TooFew { what: "embeddings", n: influence.len(), needed: 2 };
    Ok(of_entropy(score, entropy.map_err(few)?))
}

/// The score with the error of its entropy, to first order.
fn of_entropy(score: f64, entropy: Estimate) -> Estimate {
    let ci95 = entropy.ci95.map(|bound| score + score * (bound - entropy.value));
    Estimate { value: score, se: score * entropy.se, ci95 }
}

/// The score, and how far each caption moves its logarithm.
fn score(embeddings: ArrayView2<'_, f32>) -> Result<(f64, Vec<f64>), MetricError> {
    let unit = unit_rows(embeddings)?;
    let (n, d) = unit.dim();
    let blocks: Vec<Array2<f64>> = (0..n)
        .step_by(BLOCK)
        .collect::<Vec<_>>()
        .into_par_iter()
        .map(|start| {
            let rows = unit.slice(s![start..n.min(start + BLOCK), ..]);
            rows.t().dot(&rows)
        })
        .collect();
    let mut moment = Array2::zeros((d, d));
    blocks.iter().for_each(|block| moment += block);
    moment /= n as f64;

    let SymmetricEigen { values, vectors } = default_solver().symmetric_eigen(moment.view())?;
    let logs: Array1<f64> = values.mapv(|v| if v > ROUNDING { v.ln() } else { 0.0 });
    let entropy = -(&values * &logs).sum();
    let score = entropy.exp();

    let coordinates = unit.dot(&vectors);
    let influence = (coordinates.outer_iter())
        .map(|row| -row.iter().zip(&logs).map(|(c, log)| c * c * log).sum::<f64>() - entropy);
    Ok((score, influence.collect()))
}

fn unit_rows(embeddings: ArrayView2<'_, f32>) -> Result<Array2<f64>, MetricError> {
    let what = "embeddings";
    let n = embeddings.nrows();
    if n < 2 {
        return Err(MetricError::TooFew { what, n, needed: 2 });
    }
    let mut unit = embeddings.mapv(f64::from);
    for (row, mut values) in unit.outer_iter_mut().enumerate() {
        let norm = values.dot(&values).sqrt();
        if !norm.is_finite() {
            return Err(MetricError::NotFinite { what });
        }
        if norm == 0.0 {
            return Err(MetricError::ZeroVector { what, row });
        }
        values /= norm;
    }
    Ok(unit)
}

#[cfg(test)]
mod tests;
