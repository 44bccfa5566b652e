//! Where the level of a series changed, whatever the distribution of its noise.
//!
//! For a split after k of n values the rank sum of the first part has mean k(n+1)/2 and variance k(n−k)(n+1)/12 when
//! nothing changed (Mann & Whitney 1947). The largest of the standardised rank sums over all k is the statistic of
//! Pettitt (1979) as Hawkins & Deng (2010) use it for monitoring. Because it sees ranks only, its distribution without
//! a change is the same for normal, heavy-tailed and bimodal noise, so one threshold holds for all of them.
//!
//! The series is read forward, as it came: a level ends where the statistic of what followed it passes the threshold.
//! (Splitting the whole series first, as binary segmentation and E-divisive do, loses a level that came and went.)
//! Then every change is looked at again between its neighbours, and goes if it no longer passes. O(n log n) per look,
//! where E-divisive (Matteson & James 2014) needs O(n²) and a permutation test.

use super::median;

/// Values that a part must have.
const SHORTEST: usize = 3;
/// Values between two looks.
const STRIDE: usize = 5;
/// Values on one side of a change that are looked at, at most.
const LONGEST: usize = 120;

/// A place where the level changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value of the new level.
    pub at: usize,
    /// The standardised rank sum: positive where the level rose.
    pub statistic: f64,
}

/// All change points of the values whose statistic is at least `threshold`, in order.
pub fn change_points(values: &[f64], threshold: f64) -> Vec<ChangePoint> {
    let passes = |change: &ChangePoint| change.statistic.abs() >= threshold;
    let mut starts = vec![0];
    // Looks are counted from the end, so that the newest value is always among them.
    for end in (0..=values.len()).filter(|end| (values.len() - end).is_multiple_of(STRIDE)) {
        let level = starts[starts.len() - 1];
        let start = level.max(end.saturating_sub(LONGEST));
        if let Some(change) = strongest(&values[start..end]).filter(passes) {
            starts.push(start + change.at);
        }
    }
    starts.push(values.len());
    let mut found: Vec<ChangePoint> = Vec::new();
    let mut at = 1;
    while at + 1 < starts.len() {
        let (start, end) = (starts[at - 1], starts[at + 1]);
        let start_near = start.max(starts[at].saturating_sub(LONGEST));
        let end_near = end.min(starts[at] + LONGEST);
        match strongest(&values[start_near..end_near]).filter(passes) {
            Some(change) => {
                let place = start_near + change.at;
                starts[at] = place;
                found.push(ChangePoint { at: place, ..change });
                at += 1;
            }
            None => {
                starts.remove(at);
            }
        }
    }
    found
}

/// The split with the largest standardised rank sum; equal values share their mean rank.
fn strongest(values: &[f64]) -> Option<ChangePoint> {
    let n = values.len();
    if n < 2 * SHORTEST {
        return None;
    }
    let (ranks, ties) = ranks(values);
    let total = n as f64;
    // Ties make the variance smaller (Lehmann 1975, section 1.4).
    let spread = (total + 1.0 - ties / (total * (total - 1.0))) / 12.0;
    let mut sum = 0.0;
    let mut best: Option<ChangePoint> = None;
    for (index, rank) in ranks.iter().enumerate().take(n - SHORTEST) {
        sum += rank;
        let first = (index + 1) as f64;
        if index + 1 < SHORTEST || spread <= 0.0 {
            continue;
        }
        let expected = first * (total + 1.0) / 2.0;
        let statistic = (expected - sum) / (first * (total - first) * spread).sqrt();
        if best.is_none_or(|best| statistic.abs() > best.statistic.abs()) {
            best = Some(ChangePoint { at: index + 1, statistic });
        }
    }
    best
}

/// Mean ranks from 1, and Σ(t³ − t) over groups of t equal values.
fn ranks(values: &[f64]) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut ties = 0.0;
    let mut start = 0;
    while start < order.len() {
        let first = values[order[start]];
        let count =
            order[start..].iter().take_while(|&&i| values[i].total_cmp(&first).is_eq()).count();
        let rank = start as f64 + (count as f64 + 1.0) / 2.0;
        for &index in &order[start..start + count] {
            ranks[index] = rank;
        }
        ties += (count as f64).powi(3) - count as f64;
        start += count;
    }
    (ranks, ties)
}

/// The median of each part between change points.
pub(super) fn levels(values: &[f64], changes: &[ChangePoint]) -> Vec<(usize, f64)> {
    let starts = std::iter::once(0).chain(changes.iter().map(|change| change.at));
    let ends = (changes.iter().map(|change| change.at)).chain(std::iter::once(values.len()));
    starts
        .zip(ends)
        .filter_map(|(start, end)| Some((start, median(&values[start..end])?)))
        .collect()
}
