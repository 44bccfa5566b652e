//! METEOR with its exact and stem stages: [`align`] pairs words, this file scores the pairs.

mod align;
mod function_words;

use rayon::prelude::*;
use rust_stemmers::{Algorithm, Stemmer};

use super::corpus::{Corpus, WordId, alignable};
use crate::MetricError;
use crate::metric::{Definition, Evaluation, Group, Metric, SHARES};
use crate::samples::Sample;
use crate::sufficient::Statistics;
use align::{Match, Stage, align};
use function_words::is_function_word;

const ALPHA: f64 = 0.85;
const BETA: f64 = 0.2;
const GAMMA: f64 = 0.6;
/// Weight of a content word; a function word has 1 − δ.
const DELTA: f64 = 0.75;
const STEM_WEIGHT: f64 = 0.6;

/// METEOR, in the table of metrics.
pub(crate) struct Meteor;

impl Metric for Meteor {
    fn group(&self) -> Option<Group> {
        Some(Group::new("meteor", "METEOR, exact and stem stages only"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const { &[Definition::higher("meteor_exact_stem", "METEOR (exact+stem)").within(SHARES)] }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        Evaluation::of([meteor(sample.captions()?.corpus()?)]).drawn_as(sample)
    }
}

/// METEOR (exact+stem), in [0, 1]: Banerjee & Lavie 2005 (W05-0909), Denkowski & Lavie 2014 (W14-3348).
///
/// METEOR aligns the words of candidate and reference one to one, takes a weighted F-measure of the words
/// that found a partner and lowers it by how scattered the alignment is. Parameters are those of METEOR 1.5 for
/// English (task "rank"): α = 0.85, β = 0.2, γ = 0.6, δ = 0.75; a pair of equal words weighs 1, a pair of equal
/// stems (Snowball's English stemmer, "Porter2") 0.6.
///
/// What differs from the METEOR that pycocoevalcap runs: no synonyms (WordNet) and no paraphrases, which need
/// data of their own, so values are lower and not comparable with published ones: always name it `METEOR (exact+stem)`.
/// Nor are the words tokenised a second time, as pycocoevalcap's `-norm` does. METEOR 1.5 itself, run with
/// `-m 'exact stem' -w '1.0 0.6'` on the same words, is what the tests compare with.
///
/// With several references the one that gives the best score counts. The corpus value is computed from the summed
/// statistics of all captions, as METEOR does, not as the mean of the per-caption values. A caption without words, or
/// without a match, scores 0.
pub fn meteor(corpus: &Corpus) -> Statistics {
    let lexicon = Lexicon::new(corpus.words());
    let rows: Vec<[f64; COLUMNS]> = corpus
        .par_images()
        .map(|(candidate, references)| lexicon.best(candidate, references))
        .collect();
    Statistics::pooled(&rows, value)
}

/// Columns of a row: weight of the matched words, then weight of all words, each for candidate and reference; number
/// of matches; number of chunks.
const COLUMNS: usize = 6;

fn value(sums: &[f64]) -> f64 {
    let &[matched_candidate, matched_reference, candidate, reference, matches, chunks] = sums
    else {
        return 0.0;
    };
    if matches <= 0.0 {
        return 0.0;
    }
    let precision = matched_candidate / candidate;
    let recall = matched_reference / reference;
    let f_mean = 1.0 / ((1.0 - ALPHA) / precision + ALPHA / recall);
    f_mean * (1.0 - GAMMA * (chunks / matches).powf(BETA))
}

/// What METEOR knows of each word of the vocabulary.
struct Lexicon {
    /// Equal numbers for words of equal stem.
    stems: Vec<u32>,
    weights: Vec<f64>,
}

impl Lexicon {
    fn new(words: &[String]) -> Self {
        let stemmer = Stemmer::create(Algorithm::English);
        let mut numbers = std::collections::HashMap::new();
        let stems = words
            .iter()
            .map(|word| {
                let next = numbers.len() as u32;
                *numbers.entry(stemmer.stem(word).into_owned()).or_insert(next)
            })
            .collect();
        let weight = |word: &String| {
            if is_function_word(word) { 1.0 - DELTA } else { DELTA }
        };
        Self { stems, weights: words.iter().map(weight).collect() }
    }

    fn best(&self, candidate: &[WordId], references: &[Vec<WordId>]) -> [f64; COLUMNS] {
        let mut best = ([0.0; COLUMNS], f64::NEG_INFINITY);
        for reference in references {
            let row = self.row(candidate, reference);
            let score = value(&row);
            if score > best.1 {
                best = (row, score);
            }
        }
        best.0
    }

    fn row(&self, candidate: &[WordId], reference: &[WordId]) -> [f64; COLUMNS] {
        let stem = |word: WordId| self.stems[word as usize];
        let alignment = align(alignable(candidate), alignable(reference), stem);
        let weight = |word: WordId| self.weights[word as usize];
        let matched = |side: fn(&Match) -> usize, words: &[WordId]| -> f64 {
            alignment
                .matches
                .iter()
                .map(|pair| stage_weight(pair.stage) * weight(words[side(pair)]))
                .sum()
        };
        // Two captions that match word by word are not fragmented at all; otherwise even one chunk is.
        let matches = alignment.matches.len();
        let whole =
            matches == candidate.len() && matches == reference.len() && alignment.chunks == 1;
        let chunks = if whole { 0 } else { alignment.chunks };
        [
            matched(|pair| pair.candidate, candidate),
            matched(|pair| pair.reference, reference),
            candidate.iter().map(|&word| weight(word)).sum(),
            reference.iter().map(|&word| weight(word)).sum(),
            matches as f64,
            chunks as f64,
        ]
    }
}

fn stage_weight(stage: Stage) -> f64 {
    match stage {
        Stage::Exact => 1.0,
        Stage::Stem => STEM_WEIGHT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(candidate: &str, references: &[&str]) -> f64 {
        let corpus = Corpus::new(&[candidate], &[references.to_vec()]);
        meteor(&corpus.expect("a valid corpus")).value()
    }

    #[test]
    fn the_reference_itself_scores_one() {
        assert!(
            (one("two dogs run on the beach", &["two dogs run on the beach"]) - 1.0).abs() < 1e-12
        );
    }

    #[test]
    fn a_stem_counts_for_less_than_the_word() {
        let stem = one("dog running", &["dogs run"]);
        assert!(stem > 0.0 && stem < one("dogs run", &["dogs run"]));
        assert_eq!(one("went", &["go"]), 0.0);
    }

    #[test]
    fn order_matters() {
        assert!(
            one("a cat on the mat", &["a cat on the mat"])
                > one("mat the on cat a", &["a cat on the mat"])
        );
    }

    #[test]
    fn the_best_reference_counts() {
        let best = one("a red bus", &["nothing alike", "a red bus", ""]);
        assert!((best - 1.0).abs() < 1e-12);
    }

    #[test]
    fn empty_captions_score_zero() {
        for (candidate, reference) in [("", ""), ("", "a b"), ("a b", "")] {
            assert_eq!(one(candidate, &[reference]), 0.0);
        }
    }
}
