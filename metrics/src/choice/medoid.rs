//! Consensus: of each image the caption that the others would score best, by any metric that has a value per image.

use super::{Grouped, first_least, rows_of};
use crate::MetricError;
use crate::metric::{Definition, Direction, MEAN_COSINE};
use crate::samples::{Captions, Sample};
use crate::table::METRICS;

/// Names of the metrics that [`medoid`] can choose by.
pub fn medoid_metrics() -> impl Iterator<Item = &'static str> {
    // The set distance is of no single image, neither direction of a description is better, and the mean cosine chooses what
    // fgd_paired does.
    let per_image = |definition: &&Definition| {
        definition.is_mean
            && definition.direction != Direction::Neither
            && definition.name != MEAN_COSINE
    };
    METRICS.iter().flat_map(|metric| metric.definitions()).filter(per_image).map(|found| found.name)
}

/// The row of each image that scores best with the image's other candidates as its references; the first of equals, and the only
/// one of an image with one. Of CIDEr-D this is consensus reranking (Devlin et al. 2015, arXiv:1505.04467).
///
/// `texts` are the captions behind the rows. Each candidate is scored beside the same-numbered candidates of the other images with
/// several, so that document frequencies are those of the whole.
///
/// # Errors
/// A metric that is none, or not of [`medoid_metrics`]; what the metric fails at.
pub fn medoid(
    candidates: &Grouped,
    texts: &[String],
    name: &str,
    is_runaway: fn(&str) -> bool,
) -> Result<Vec<Option<usize>>, MetricError> {
    let unknown = || {
        let known: Vec<&str> = medoid_metrics().collect();
        MetricError::InvalidSetting(format!(
            "no choice by {name:?}: it has no value per caption; there are {}",
            known.join(", ")
        ))
    };
    let (metric, at) = METRICS
        .iter()
        .find_map(|metric| {
            Some((metric, metric.definitions().iter().position(|d| d.name == name)?))
        })
        .ok_or_else(unknown)?;
    let sign = match metric.definitions()[at].direction {
        Direction::Higher => -1.0,
        Direction::Lower | Direction::Neither => 1.0,
    };
    let count = |image: &usize| candidates.of(*image).len();
    let mut images: Vec<usize> = (0..candidates.images()).filter(|i| count(i) > 1).collect();
    if let [only] = images[..] {
        // Metrics of a sample want two images: a lone one stands for both.
        images.push(only);
    }
    let mut costs: Vec<f64> = vec![f64::NAN; texts.len()];
    for nth in 0..images.iter().map(count).max().unwrap_or(0) {
        // An image with fewer candidates takes part with one of them again, for the document frequencies of all images.
        let rows: Vec<usize> =
            images.iter().map(|image| candidates.of(*image).start + nth % count(image)).collect();
        let (mut image_of, mut others, mut references) = (Vec::new(), Vec::new(), Vec::new());
        for (place, image) in images.iter().enumerate() {
            let own = candidates.of(*image).filter(|row| *row != rows[place]);
            references.push(own.clone().map(|row| texts[row].as_str()).collect());
            image_of.extend(own.clone().map(|_| place));
            others.extend(own);
        }
        let chosen: Vec<String> = rows.iter().map(|row| texts[*row].clone()).collect();
        let (own, others) = (rows_of(candidates.rows, &rows), rows_of(candidates.rows, &others));
        let sample = Sample {
            candidates: own.view(),
            references: others.view(),
            image_of: Some(&image_of),
            units: None,
            population: None,
            captions: Some(Captions::new(&chosen, references, is_runaway)),
            seed: 0,
        };
        let found = metric.evaluate(&sample)?;
        let statistics = found.values[at].statistics.as_ref().ok_or_else(unknown)?;
        for (row, value) in rows.iter().zip(statistics.per_image()) {
            costs[*row] = sign * value;
        }
    }
    let choose = |image: usize| {
        let rows = candidates.of(image);
        let best = first_least(&costs[rows.clone()], 0.0);
        best.or((!rows.is_empty()).then_some(0)).map(|at| rows.start + at)
    };
    Ok((0..candidates.images()).map(choose).collect())
}
