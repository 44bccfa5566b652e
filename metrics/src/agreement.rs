//! Do metrics of single captions agree with people? Rank correlation with judgements, and its uncertainty.
//!
//! Kendall's τ counts pairs of captions that a metric and a person put in the same order, less those in opposite orders. τ-b
//! (Kendall 1945) corrects for ties on both sides, τ-c (Stuart 1953) for scales of few levels against many values; literature on
//! captions uses τ-c for the experts of Flickr8k and τ-b for its crowd (Hessel et al. 2021, "CLIPScore", arXiv:2104.08718). The
//! accuracy is the share of pairs of captions of one image that were judged differently which the metric puts in the same order; a tie
//! counts half. Images are what was drawn: intervals and tests resample them whole, with all their captions and judgements.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::MetricError;
use crate::compare::{check_replicates, holm};
use crate::estimate::Estimate;

/// Judgements of captions: `rating[i]` is what somebody said of caption `caption[i]`, higher is better.
#[derive(Debug, Clone)]
pub struct Judgements {
    /// The image of every caption, counted from 0.
    pub image_of: Vec<usize>,
    /// The caption of every judgement.
    pub caption: Vec<usize>,
    /// The judgements.
    pub rating: Vec<f64>,
}

/// How well a metric agrees with people.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// Kendall's τ-b, in [−1, 1]; NaN, as τ-c, where all scores are the same.
    pub tau_b: Estimate,
    /// Kendall's (Stuart's) τ-c, in about [−1, 1].
    pub tau_c: Estimate,
    /// Share of the pairs within an image in the order of people, in [0, 1]; `None` where no image has captions judged differently.
    pub accuracy: Option<Estimate>,
    /// τ-c of the first metric less that of this one, with its p-value after Holm's correction; `None` for the first, and where either has
    /// no τ-c.
    pub behind_first: Option<(Estimate, f64)>,
}

/// Agreement of metrics with judgements: `scores[k][caption]` is what metric `k` says, higher is better. Intervals and tests are of
/// `replicates` bootstrap samples of images.
///
/// # Errors
/// Fewer than two images, judgements or levels of them; scores that are not finite; too few replicates.
pub fn agreement(
    judgements: &Judgements,
    scores: &[&[f64]],
    replicates: usize,
    seed: u64,
) -> Result<Vec<Agreement>, MetricError> {
    let images = judgements.image_of.iter().max().map_or(0, |last| last + 1);
    if images < 2 {
        return Err(MetricError::TooFew { what: "judged images", n: images, needed: 2 });
    }
    check_replicates(replicates)?;
    if scores.iter().any(|scores| scores.iter().any(|score| !score.is_finite()))
        || judgements.rating.iter().any(|rating| !rating.is_finite())
    {
        return Err(MetricError::NotFinite { what: "scores or judgements" });
    }
    if judgements.rating.iter().all(|rating| *rating == judgements.rating[0]) {
        return Err(MetricError::InvalidSetting(format!(
            "all judgements are {}: a correlation needs some that differ",
            judgements.rating.first().copied().unwrap_or_default()
        )));
    }
    let ranked: Vec<Ranked> = scores.iter().map(|scores| Ranked::new(judgements, scores)).collect();
    let ones = vec![1.0; images];
    let observed: Vec<Values> = ranked.iter().map(|ranked| ranked.values(&ones)).collect();
    let drawn: Vec<Vec<Values>> = (0..replicates)
        .into_par_iter()
        .map(|replicate| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(replicate as u64);
            let mut weights = vec![0.0; images];
            (0..images).for_each(|_| weights[rng.random_range(0..images)] += 1.0);
            ranked.iter().map(|ranked| ranked.values(&weights)).collect()
        })
        .collect();
    let estimate = |value: f64, of: &dyn Fn(&[Values]) -> f64| {
        let values: Vec<f64> =
            drawn.iter().map(|values| of(values)).filter(|value| value.is_finite()).collect();
        Estimate::normal(value, crate::compare::standard_deviation(&values))
    };
    let behind: Vec<Option<(Estimate, f64)>> = (0..scores.len())
        .map(|k| {
            let apart = |values: &[Values]| values[0].tau_c - values[k].tau_c;
            let observed = apart(&observed);
            (k > 0 && observed.is_finite()).then(|| {
                let found = estimate(observed, &apart);
                (found, crate::compare::p_value(found))
            })
        })
        .collect();
    let p_values: Vec<f64> = behind.iter().flatten().map(|(_, p)| *p).collect();
    let mut corrected = holm(&p_values).into_iter();
    Ok((0..scores.len())
        .map(|k| Agreement {
            tau_b: estimate(observed[k].tau_b, &|values| values[k].tau_b).within([-1.0, 1.0]),
            tau_c: estimate(observed[k].tau_c, &|values| values[k].tau_c).within([-1.0, 1.0]),
            accuracy: observed[k].accuracy.map(|value| {
                let drawn = |values: &[Values]| values[k].accuracy.unwrap_or(f64::NAN);
                estimate(value, &drawn).within([0.0, 1.0])
            }),
            behind_first: behind[k].and_then(|(found, _)| Some((found, corrected.next()?))),
        })
        .collect())
}

/// What one sample of images says of a metric.
struct Values {
    tau_b: f64,
    tau_c: f64,
    accuracy: Option<f64>,
}

/// Judgements in the order of a metric.
struct Ranked {
    /// Of every judgement, in ascending order of the score: image, rank of its score and rank of the judgement.
    order: Vec<(usize, usize, usize)>,
    /// The different judgements and the number of different scores.
    levels: Vec<f64>,
    scores: usize,
    /// By image: pairs of its captions in the order of people, ties counted half, and all that were judged differently.
    pairs: Vec<[f64; 2]>,
}

impl Ranked {
    fn new(judgements: &Judgements, scores: &[f64]) -> Self {
        let Judgements { image_of, caption, rating } = judgements;
        let distinct = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values.dedup();
            values
        };
        let levels = distinct(rating);
        let of_judgement: Vec<f64> = caption.iter().map(|&caption| scores[caption]).collect();
        let known = distinct(&of_judgement);
        let rank = |values: &[f64], value: f64| values.partition_point(|known| *known < value);
        let mut order: Vec<(usize, usize, usize)> = (0..rating.len())
            .map(|i| {
                (image_of[caption[i]], rank(&known, of_judgement[i]), rank(&levels, rating[i]))
            })
            .collect();
        order.sort_unstable_by_key(|&(_, score, _)| score);
        Self { order, scores: known.len(), pairs: pairs(judgements, scores), levels }
    }

    /// Over images of these weights. Pairs are counted as the scores grow: below stand, for each judgement, what had lower scores.
    fn values(&self, weights: &[f64]) -> Values {
        let levels = self.levels.len();
        let (mut below, mut of_score) = (vec![0.0; levels], vec![0.0; levels]);
        let (mut apart, mut tied_scores) = (0.0, 0.0);
        let pairs_of = |n: f64| 0.5 * n * (n - 1.0);
        let mut start = 0;
        while start < self.order.len() {
            let score = self.order[start].1;
            let end = start + self.order[start..].partition_point(|&(_, other, _)| other == score);
            of_score.fill(0.0);
            for &(image, _, level) in &self.order[start..end] {
                of_score[level] += weights[image];
            }
            let (mut lower, above) = (0.0, below.iter().sum::<f64>());
            for (level, &n) in of_score.iter().enumerate() {
                apart += n * (lower - (above - lower - below[level]));
                lower += below[level];
            }
            tied_scores += pairs_of(of_score.iter().sum());
            below.iter_mut().zip(&of_score).for_each(|(below, n)| *below += n);
            start = end;
        }
        let n: f64 = below.iter().sum();
        let (all, tied) = (pairs_of(n), below.iter().map(|&n| pairs_of(n)).sum::<f64>());
        let least = self.levels.len().min(self.scores) as f64;
        let [right, judged] = (self.pairs.iter().zip(weights))
            .fold([0.0; 2], |[a, b], (pairs, w)| [a + w * pairs[0], b + w * pairs[1]]);
        Values {
            tau_b: apart / ((all - tied_scores) * (all - tied)).sqrt(),
            tau_c: 2.0 * apart / (n * n * (least - 1.0) / least),
            accuracy: (judged > 0.0).then(|| right / judged),
        }
    }
}

/// By image, pairs of captions whose mean judgements differ.
fn pairs(judgements: &Judgements, scores: &[f64]) -> Vec<[f64; 2]> {
    let Judgements { image_of, caption, rating } = judgements;
    let mut sums = vec![[0.0; 2]; image_of.len()];
    for (&caption, rating) in caption.iter().zip(rating) {
        sums[caption][0] += rating;
        sums[caption][1] += 1.0;
    }
    let images = image_of.iter().max().map_or(0, |last| last + 1);
    let mut captions = vec![Vec::new(); images];
    for (caption, [sum, count]) in sums.into_iter().enumerate().filter(|(_, sums)| sums[1] > 0.0) {
        captions[image_of[caption]].push((scores[caption], sum / count));
    }
    captions
        .into_iter()
        .map(|captions| {
            let mut pairs = [0.0; 2];
            for (i, (score, rating)) in captions.iter().enumerate() {
                for (other, other_rating) in &captions[..i] {
                    if rating != other_rating {
                        pairs[1] += 1.0;
                        pairs[0] += match score.total_cmp(other) {
                            std::cmp::Ordering::Equal => 0.5,
                            order => f64::from(order == rating.total_cmp(other_rating)),
                        };
                    }
                }
            }
            pairs
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rating: &[f64]) -> Judgements {
        // Two captions an image.
        let n = rating.len();
        Judgements {
            image_of: (0..n).map(|i| i / 2).collect(),
            caption: (0..n).collect(),
            rating: rating.to_vec(),
        }
    }

    #[test]
    fn tau_is_that_of_scipy() {
        let judgements = judged(&[1.0, 2.0, 2.0, 4.0, 1.0, 3.0, 3.0, 4.0]);
        let scores = [0.1, 0.2, 0.15, 0.9, 0.3, 0.3, 0.25, 0.8];
        let found = agreement(&judgements, &[&scores, &scores], 200, 1).unwrap();
        // scipy.stats.kendalltau(scores, rating, variant="b" and "c")
        assert!(
            (found[0].tau_b.value - 0.667_823_071_120_628).abs() < 1e-12,
            "{}",
            found[0].tau_b.value
        );
        assert!(
            (found[0].tau_c.value - 0.708_333_333_333_333).abs() < 1e-12,
            "{}",
            found[0].tau_c.value
        );
        // By image (1, 2) right, (2, 4) right, (1, 3) a tie, (3, 4) right.
        assert_eq!(found[0].accuracy.unwrap().value, 3.5 / 4.0);
        assert_eq!(found[0].behind_first, None);
        let (apart, p) = found[1].behind_first.unwrap();
        assert_eq!((apart.value, p), (0.0, 1.0));
    }

    #[test]
    fn several_judgements_of_a_caption_are_observations_of_one_image() {
        let judgements = Judgements {
            image_of: vec![0, 0, 1, 1],
            caption: vec![0, 0, 1, 2, 3, 3],
            rating: vec![1.0, 2.0, 3.0, 1.0, 2.0, 4.0],
        };
        let scores = [0.1, 0.4, 0.2, 0.8];
        let found = agreement(&judgements, &[&scores], 200, 1).unwrap();
        assert_eq!(found[0].accuracy.unwrap().value, 1.0);
        assert!((found[0].tau_b.value - 0.538_461_538_461_539).abs() < 1e-12);
    }

    #[test]
    fn a_metric_that_says_nothing_is_not_tested() {
        let judgements = judged(&[1.0, 2.0, 2.0, 4.0, 1.0, 3.0, 3.0, 4.0]);
        let scores = [0.1, 0.2, 0.15, 0.9, 0.3, 0.3, 0.25, 0.8];
        let other = [0.5, 0.1, 0.3, 0.2, 0.9, 0.4, 0.6, 0.7];
        let p = |metrics: &[&[f64]]| {
            let found = agreement(&judgements, metrics, 200, 1).unwrap();
            assert!(
                found.iter().all(|of| of
                    .tau_c
                    .ci95
                    .iter()
                    .all(|end| end.is_nan() || end.abs() <= 1.0))
            );
            found.iter().map(|of| of.behind_first.map(|(_, p)| p)).collect::<Vec<_>>()
        };
        let found = p(&[&scores, &[0.0; 8], &other]);
        assert_eq!(found[..2], [None, None]);
        // Nor does it count in Holm's correction.
        assert_eq!(found[2], p(&[&scores, &other])[1]);
    }

    #[test]
    fn what_cannot_be_ranked_is_refused() {
        let scores = [0.1, 0.2, 0.3, 0.4];
        let same = agreement(&judged(&[1.0; 4]), &[&scores], 200, 1).unwrap_err();
        assert!(same.to_string().contains("all judgements are 1"), "{same}");
        let two = judged(&[1.0, 2.0]);
        assert!(matches!(agreement(&two, &[&scores], 200, 1), Err(MetricError::TooFew { .. })));
        let fine = judged(&[1.0, 2.0, 3.0, 4.0]);
        assert!(matches!(agreement(&fine, &[&scores], 2, 1), Err(MetricError::InvalidSetting(_))));
        let nan = [0.1, f64::NAN, 0.3, 0.4];
        assert!(matches!(agreement(&fine, &[&nan], 200, 1), Err(MetricError::NotFinite { .. })));
    }
}
