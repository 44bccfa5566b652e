//! One caption for each image of a pool.

use std::collections::HashSet;

use fgd_metrics::choice::{self, Grouped, weights};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::pool::{LOG_PROBABILITY, Pool};
use crate::jobs::JobError;

/// How one of several captions is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The one nearest the mean of their embeddings (minimum Bayes risk).
    #[default]
    Mbr,
    /// The same with a weight per file, learned from the references; of one file with log-probabilities by these.
    MbrWeighted,
    /// The one that scores best against the others in a metric.
    Medoid,
    /// The likeliest.
    Logprob,
    /// The one nearest the references: an upper bound, not a choice.
    Oracle,
}

impl By {
    /// The word on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mbr => "mbr",
            Self::MbrWeighted => "mbr-weighted",
            Self::Medoid => "medoid",
            Self::Logprob => "logprob",
            Self::Oracle => "oracle",
        }
    }
}

/// How one of several captions is chosen, in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choosing {
    /// The rule.
    pub by: By,
    /// The metric of a medoid.
    pub metric: String,
}

impl Default for Choosing {
    fn default() -> Self {
        Self { by: By::default(), metric: "cider_d".into() }
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The caption of each image, by index in the pool.
    pub rows: Vec<usize>,
    /// The weights of the files, where they were learned.
    pub weights: Option<Vec<f64>>,
}

impl Choosing {
    /// Whether it looks at embeddings.
    pub fn embeds(&self) -> bool {
        self.by != By::Logprob
    }

    /// Refuses what would be found out only when there is something to choose from.
    ///
    /// # Errors
    /// A medoid by a metric that has no value per caption.
    pub fn check(&self) -> Result<(), JobError> {
        let mut known = choice::medoid_metrics();
        match self.by == By::Medoid && !known.any(|name| name == self.metric) {
            true => {
                let known: Vec<&str> = choice::medoid_metrics().collect();
                Err(JobError::usage(format!(
                    "--medoid-metric {}: has no value per caption; there are {}",
                    self.metric,
                    known.join(", ")
                )))
            }
            false => Ok(()),
        }
    }

    /// Chooses a caption for each image of `pool`, whose texts have these embeddings; `references` run along its images.
    ///
    /// # Errors
    /// A rule that lacks what it needs: references, log-probabilities, a metric with a value per image.
    pub fn choose(
        &self,
        pool: &Pool,
        embeddings: ArrayView2<f32>,
        references: Option<&Grouped>,
    ) -> Result<Chosen, JobError> {
        let grouped = || Grouped::new(embeddings, &pool.counts);
        let mut weights = None;
        let rows = match self.by {
            By::Mbr => choice::nearest_mean(&grouped()?, &vec![1.0; pool.captions.len()]),
            By::MbrWeighted => {
                let systems = pool.captions.iter().map(|c| c.source + 1).max().unwrap_or(0);
                match references {
                    Some(references) if systems > 1 => {
                        let system_of: Vec<usize> =
                            pool.captions.iter().map(|caption| caption.source).collect();
                        let learned = weights::learn(&grouped()?, &system_of, systems, references);
                        weights = Some(learned.weights);
                        learned.rows
                    }
                    _ => choice::nearest_mean(&grouped()?, &probabilities(pool)?),
                }
            }
            By::Medoid => {
                let texts: Vec<String> = pool.captions.iter().map(|c| c.text.clone()).collect();
                choice::medoid(&grouped()?, &texts, &self.metric, fgd_captions::is_runaway)
                    .map_err(JobError::usage)?
            }
            By::Logprob => likeliest(pool)?,
            By::Oracle => {
                let references = references.ok_or_else(|| {
                    JobError::usage("--by oracle: give --references, whose nearest caption it is")
                })?;
                let grouped = grouped()?;
                let rows = choice::least(&grouped, &choice::distances(&grouped, references));
                // An image without references keeps its first caption.
                let first = pool.images().map(|(from, _)| from);
                rows.into_iter().zip(first).map(|(row, first)| row.or(Some(first))).collect()
            }
        };
        Ok(Chosen { rows: rows.into_iter().flatten().collect(), weights })
    }
}

fn missing() -> JobError {
    JobError::usage(format!(
        "there are captions without a {LOG_PROBABILITY}, which fgd caption --samples writes: choose --by mbr, or give \
         several files and --references to learn their weights from"
    ))
}

/// What each caption weighs by its probability. Of equal captions only the first counts: repeating itself is what probability
/// already tells of (arXiv:2311.05263).
fn probabilities(pool: &Pool) -> Result<Vec<f64>, JobError> {
    let mut weights = Vec::with_capacity(pool.captions.len());
    for (_, captions) in pool.images() {
        let known = captions.iter().map(|caption| caption.log_probability.ok_or_else(missing));
        let known = known.collect::<Result<Vec<f64>, _>>()?;
        let largest = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut seen = HashSet::new();
        weights.extend(captions.iter().zip(known).map(|(caption, logarithm)| {
            let first = seen.insert(caption.text.as_str());
            // Of infinite ones there is no difference.
            let weight = if logarithm == largest { 1.0 } else { (logarithm - largest).exp() };
            if first { weight } else { 0.0 }
        }));
    }
    Ok(weights)
}

fn likeliest(pool: &Pool) -> Result<Vec<Option<usize>>, JobError> {
    let of_image = |(from, captions): (usize, &[super::pool::Candidate])| {
        let mut best: Option<(usize, f64)> = None;
        for (at, caption) in captions.iter().enumerate() {
            let found = caption.log_probability.ok_or_else(missing)?;
            if best.is_none_or(|(_, largest)| found > largest) {
                best = Some((from + at, found));
            }
        }
        Ok(best.map(|(at, _)| at))
    };
    pool.images().map(of_image).collect()
}

#[cfg(test)]
mod tests {
    use super::super::pool::Candidate;
    use super::*;

    fn pool(images: &[&[(&str, Option<f64>)]]) -> Pool {
        let mut pool = Pool::default();
        for (image, captions) in images.iter().enumerate() {
            let captions = captions.iter().enumerate().map(|(row, (text, log_probability))| {
                let text = (*text).to_owned();
                Candidate { text, source: 0, row, log_probability: *log_probability }
            });
            pool.push(image.to_string(), captions);
        }
        pool
    }

    #[test]
    fn the_likeliest_is_chosen_and_the_first_of_equals() {
        let pool = pool(&[
            &[("a", Some(-3.0)), ("b", Some(-1.0)), ("c", Some(-1.0))],
            &[],
            &[("d", Some(f64::NEG_INFINITY))],
        ]);
        let by = Choosing { by: By::Logprob, ..Choosing::default() };
        let none = ndarray::Array2::zeros((0, 0));
        assert_eq!(by.choose(&pool, none.view(), None).unwrap().rows, [1, 3]);
        assert_eq!(pool.ids, ["0", "2"]);
    }

    #[test]
    fn probabilities_count_a_text_once_and_must_all_be_known() {
        let known = pool(&[&[("a", Some(-1.0)), ("b", Some(-1.0)), ("a", Some(-1.0))]]);
        assert_eq!(probabilities(&known).unwrap(), [1.0, 1.0, 0.0]);
        let none = Some(f64::NEG_INFINITY);
        let impossible = pool(&[&[("a", none), ("b", none)], &[("a", none), ("b", Some(-1.0))]]);
        assert_eq!(probabilities(&impossible).unwrap(), [1.0, 1.0, 0.0, 1.0]);
        let message = probabilities(&pool(&[&[("a", None)]])).unwrap_err().to_string();
        assert!(message.contains("log_probability"), "{message}");
    }
}
