//! What sums of pairs are worth.

use fgd_metrics::MetricError;
use fgd_metrics::estimate::Estimate;
use fgd_metrics::inference::SetInference;
use fgd_metrics::pair_sums::{PairScore, PairSums, SlicedSums};
use fgd_record::{Measure, Pairing, ScoreResults, Slice, SlicePart};

use crate::jobs::JobError;
use crate::jobs::scoring::numbers::{SAME, decomposed, measured, set_measure};
use crate::jobs::scoring::size::Size;

/// What sums say of a system.
#[derive(Debug, Clone)]
pub struct Summed {
    /// Its numbers.
    pub results: ScoreResults,
    /// The set distance, for its difference to others; `None` where its bias is not known.
    pub inference: Option<SetInference>,
}

/// The numbers of a score whose images are drawn from a finite set, if there is one.
pub fn results(
    sums: &SlicedSums,
    columns: &[String],
    population: Option<u64>,
) -> Result<Summed, JobError> {
    let n = sums.whole.n();
    if let Some(population) = population.filter(|&population| population < n) {
        return Err(JobError::usage(format!(
            "population: {population} images, of which the sample already has {n}; give the number of all images that the score is to \
             speak for"
        )));
    }
    let share = population.map_or(0.0, |population| n as f64 / population as f64);
    let mut all = numbers(&sums.whole, share)?;
    for (column, values) in columns.iter().zip(&sums.slices) {
        let part = |(value, sums): (&String, &PairSums)| {
            Ok(SlicePart { value: value.clone(), results: part(sums, share)? })
        };
        let parts = values.iter().map(part).collect::<Result<_, JobError>>()?;
        all.results.slices.push(Slice { column: column.clone(), parts });
    }
    Ok(all)
}

/// The numbers of a group of images, which may be one alone.
fn part(sums: &PairSums, share: f64) -> Result<ScoreResults, JobError> {
    match numbers(sums, share) {
        Err(error @ MetricError::TooFew { .. }) => Ok(ScoreResults {
            fgd_paired: Measure::missing(error.to_string()),
            mean_cosine: Measure::missing(error.to_string()),
            ..of(sums.n(), sums.n())
        }),
        numbers => Ok(numbers?.results),
    }
}

fn of(n: u64, references: u64) -> ScoreResults {
    ScoreResults { n, references, pairing: Pairing::Paired, ..ScoreResults::default() }
}

fn numbers(sums: &PairSums, share: f64) -> Result<Summed, MetricError> {
    let PairScore { n, references, paired, estimate, mean_cosine, set } = sums.score()?;
    let left = (1.0 - share).sqrt();
    let (estimate, cosine) = (estimate.with_error(left).cut_at_0(), mean_cosine.with_error(left));
    let inference = set.inference.map(|found| match share {
        0.0 => found,
        share => found.of_finite_population(share),
    });
    let size = Size { images: n as f64, others: None, left_out: 1.0 - share };
    let mut fgd_set = set_measure(set.distance.value, &inference, size);
    if paired == 0.0 {
        let known = fgd_set.warning.take();
        fgd_set.warning = Some(known.map_or(SAME.into(), |known| format!("{SAME}; {known}")));
    }
    let results = ScoreResults {
        fgd_paired: measured(Estimate { value: paired, ..estimate }),
        fgd_set,
        decomposition: Some(decomposed(set.decomposition)),
        mean_cosine: measured(cosine),
        ..of(n, references)
    };
    Ok(Summed { results, inference: inference.ok() })
}
