//! Ranks, and what is left open about them.
//!
//! The rank range follows from all pairs: a submission can be no better than one more than the number of
//! submissions that are significantly better than it, and no worse than the number of all less those that are
//! significantly worse. The pairs are tested by their differences and corrected together
//! (Holm, α = 0.05), so with a probability of 95% every range holds its true rank at once (the construction
//! of Mogstad, Romano, Shaikh & Wilhelm 2024, *Inference for ranks*). Submissions whose ranges overlap are not
//! separable.

use fgd_metrics::compare::PairDifference;
use fgd_record::LEVEL;

/// Ranks from 1, lower values first; equal values share the best rank they could have.
pub(super) fn ranks(values: &[f64]) -> Vec<u64> {
    let rank = |value: &f64| 1 + values.iter().filter(|other| *other < value).count() as u64;
    values.iter().map(rank).collect()
}

/// Best and worst rank that the tested pairs leave open.
pub(super) fn rank_ranges(entries: usize, pairs: &[PairDifference]) -> Vec<[u64; 2]> {
    let mut ranges = vec![[1, entries as u64]; entries];
    for pair in pairs.iter().filter(|pair| pair.p_holm < LEVEL) {
        let (better, worse) = if pair.estimate.value < 0.0 {
            (pair.first, pair.second)
        } else {
            (pair.second, pair.first)
        };
        ranges[worse][0] += 1;
        ranges[better][1] -= 1;
    }
    ranges
}

/// Kendall's τ-b of two rankings (Kendall 1945, *The treatment of ties in ranking problems*); `None` where one of
/// them is all ties.
pub(super) fn kendall(a: &[u64], b: &[u64]) -> Option<f64> {
    let (mut score, mut untied_in_a, mut untied_in_b) = (0i64, 0u64, 0u64);
    for i in 0..a.len() {
        for j in 0..i {
            let (of_a, of_b) = (a[i].cmp(&a[j]) as i64, b[i].cmp(&b[j]) as i64);
            score += of_a * of_b;
            untied_in_a += of_a.unsigned_abs();
            untied_in_b += of_b.unsigned_abs();
        }
    }
    let scale = (untied_in_a as f64 * untied_in_b as f64).sqrt();
    (scale > 0.0).then(|| score as f64 / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tau_b_of_rankings_with_ties() {
        // scipy.stats.kendalltau([1, 2, 2, 4], [1, 3, 2, 4]) = 0.912870929175277
        let found = kendall(&[1, 2, 2, 4], &[1, 3, 2, 4]).unwrap();
        assert!((found - 0.912_870_929_175_277).abs() < 1e-12, "{found}");
        assert_eq!(kendall(&[1, 1], &[1, 2]), None);
        assert_eq!(kendall(&[1], &[1]), None);
    }
}
