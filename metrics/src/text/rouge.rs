//! ROUGE-L (Lin 2004, W04-1013) as pycocoevalcap computes it.

use rayon::prelude::*;

use super::corpus::{Corpus, WordId, alignable};
use crate::MetricError;
use crate::metric::{Definition, Evaluation, Group, Metric, SHARES};
use crate::samples::Sample;
use crate::sufficient::Statistics;

/// How much recall weighs against precision.
const BETA: f64 = 1.2;

/// ROUGE-L, in the table of metrics.
pub(crate) struct RougeL;

impl Metric for RougeL {
    fn group(&self) -> Option<Group> {
        Some(Group::new("rouge", "ROUGE-L"))
    }

    fn definitions(&self) -> &'static [Definition] {
        const { &[Definition::higher("rouge_l", "ROUGE-L").mean().within(SHARES)] }
    }

    fn compute(&self, sample: &Sample) -> Result<Evaluation, MetricError> {
        Evaluation::of([rouge_l(sample.captions()?.corpus()?)]).drawn_as(sample)
    }
}

/// F-measure over the longest common subsequence of words, in [0, 1]; the corpus value is the mean.
///
/// With several references the best precision and the best recall are combined, even if they come from different
/// references. An empty caption counts as one empty word, as in pycocoevalcap: it scores 0 against any words and 1
/// against an empty reference.
pub fn rouge_l(corpus: &Corpus) -> Statistics {
    let values =
        (corpus.par_images()).map(|(candidate, references)| caption(candidate, references));
    Statistics::mean(values.collect())
}

fn caption(candidate: &[WordId], references: &[Vec<WordId>]) -> f64 {
    let (mut precision, mut recall) = (0.0_f64, 0.0_f64);
    for reference in references {
        if candidate.is_empty() && reference.is_empty() {
            return 1.0;
        }
        let common = longest_common_subsequence(alignable(candidate), alignable(reference)) as f64;
        precision = precision.max(common / candidate.len().max(1) as f64);
        recall = recall.max(common / reference.len().max(1) as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    let weight = BETA * BETA;
    (1.0 + weight) * precision * recall / (recall + weight * precision)
}

/// Length of the longest common subsequence, with one row of the dynamic programme kept.
fn longest_common_subsequence(a: &[WordId], b: &[WordId]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for (j, other) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if word == other { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsequences_keep_the_order_and_may_have_gaps() {
        assert_eq!(longest_common_subsequence(&[1, 2, 3, 4], &[1, 9, 3, 2, 4]), 3);
        assert_eq!(longest_common_subsequence(&[1, 2], &[]), 0);
    }

    #[test]
    fn the_example_of_the_paper() {
        // Lin 2004, section 3.1: reference "police killed the gunman", candidates "police kill the gunman" (3/4) and
        // "the gunman kill police" (2/4); equal lengths make F equal to P and R whatever beta is.
        let corpus = Corpus::new(
            &["police kill the gunman", "the gunman kill police"],
            &[vec!["police killed the gunman"], vec!["police killed the gunman"]],
        );
        let scores = rouge_l(&corpus.expect("a valid corpus"));
        assert!((scores.per_image()[0] - 0.75).abs() < 1e-12);
        assert!((scores.per_image()[1] - 0.5).abs() < 1e-12);
        assert!((scores.value() - 0.625).abs() < 1e-12);
    }

    #[test]
    fn empty_captions_are_defined() {
        let corpus =
            Corpus::new(&["", "", "a"], &[vec![""], vec!["a"], vec![""]]).expect("a valid corpus");
        assert_eq!(rouge_l(&corpus).per_image(), [1.0, 0.0, 0.0]);
    }
}
