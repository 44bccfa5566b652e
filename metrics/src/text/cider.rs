//! CIDEr and CIDEr-D (Vedantam, Zitnick & Parikh 2015, arXiv:1411.5726): similarity of TF-IDF weighted n-grams.
//!
//! Both average, over the references of an image and over n = 1 to 4, the cosine of the two captions' TF-IDF vectors,
//! and both are multiplied by 10 as in the authors' code. CIDEr-D adds two defences against gaming, clipping and a
//! Gaussian penalty on the difference in length; it is what pycocoevalcap prints under the name "CIDEr". Neither stems
//! the words (the paper's CIDEr does; the authors' code does not).

use std::collections::HashMap;

use rayon::prelude::*;

use super::corpus::{Corpus, WordId};
use super::ngrams::{Counts, MAX_ORDER, Ngram, profile};
use crate::MetricError;
use crate::metric::{Definition, Evaluation, Group, Metric};
use crate::samples::Sample;
use crate::sufficient::Statistics;

/// Width of CIDEr-D's length penalty, in words.
const SIGMA: f64 = 6.0;
const SCALE: f64 = 10.0;

/// CIDEr and CIDEr-D, in the table of metrics.
pub(crate) struct Cider;

impl Metric for Cider {
    fn group(&self) -> Option<Group> {
        Some(Group::new("cider", "CIDEr and CIDEr-D"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const {
            &[
                Definition::higher("cider", "CIDEr").mean().within([0.0, SCALE]),
                Definition::higher("cider_d", "CIDEr-D").mean().within([0.0, SCALE]),
            ]
        }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        let corpus = sample.captions()?.corpus()?;
        Evaluation::of([cider(corpus), cider_d(corpus)]).drawn_as(sample)
    }
}

/// CIDEr, in [0, 10]; the corpus value is the mean. Vedantam, Zitnick & Parikh 2015, arXiv:1411.5726.
///
/// The cosine of the two captions' TF-IDF vectors, averaged over the references and over n-grams of 1 to 4 words, times
/// 10 as in the authors' code, which unlike the paper does not stem the words. pycocoevalcap prints [`cider_d`] under
/// this name: compare published values with that.
///
/// The document frequency of an n-gram is the number of images of this corpus with a reference that contains it, so
/// values depend on the corpus: the same caption scores differently in another one, and in a corpus of one image every
/// n-gram is in every document, weighs nothing, and the score is 0.
pub fn cider(corpus: &Corpus) -> Statistics {
    score(corpus, |candidate, reference| cosines(candidate, reference, |a, b| a * b))
}

/// CIDEr-D, in [0, 10]; the corpus value is the mean. What pycocoevalcap calls "CIDEr".
///
/// Against gaming by repetition and length it clips the weight of each n-gram by that in the reference and multiplies by
/// a Gaussian of the difference in length (σ = 6 words). Document frequencies as in [`cider`].
pub fn cider_d(corpus: &Corpus) -> Statistics {
    score(corpus, |candidate, reference| {
        let delta = candidate.length - reference.length;
        let penalty = (-delta * delta / (2.0 * SIGMA * SIGMA)).exp();
        penalty * cosines(candidate, reference, |a, b| a.min(b) * b)
    })
}

fn score(corpus: &Corpus, similarity: fn(&Vector, &Vector) -> f64) -> Statistics {
    let weights = Weights::new(corpus.references());
    let captions = corpus.par_images().map(|(candidate, references)| {
        let candidate = weights.vector(candidate);
        let sum: f64 = references
            .iter()
            .map(|reference| similarity(&candidate, &weights.vector(reference)))
            .sum();
        SCALE * sum / (MAX_ORDER * references.len()) as f64
    });
    Statistics::mean(captions.collect())
}

/// Sum over n of the cosines of two captions, their products of weights taken by `product`.
fn cosines(candidate: &Vector, reference: &Vector, product: fn(f64, f64) -> f64) -> f64 {
    let orders = candidate.orders.iter().zip(&reference.orders);
    orders.map(|(a, b)| a.dot(b, product) / nonzero(a.norm) / nonzero(b.norm)).sum()
}

/// A norm of zero means that all weights are zero, and with them the dot product: no division, then.
fn nonzero(norm: f64) -> f64 {
    if norm == 0.0 { 1.0 } else { norm }
}

/// The TF-IDF vectors of one caption, by order.
struct Vector {
    orders: [Order; MAX_ORDER],
    /// Length as the authors count it: the number of bigrams, which is one less than the number of words.
    length: f64,
}

struct Order {
    /// Ascending n-grams with their weights.
    weights: Vec<(Ngram, f64)>,
    norm: f64,
}

impl Order {
    /// Sum over the n-grams that both captions contain.
    fn dot(&self, other: &Self, product: fn(f64, f64) -> f64) -> f64 {
        let mut rest = other.weights.as_slice();
        let mut sum = 0.0;
        for &(ngram, weight) in &self.weights {
            rest = &rest[rest.partition_point(|&(key, _)| key < ngram)..];
            match rest.first() {
                Some(&(key, other)) if key == ngram => sum += product(weight, other),
                Some(_) => {}
                None => break,
            }
        }
        sum
    }
}

/// Inverse document frequencies.
struct Weights {
    idf: HashMap<Ngram, f64>,
    /// The weight of an n-gram that no reference contains.
    unseen: f64,
}

impl Weights {
    fn new(references: &[Vec<Vec<WordId>>]) -> Self {
        let documents: Vec<Vec<Ngram>> =
            references.par_iter().map(|captions| distinct(captions)).collect();
        let mut frequency: HashMap<Ngram, u32> = HashMap::new();
        for ngram in documents.into_iter().flatten() {
            *frequency.entry(ngram).or_default() += 1;
        }
        let unseen = (references.len() as f64).ln();
        let idf =
            frequency.into_iter().map(|(ngram, count)| (ngram, unseen - f64::from(count).ln()));
        Self { idf: idf.collect(), unseen }
    }

    fn vector(&self, words: &[WordId]) -> Vector {
        Vector {
            orders: profile(words).map(|counts| self.order(counts)),
            length: words.len().saturating_sub(1) as f64,
        }
    }

    fn order(&self, counts: Counts) -> Order {
        let weights: Vec<(Ngram, f64)> = counts
            .into_iter()
            .map(|(ngram, count)| {
                let idf = self.idf.get(&ngram).copied().unwrap_or(self.unseen);
                (ngram, f64::from(count) * idf)
            })
            .collect();
        let norm = weights.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
        Order { weights, norm }
    }
}

/// The n-grams of all orders that occur in any of an image's references.
fn distinct(captions: &[Vec<WordId>]) -> Vec<Ngram> {
    let mut ngrams: Vec<Ngram> = captions
        .iter()
        .flat_map(|words| profile(words))
        .flatten()
        .map(|(ngram, _)| ngram)
        .collect();
    ngrams.sort_unstable();
    ngrams.dedup();
    ngrams
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(candidates: &[&str], references: &[&str]) -> Corpus {
        let references: Vec<Vec<&str>> =
            references.iter().map(|&reference| vec![reference]).collect();
        Corpus::new(candidates, &references).expect("a valid corpus")
    }

    const REFERENCES: [&str; 2] = ["a bus on a wet street", "two dogs asleep on the sofa"];

    #[test]
    fn the_reference_itself_scores_ten() {
        let corpus = corpus(&REFERENCES, &REFERENCES);
        for scores in [cider(&corpus), cider_d(&corpus)] {
            assert!((scores.value() - 10.0).abs() < 1e-12, "{}", scores.value());
        }
    }

    #[test]
    fn repetition_is_punished_by_cider_d_only() {
        let gamed = ["a bus bus bus bus bus bus bus bus bus bus on a wet street", REFERENCES[1]];
        let corpus = corpus(&gamed, &REFERENCES);
        assert!(cider(&corpus).per_image()[0] > 3.0 * cider_d(&corpus).per_image()[0]);
    }

    #[test]
    fn one_image_scores_zero() {
        let corpus = corpus(&["a bus"], &["a bus"]);
        assert_eq!(cider(&corpus).value(), 0.0);
        assert_eq!(cider_d(&corpus).value(), 0.0);
    }

    #[test]
    fn empty_captions_score_zero() {
        let corpus = corpus(&["", "a b", ""], &["a b", "", ""]);
        assert_eq!(cider(&corpus).per_image(), [0.0; 3]);
        assert_eq!(cider_d(&corpus).per_image(), [0.0; 3]);
    }
}
