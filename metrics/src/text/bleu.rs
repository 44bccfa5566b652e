//! BLEU (Papineni et al. 2002, P02-1040) as pycocoevalcap computes it, for the corpus and for each caption.

use rayon::prelude::*;

use super::corpus::{Corpus, WordId};
use super::ngrams::{MAX_ORDER, count_of, profile};
use crate::MetricError;
use crate::metric::{Definition, Evaluation, Group, Metric, SHARES};
use crate::samples::Sample;
use crate::sufficient::Statistics;

/// pycocoevalcap's guards: [`TINY`] keeps a caption without matches just above zero so that the product of
/// precisions can be taken, [`SMALL`] keeps empty captions from dividing by zero.
const TINY: f64 = 1e-15;
const SMALL: f64 = 1e-9;

/// Columns of a row: candidate length, reference length, then matched and possible n-grams of each order.
const COLUMNS: usize = 2 + 2 * MAX_ORDER;

/// BLEU, in the table of metrics.
pub(crate) struct Bleu;

impl Metric for Bleu {
    fn group(&self) -> Option<Group> {
        Some(Group::new("bleu", "BLEU-1 to BLEU-4"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::higher("bleu_1", "BLEU-1").within(SHARES),
                Definition::higher("bleu_2", "BLEU-2").within(SHARES),
                Definition::higher("bleu_3", "BLEU-3").within(SHARES),
                Definition::higher("bleu_4", "BLEU-4").within(SHARES),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        Evaluation::of(bleu(sample.captions()?.corpus()?)).drawn_as(sample)
    }
}

/// BLEU-1 to BLEU-4, each in [0, 1] (a caption of identical words exceeds 1 by rounding at most).
///
/// The corpus value pools matched n-grams, possible n-grams and lengths over all captions before dividing; it is not
/// the mean of the per-caption values. The reference length is the one closest to the candidate's, the shorter of two
/// equally close ones. A caption too short to hold an n-gram scores 1e-6 or so on that order for itself, because of
/// the constants above, so per-caption BLEU-4 of captions under four words is not to be read.
pub fn bleu(corpus: &Corpus) -> [Statistics; MAX_ORDER] {
    let rows: Vec<[f64; COLUMNS]> =
        corpus.par_images().map(|(candidate, references)| row(candidate, references)).collect();
    Statistics::pooled_by(&rows, [value::<1>, value::<2>, value::<3>, value::<4>])
}

fn row(candidate: &[WordId], references: &[Vec<WordId>]) -> [f64; COLUMNS] {
    let mut row = [0.0; COLUMNS];
    row[0] = candidate.len() as f64;
    row[1] = closest_length(candidate.len(), references) as f64;

    let candidate_profile = profile(candidate);
    let references: Vec<_> = references.iter().map(|reference| profile(reference)).collect();
    for (order, counts) in candidate_profile.iter().enumerate() {
        let matched: u32 = counts
            .iter()
            .map(|&(ngram, count)| {
                let allowed =
                    references.iter().map(|reference| count_of(&reference[order], ngram)).max();
                count.min(allowed.unwrap_or(0))
            })
            .sum();
        row[2 + order] = f64::from(matched);
        row[2 + MAX_ORDER + order] = candidate.len().saturating_sub(order) as f64;
    }
    row
}

fn closest_length(length: usize, references: &[Vec<WordId>]) -> usize {
    let closest =
        references.iter().map(Vec::len).min_by_key(|&other| (other.abs_diff(length), other));
    closest.unwrap_or(0)
}

/// BLEU of order `N` from the column sums.
fn value<const N: usize>(sums: &[f64]) -> f64 {
    let precisions: f64 = (0..N)
        .map(|order| (sums[2 + order] + TINY) / (sums[2 + MAX_ORDER + order] + SMALL))
        .product();
    let ratio = (sums[0] + TINY) / (sums[1] + SMALL);
    let brevity = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
    precisions.powf(1.0 / N as f64) * brevity
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(candidate: &str, references: &[&str]) -> Corpus {
        Corpus::new(&[candidate], &[references.to_vec()]).expect("a valid corpus")
    }

    #[test]
    fn counts_are_clipped_by_the_most_generous_reference() {
        // The example of Papineni et al. 2002, section 2.1: modified unigram precision 2/7.
        let corpus = corpus(
            "the the the the the the the",
            &["the cat is on the mat", "there is a cat on the mat"],
        );
        assert!((bleu(&corpus)[0].value() - 2.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn of_two_equally_close_references_the_shorter_counts() {
        // Lengths 2 and 4 are equally close to 3: with 2 there is no brevity penalty.
        assert!((bleu(&corpus("a b c", &["a b", "a b c d"]))[0].value() - 1.0).abs() < 1e-8);
        assert!(bleu(&corpus("a b c", &["a b c d"]))[0].value() < 0.75);
    }

    #[test]
    fn empty_captions_score_zero() {
        for (candidate, reference) in [("", "a b c d"), ("", ""), ("a b c d", "")] {
            for scores in bleu(&corpus(candidate, &[reference])) {
                assert!((0.0..1e-3).contains(&scores.value()), "{candidate:?} {reference:?}");
            }
        }
    }
}
