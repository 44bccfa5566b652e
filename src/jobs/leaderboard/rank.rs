//! Many submissions, ranked: what their distances leave open, and what the hidden part of the images changes.
//!
//! Of a split the private images decide, as in a contest: ranks, ranges and tests are theirs.
//!
//! A submission is kept as its score and one number per image, so that hundreds need little memory.
//!
//! Ranked is by `fgd_paired`, a mean over images, or, where the references are of other images, by `fgd_set` with its bias
//! removed. What two submissions share, the images and the references, cancels in their difference, of either. With no more images
//! than dimensions nothing is known of the bias of `fgd_set`: the order is then that of the raw distances, and there are no ranges.

use std::sync::Arc;

use fgd_metrics::MetricError;
use fgd_metrics::estimate::Estimate;
use fgd_metrics::inference::SetInference;
use fgd_metrics::metric::{FGD_PAIRED, FGD_SET};
use fgd_metrics::pair_sums::FieldSums;
use fgd_record::{LeaderboardResults, Measure, ScoreResults, Split, Standing};

use super::neighbours;
use super::parts::Parts;
use super::ranks::{kendall, rank_ranges, ranks};
use crate::jobs::scoring::numbers::measured;

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
    /// What its rank rests on.
    pub evidence: Evidence,
}

/// What submissions are ranked by.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// Distances image by image, in the same order for all.
    Paired(Vec<f64>),
    /// The set distance; `None` where its bias is not known.
    Set(Option<Box<SetInference>>),
    /// Sums of all systems' distances, the number of this one among them, and its set distance.
    Sums(Arc<FieldSums>, usize, Option<Box<SetInference>>),
}

impl Entry {
    /// Distances image by image; none for set distances.
    pub(super) fn distances(&self) -> &[f64] {
        match &self.evidence {
            Evidence::Paired(distances) => distances,
            Evidence::Set(_) | Evidence::Sums(..) => &[],
        }
    }

    /// The set distance, where its bias is known and it is evidence.
    pub(super) fn set(&self) -> Option<&SetInference> {
        match &self.evidence {
            Evidence::Paired(_) => None,
            Evidence::Set(inference) | Evidence::Sums(_, _, inference) => inference.as_deref(),
        }
    }
}

/// How the images were drawn, which is the same for all submissions.
#[derive(Debug, Clone, Default)]
pub struct Drawn {
    /// The cluster of each image, where images depend on each other.
    pub clusters: Option<Vec<usize>>,
    /// Images of the population, where that is finite.
    pub population: Option<f64>,
}

impl Drawn {
    /// Part of the population's images that so many are not, in [0, 1].
    pub fn left_out(&self, images: usize) -> f64 {
        self.population.map_or(1.0, |all| (1.0 - images as f64 / all).max(0.0))
    }

    /// Of some of the images alone, which are drawn from the same population.
    pub fn on(&self, images: &[usize]) -> Self {
        let clusters = self.clusters.as_ref();
        let clusters = clusters.map(|of| images.iter().map(|&image| of[image]).collect());
        Self { clusters, ..self.clone() }
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
    drawn: &Drawn,
    comparability_key: &str,
) -> Result<LeaderboardResults, MetricError> {
    let of_parts =
        parts.map(|parts| [true, false].map(|public| part(&entries, parts, drawn, public)));
    let (entries, drawn) = match parts {
        Some(parts) => decided_on(entries, drawn, &parts.images(false)),
        None => (entries, drawn.clone()),
    };
    let means = values(&entries);
    let ranks = ranks(&means);
    let pairs = neighbours::pairs(&entries, ranked_by, &drawn)?;
    let ranges = match &pairs {
        Some(pairs) => rank_ranges(entries.len(), pairs).into_iter().map(Some).collect(),
        None => vec![None; entries.len()],
    };
    let mut tests = vec![(ranked_by, pairs.unwrap_or_default())];
    if ranked_by == RankedBy::Paired {
        // Sums tell of both distances.
        let by_set = neighbours::pairs(&entries, RankedBy::Set, &drawn)?;
        tests.extend(by_set.map(|pairs| (RankedBy::Set, pairs)));
    }

    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|&a, &b| {
        means[a].total_cmp(&means[b]).then_with(|| entries[a].name.cmp(&entries[b].name))
    });
    let differences = (tests.iter())
        .flat_map(|(by, pairs)| order.windows(2).map(move |two| (*by, pairs, two[1], two[0])))
        .filter_map(|(by, pairs, lower, upper)| {
            neighbours::difference(&entries, by, &drawn, pairs, lower, upper)
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

/// The same entries on some images alone, and how these were drawn.
fn decided_on(entries: Vec<Entry>, drawn: &Drawn, images: &[usize]) -> (Vec<Entry>, Drawn) {
    let within = |entry: Entry| match entry.evidence {
        Evidence::Paired(all) => {
            let distances = images.iter().map(|&image| all[image]).collect();
            Entry { evidence: Evidence::Paired(distances), ..entry }
        }
        _ => entry,
    };
    (entries.into_iter().map(within).collect(), drawn.on(images))
}

/// What each entry is ranked by: of set distances the corrected ones, or the raw ones where a correction is missing.
fn values(entries: &[Entry]) -> Vec<f64> {
    let corrected = |entry: &Entry| match &entry.evidence {
        Evidence::Paired(distances) => Some(mean(distances)),
        Evidence::Set(inference) => inference.as_ref().map(|found| found.corrected.value),
        Evidence::Sums(field, system, _) => Some(field.mean(*system)),
    };
    let raw = |entry: &Entry| entry.scores.fgd_set.value.unwrap_or(f64::INFINITY);
    let all: Option<Vec<f64>> = entries.iter().map(corrected).collect();
    all.unwrap_or_else(|| entries.iter().map(raw).collect())
}

/// The ranking on one part of the images.
struct Part {
    measures: Vec<Measure>,
    ranks: Vec<u64>,
}

fn part(entries: &[Entry], parts: &Parts, drawn: &Drawn, public: bool) -> Part {
    let images = parts.images(public);
    let cluster = |&image: &usize| drawn.clusters.as_ref().map_or(image, |of| of[image]);
    let clusters: Vec<usize> = images.iter().map(cluster).collect();
    let values = |entry: &Entry| -> Vec<f64> {
        images.iter().map(|&image| entry.distances()[image]).collect()
    };
    let mut part = Part { measures: Vec::new(), ranks: Vec::new() };
    let mut means = Vec::new();
    for entry in entries {
        let values = values(entry);
        means.push(mean(&values));
        part.measures.push(match Estimate::of_clustered_mean(&values, &clusters) {
            Ok(estimate) => {
                measured(estimate.with_error(drawn.left_out(images.len()).sqrt()).cut_at_0())
            }
            Err(unavailable) => {
                Measure { reason: Some(unavailable.to_string()), ..Measure::exact(mean(&values)) }
            }
        });
    }
    part.ranks = ranks(&means);
    part
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, distances: Vec<f64>) -> Entry {
        Entry {
            name: name.into(),
            scores: ScoreResults::default(),
            evidence: Evidence::Paired(distances),
        }
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
        let found = rank(entries, RankedBy::Paired, None, &Drawn::default(), "key").unwrap();
        let rows: Vec<_> =
            found.standings.iter().map(|s| (s.name.as_str(), s.rank, s.rank_range)).collect();
        let expected =
            [("first", 1, Some([1, 2])), ("second", 2, Some([1, 2])), ("last", 3, Some([3, 3]))];
        assert_eq!(rows, expected);
        let neighbours: Vec<_> = (found.differences.iter())
            .map(|d| (d.system.as_str(), d.versus.as_str(), d.estimate.value.unwrap() > 0.0))
            .collect();
        assert_eq!(neighbours, [("second", "first", true), ("last", "second", true)]);
        assert!(found.differences[0].p_holm.unwrap() > fgd_record::LEVEL);
        assert!(found.differences[1].p_holm.unwrap() < fgd_record::LEVEL);
    }

    #[test]
    fn equal_submissions_share_a_rank() {
        let entries = vec![entry("b", around(0.1, 0)), entry("a", around(0.1, 0))];
        let found = rank(entries, RankedBy::Paired, None, &Drawn::default(), "key").unwrap();
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
        let found =
            rank(entries, RankedBy::Paired, Some(&parts), &Drawn::default(), "key").unwrap();
        assert_eq!(found.split.as_ref().unwrap().rank_correlation, Some(-1.0));
        assert_eq!(found.split.unwrap().private, 40);
        let turns = found.standings.iter().find(|s| s.name == "turns").unwrap();
        assert_eq!((turns.public_rank, turns.private_rank), (Some(1), Some(2)));
        assert_eq!((turns.rank, turns.rank_range), (2, Some([2, 2])), "the private part decides");
    }

    #[test]
    fn a_part_is_drawn_from_the_population_of_the_whole() {
        let public: Vec<bool> = (0..60).map(|i| i < 20).collect();
        let parts = Parts { source: "seed".into(), seed: Some(1), public };
        let errors = |population: Option<f64>| {
            let entries = vec![entry("a", around(0.1, 0)), entry("b", around(0.12, 3))];
            let drawn = Drawn { population, ..Drawn::default() };
            let found = rank(entries, RankedBy::Paired, Some(&parts), &drawn, "key").unwrap();
            let part = |of: &Option<Measure>| of.as_ref().unwrap().se.unwrap();
            let first = &found.standings[0];
            [found.differences[0].estimate.se.unwrap(), part(&first.private), part(&first.public)]
        };
        let left_out = [0.5, 0.5, 0.75_f64];
        for ((of_all, of_more), left) in errors(Some(80.0)).iter().zip(errors(None)).zip(left_out) {
            assert!((of_all / of_more - left.sqrt()).abs() < 1e-9);
        }
    }

    #[test]
    fn set_distances_without_correction_are_ordered_and_have_no_ranges() {
        let entry = |name: &str, raw: f64| {
            let mut scores = ScoreResults::default();
            scores.fgd_set.value = Some(raw);
            Entry { name: name.into(), scores, evidence: Evidence::Set(None) }
        };
        let entries = vec![entry("far", 0.3), entry("near", 0.1)];
        let found = rank(entries, RankedBy::Set, None, &Drawn::default(), "key").unwrap();
        let rows: Vec<_> =
            found.standings.iter().map(|s| (s.name.as_str(), s.rank, s.rank_range)).collect();
        assert_eq!(rows, [("near", 1, None), ("far", 2, None)]);
        assert!(found.differences.is_empty());
    }

    #[test]
    fn images_of_one_cluster_are_one_observation() {
        let (a, b) = (around(0.1, 0), around(0.103, 3));
        let repeated = |values: &[f64]| values.iter().chain(values).copied().collect::<Vec<f64>>();
        let clusters: Vec<usize> = (0..120).map(|image| image % 60).collect();
        let se = |entries: Vec<Entry>, drawn: &Drawn| {
            let found = rank(entries, RankedBy::Paired, None, drawn, "key").unwrap();
            found.differences[0].estimate.se.unwrap()
        };
        let once = se(vec![entry("a", a.clone()), entry("b", b.clone())], &Drawn::default());
        let entries = || vec![entry("a", repeated(&a)), entry("b", repeated(&b))];
        let drawn = Drawn { clusters: Some(clusters), ..Drawn::default() };
        assert!((se(entries(), &drawn) / once - 1.0).abs() < 1e-9);
        assert!(se(entries(), &Drawn::default()) < 0.8 * once);
    }

    #[test]
    fn one_image_has_no_ranges() {
        let entries = vec![entry("a", vec![0.1]), entry("b", vec![0.9])];
        let found = rank(entries, RankedBy::Paired, None, &Drawn::default(), "key").unwrap();
        assert_eq!(found.standings[1].rank_range, None);
        assert!(found.differences.is_empty());
    }
}
