//! Many submissions, ranked: what their distances leave open, and what the hidden part of the images changes.
//!
//! A submission is kept as its score and one number per image, so that hundreds need little memory.
//!
//! Ranked is by `fgd_paired`, a mean over images, or, where the references are of other images, by `fgd_set` with its bias
//! removed. The set distance is no mean, but it has influences: with the pseudo-values V + (N+M)/N · IF(x) of its N captions and
//! V + (N+M)/M · IF(y) of its M references it is the mean of N + M numbers, whose variance is that of the delta method (Efron &
//! Tibshirani 1993, *An Introduction to the Bootstrap*, ch. 11). What two submissions share, the images and the references,
//! cancels in their difference. Near equality the first order overstates the error, so such pairs are rather called
//! inseparable.

use std::collections::BTreeMap;

use fgd_metrics::MetricError;
use fgd_metrics::compare::{
    PairDifference, all_differences, detectable_difference, images_needed, outcomes,
};
use fgd_metrics::estimate::Estimate;
use fgd_metrics::metric::{FGD_PAIRED, FGD_SET};
use fgd_record::{
    Difference, LeaderboardResults, Measure, PRIVATE, PUBLIC, SPLIT, ScoreResults, Split, Standing,
};
use fgd_store::digest::Digest;

use super::ranks::{kendall, rank_ranges, ranks};
use crate::jobs::scoring::slices::Grouping;

/// The metric that ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankedBy {
    /// `fgd_paired`: references of the same images.
    Paired,
    /// `fgd_set` with its bias removed: references of other images.
    Set,
}

impl RankedBy {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Paired => FGD_PAIRED,
            Self::Set => FGD_SET,
        }
    }
}

/// A submission that was scored.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What reports call it.
    pub name: String,
    /// Its numbers.
    pub scores: ScoreResults,
    /// Numbers whose mean is the metric that ranks, in the same order for all: distances image by image, or
    /// [`pseudo_values`].
    pub parts: Vec<f64>,
}

/// Numbers whose mean is `value` and whose spread is that of a set distance with these influences, each of mean 0.
pub fn pseudo_values(value: f64, candidates: &[f64], references: &[f64]) -> Vec<f64> {
    let all = (candidates.len() + references.len()) as f64;
    let of = |influences: &[f64]| -> Vec<f64> {
        let weight = all / influences.len() as f64;
        influences.iter().map(|i| value + weight * i).collect()
    };
    let mut values = of(candidates);
    values.extend(of(references));
    values
}

/// The images of each part of a split.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Where the split comes from: `seed` or the name of a column.
    pub source: String,
    /// The seed, where it was drawn.
    pub seed: Option<u64>,
    /// For each image whether it is public.
    pub public: Vec<bool>,
}

impl Parts {
    /// Indices of the public images, ascending.
    pub fn public_images(&self) -> Vec<usize> {
        (0..self.public.len()).filter(|&image| self.public[image]).collect()
    }

    /// What records of the public part must share in their references: what the references are, and which part it is.
    pub fn public_sha256(&self, references_sha256: &str) -> String {
        let public: Vec<u8> = self.public.iter().map(|&public| public.into()).collect();
        let digest = Digest::new("public-part", 1).field("references", references_sha256);
        digest.field("public", public).finish()
    }

    /// The split as a record has it, before anything is ranked.
    pub fn split(&self) -> Split {
        let public = self.public_images().len() as u64;
        Split {
            source: self.source.clone(),
            seed: self.seed,
            public,
            private: self.public.len() as u64 - public,
            rank_correlation: None,
        }
    }

    /// The parts as groups of images.
    pub fn grouping(&self) -> Grouping {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (image, public) in self.public.iter().enumerate() {
            let part = if *public { PUBLIC } else { PRIVATE };
            groups.entry(part.to_owned()).or_default().push(image);
        }
        Grouping { column: SPLIT.to_owned(), groups }
    }
}

/// Ranks submissions that were scored on the same images, at least one of them. What is rejected is left to
/// the caller.
///
/// # Errors
/// Entries with different numbers of images.
pub fn rank(
    entries: Vec<Entry>,
    ranked_by: RankedBy,
    parts: Option<&Parts>,
    comparability_key: &str,
) -> Result<LeaderboardResults, MetricError> {
    let means: Vec<f64> = entries.iter().map(|entry| mean(&entry.parts)).collect();
    let ranks = ranks(&means);
    let pairs = if entries.iter().all(|entry| entry.parts.len() > 1) {
        let values: Vec<&[f64]> = entries.iter().map(|e| e.parts.as_slice()).collect();
        all_differences(&values)?
    } else {
        // One image separates nobody.
        Vec::new()
    };
    let ranges = rank_ranges(entries.len(), &pairs);
    let of_parts = parts.map(|parts| [part(&entries, parts, true), part(&entries, parts, false)]);

    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| {
        means[a].total_cmp(&means[b]).then_with(|| entries[a].name.cmp(&entries[b].name))
    });
    let differences = order
        .windows(2)
        .filter_map(|neighbours| {
            neighbour_difference(&entries, ranked_by, &pairs, neighbours[1], neighbours[0])
        })
        .collect::<Result<Vec<_>, _>>()?;
    let split = parts.zip(of_parts.as_ref()).map(|(parts, [public, private])| Split {
        rank_correlation: kendall(&public.ranks, &private.ranks),
        ..parts.split()
    });
    let (n, references) =
        entries.first().map_or((0, 0), |entry| (entry.scores.n, entry.scores.references));
    let mut entries: Vec<Option<Entry>> = entries.into_iter().map(Some).collect();
    let standings = order
        .into_iter()
        .filter_map(|index| {
            let entry = entries[index].take()?;
            let in_part = |which: usize| of_parts.as_ref().map(|parts| &parts[which]);
            Some(Standing {
                name: entry.name,
                rank: ranks[index],
                rank_range: ranges[index],
                scores: entry.scores,
                public: in_part(0).map(|part| part.measures[index].clone()),
                private: in_part(1).map(|part| part.measures[index].clone()),
                public_rank: in_part(0).map(|part| part.ranks[index]),
                private_rank: in_part(1).map(|part| part.ranks[index]),
                comparability_key: comparability_key.to_owned(),
            })
        })
        .collect();
    Ok(LeaderboardResults {
        n,
        references,
        ranked_by: ranked_by.name().into(),
        split,
        standings,
        differences,
        rejected: Vec::new(),
    })
}

/// The ranking on one part of the images.
struct Part {
    measures: Vec<Measure>,
    ranks: Vec<u64>,
}

fn part(entries: &[Entry], parts: &Parts, public: bool) -> Part {
    let values = |entry: &Entry| -> Vec<f64> {
        let of_image = entry.parts.iter().zip(&parts.public);
        of_image.filter(|(_, part)| **part == public).map(|(&distance, _)| distance).collect()
    };
    let mut part = Part { measures: Vec::new(), ranks: Vec::new() };
    let mut means = Vec::new();
    for entry in entries {
        let values = values(entry);
        means.push(mean(&values));
        part.measures.push(match Estimate::of_mean(&values) {
            Ok(estimate) => Measure::estimated(estimate.value, estimate.se, estimate.ci95),
            Err(unavailable) => {
                Measure { reason: Some(unavailable.to_string()), ..Measure::exact(mean(&values)) }
            }
        });
    }
    part.ranks = ranks(&means);
    part
}

/// How the lower of two neighbours in rank differs from the one above it; `None` where nothing was tested.
fn neighbour_difference(
    entries: &[Entry],
    ranked_by: RankedBy,
    pairs: &[PairDifference],
    lower: usize,
    upper: usize,
) -> Option<Result<Difference, MetricError>> {
    let (first, second) = (lower.min(upper), lower.max(upper));
    let pair = pairs
        .binary_search_by_key(&(first, second), |pair| (pair.first, pair.second))
        .map(|index| &pairs[index])
        .ok()?;
    let sign = if lower == first { 1.0 } else { -1.0 };
    let estimate = Estimate::normal(sign * pair.estimate.value, pair.estimate.se);
    let (a, b) = (&entries[lower], &entries[upper]);
    let mut difference = Difference {
        metric: ranked_by.name().into(),
        higher_is_better: Some(false),
        system: a.name.clone(),
        versus: b.name.clone(),
        estimate: Measure::estimated(estimate.value, estimate.se, estimate.ci95),
        p_value: Some(pair.p_value),
        p_holm: Some(pair.p_holm),
        test: format!(
            "normal, of the {}; corrected over {}",
            match ranked_by {
                RankedBy::Paired => "mean difference",
                RankedBy::Set => "difference of the influences",
            },
            match pairs.len() {
                1 => "1 pair".to_owned(),
                pairs => format!("{pairs} pairs"),
            }
        ),
        minimum_detectable: Some(detectable_difference(estimate.se)),
        ..Difference::default()
    };
    if ranked_by == RankedBy::Set {
        return Some(Ok(difference));
    }
    difference.n_needed = images_needed(estimate.value, estimate.se, a.parts.len());
    Some(outcomes(&a.parts, &b.parts, true).map(|outcomes| {
        difference.wins = Some(outcomes.wins as u64);
        difference.ties = Some(outcomes.ties as u64);
        difference.losses = Some(outcomes.losses as u64);
        difference
    }))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::leaderboard::ranks::ALPHA;

    fn entry(name: &str, distances: Vec<f64>) -> Entry {
        Entry { name: name.into(), scores: ScoreResults::default(), parts: distances }
    }

    /// Distances that wave about `level`; two levels far apart are significant, equal ones are not.
    fn around(level: f64, phase: usize) -> Vec<f64> {
        (0..60).map(|i| level + 0.01 * ((i + phase) % 7) as f64).collect()
    }

    #[test]
    fn submissions_that_are_not_separable_share_a_range() {
        let entries = vec![
            entry("last", around(0.9, 0)),
            entry("second", around(0.1005, 3)),
            entry("first", around(0.1, 0)),
        ];
        let found = rank(entries, RankedBy::Paired, None, "key").unwrap();
        let rows: Vec<_> =
            found.standings.iter().map(|s| (s.name.as_str(), s.rank, s.rank_range)).collect();
        assert_eq!(rows, [("first", 1, [1, 2]), ("second", 2, [1, 2]), ("last", 3, [3, 3])]);
        let neighbours: Vec<_> = (found.differences.iter())
            .map(|d| (d.system.as_str(), d.versus.as_str(), d.estimate.value.unwrap() > 0.0))
            .collect();
        assert_eq!(neighbours, [("second", "first", true), ("last", "second", true)]);
        assert!(found.differences[0].p_holm.unwrap() > ALPHA);
        assert!(found.differences[1].p_holm.unwrap() < ALPHA);
    }

    #[test]
    fn equal_submissions_share_a_rank() {
        let entries = vec![entry("b", around(0.1, 0)), entry("a", around(0.1, 0))];
        let found = rank(entries, RankedBy::Paired, None, "key").unwrap();
        let rows: Vec<_> = found.standings.iter().map(|s| (s.name.as_str(), s.rank)).collect();
        assert_eq!(rows, [("a", 1), ("b", 1)]);
    }

    #[test]
    fn the_private_part_may_turn_the_public_ranking() {
        let public: Vec<bool> = (0..60).map(|i| i < 20).collect();
        let mut turns = around(0.1, 0);
        turns[20..].iter_mut().for_each(|distance| *distance += 1.0);
        let entries = vec![entry("turns", turns), entry("steady", around(0.3, 1))];
        let parts = Parts { source: "seed".into(), seed: Some(1), public };
        let found = rank(entries, RankedBy::Paired, Some(&parts), "key").unwrap();
        assert_eq!(found.split.as_ref().unwrap().rank_correlation, Some(-1.0));
        assert_eq!(found.split.unwrap().private, 40);
        let turns = found.standings.iter().find(|s| s.name == "turns").unwrap();
        assert_eq!((turns.public_rank, turns.private_rank), (Some(1), Some(2)));
    }

    #[test]
    fn pseudo_values_have_the_mean_and_the_error_of_the_set_distance() {
        let centred = |n: usize, scale: f64| -> Vec<f64> {
            (0..n).map(|i| scale * (i as f64 - (n - 1) as f64 / 2.0)).collect()
        };
        let (candidates, references) = (centred(400, 0.001), centred(900, 0.0003));
        let found = Estimate::of_mean(&pseudo_values(0.05, &candidates, &references)).unwrap();
        assert!((found.value - 0.05).abs() < 1e-12);
        let variance =
            |of: &[f64]| of.iter().map(|v| v * v).sum::<f64>() / (of.len() as f64).powi(2);
        let expected = (variance(&candidates) + variance(&references)).sqrt();
        assert!((found.se / expected - 1.0).abs() < 1e-3, "{} {expected}", found.se);
    }

    #[test]
    fn one_image_leaves_every_rank_open() {
        let entries = vec![entry("a", vec![0.1]), entry("b", vec![0.9])];
        let found = rank(entries, RankedBy::Paired, None, "key").unwrap();
        assert_eq!(found.standings[1].rank_range, [1, 2]);
        assert!(found.differences.is_empty());
    }
}
