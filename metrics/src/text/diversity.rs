//! How varied captions are: distinct n-grams, vocabulary and length; and the table's share of captions that run away.

use std::collections::HashMap;

use rayon::prelude::*;

use super::corpus::{Corpus, WordId};
use super::ngrams::{Ngram, counts};
use crate::MetricError;
use crate::metric::{Definition, Detail, Evaluation, Group, Metric, SHARES, Value};
use crate::samples::Sample;

/// Variety of the candidates, in the table of metrics.
pub(crate) struct Variety;

impl Metric for Variety {
    fn group(&self) -> Option<Group> {
        Some(Group::new("diversity", "distinct-n, vocabulary, length and repetition"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::higher("distinct_1", "distinct-1").within(SHARES),
                Definition::higher("distinct_2", "distinct-2").within(SHARES),
                Definition::neither("vocabulary", "different words").count(),
                Definition::neither("words", "mean words per caption"),
                Definition::neither("reference_words", "mean words per reference"),
                Definition::lower("runaway", "share with runaway repetition").within(SHARES),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let captions = sample.sides()?;
        let corpus = captions.corpus()?;
        let own = diversity(corpus, Side::Candidates);
        let theirs = diversity(corpus, Side::References);
        let candidates = captions.candidates;
        let is_runaway = |caption: &&String| (captions.is_runaway)(caption);
        let runaway = candidates.par_iter().filter(is_runaway).count();
        let runaway = share(runaway, candidates.len());
        let values = [
            own.distinct[0],
            own.distinct[1],
            own.vocabulary as f64,
            own.words,
            theirs.words,
            runaway,
        ];
        let lengths = corpus.candidates().iter().map(|words| words.len() as f64);
        Ok(Evaluation {
            detail: Detail::Captions {
                lengths: lengths.collect(),
                duplicates: share(duplicates(candidates), candidates.len()),
                runaway,
            },
            ..Evaluation::of(values.map(Value::exact))
        })
    }
}

/// Captions that are equal to another one.
fn duplicates(captions: &[String]) -> usize {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for caption in captions {
        *counts.entry(caption).or_default() += 1;
    }
    counts.values().filter(|&&count| count > 1).sum()
}

/// Which captions of a corpus to describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// One caption per image.
    Candidates,
    /// Every reference of every image.
    References,
}

/// Description of one side of a corpus; the references' own is what to compare a captioner's with.
#[derive(Debug, Clone)]
pub struct Diversity {
    /// Number of captions described.
    pub captions: usize,
    /// distinct-1 and distinct-2 (Li et al. 2016, arXiv:1510.03055): number of different n-grams over number of n-grams, in [0, 1].
    ///
    /// The values fall as the corpus grows (new n-grams run out): compare them between equally many captions of
    /// similar length only. No standard error is given, because a count of different things is biased in every subsample.
    pub distinct: [f64; 2],
    /// Number of different words.
    pub vocabulary: usize,
    /// Mean number of words.
    pub words: f64,
}

/// Describes the candidates or the references of a corpus.
pub fn diversity(corpus: &Corpus, side: Side) -> Diversity {
    let captions: Vec<&[WordId]> = match side {
        Side::Candidates => corpus.candidates().iter().map(Vec::as_slice).collect(),
        Side::References => corpus.references().iter().flatten().map(Vec::as_slice).collect(),
    };
    let (distinct_1, vocabulary) = distinct(&captions, 1);
    let (distinct_2, _) = distinct(&captions, 2);
    Diversity {
        captions: captions.len(),
        distinct: [distinct_1, distinct_2],
        vocabulary,
        words: share(captions.iter().map(|words| words.len()).sum(), captions.len()),
    }
}

/// distinct-n and the number of different n-grams.
fn distinct(captions: &[&[WordId]], n: usize) -> (f64, usize) {
    let mut ngrams: Vec<Ngram> = captions
        .par_iter()
        .flat_map_iter(|words| counts(words, n))
        .map(|(ngram, _)| ngram)
        .collect();
    ngrams.par_sort_unstable();
    ngrams.dedup();
    let possible = |words: &&[WordId]| (words.len() + 1).saturating_sub(n);
    let total = captions.iter().map(possible).sum();
    (share(ngrams.len(), total), ngrams.len())
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(captions: &[&str]) -> Diversity {
        let references = vec![vec!["a b"]; captions.len()];
        diversity(&Corpus::new(captions, &references).expect("a valid corpus"), Side::Candidates)
    }

    #[test]
    fn distinct_counts_types_over_tokens() {
        let diversity = describe(&["a b a b", "a b c"]);
        assert_eq!(diversity.vocabulary, 3);
        assert_eq!(diversity.distinct[0], 3.0 / 7.0);
        // Bigrams: ab, ba, ab; ab, bc.
        assert_eq!(diversity.distinct[1], 3.0 / 5.0);
        assert_eq!(diversity.words, 3.5);
    }

    #[test]
    fn nothing_is_nan_without_words() {
        let diversity = describe(&[""]);
        assert_eq!(diversity.distinct[0], 0.0);
        assert_eq!((diversity.vocabulary, diversity.words), (0, 0.0));
    }

    #[test]
    fn the_side_asked_for_is_described() {
        let corpus = Corpus::new(&["a a a a a", "a b"], &[vec!["x y", "z"], vec!["x"]])
            .expect("a valid corpus");
        assert_eq!(diversity(&corpus, Side::Candidates).vocabulary, 2);
        let references = diversity(&corpus, Side::References);
        assert_eq!((references.captions, references.vocabulary), (3, 3));
    }

    #[test]
    fn every_copy_is_a_duplicate() {
        let captions = ["a", "b", "a", "a"].map(str::to_owned);
        assert_eq!(duplicates(&captions), 3);
    }
}
