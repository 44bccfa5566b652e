//! Which further metrics a score has, and where they come from.

use super::numbers::{PerCaption, distribution};
use super::set::EvalSet;
use clap::ValueEnum;
use fgd_metrics::estimate::Estimate;
use fgd_metrics::mmd::{Kernel, median_distance, mmd2_all};
use fgd_metrics::samples::TwoSamples;
use fgd_metrics::text::{self, Corpus, Scores, Side};
use fgd_metrics::{MetricError, infinity, prdc, sliced, vendi};
use fgd_record::{Infinity, Measure, Metric, ScoreResults, TextStatistics};
use std::collections::HashMap;

/// Sample sizes that FGD∞ is extrapolated from.
const INFINITY_POINTS: usize = 10;
/// Random directions of the sliced distance.
const DIRECTIONS: usize = 128;
/// Neighbours of precision, recall, density and coverage, as in Naeem et al. 2020.
const NEIGHBOURS: usize = 5;

/// A group of metrics that `--metrics` names. Both distances, the decomposition and the mean cosine are
/// always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// The set distance at an infinite number of captions.
    Infinity,
    /// Kernel distances: MMD² with an RBF and a cubic kernel, and the energy distance.
    Mmd,
    /// Sliced 2-Wasserstein distance.
    Sliced,
    /// Precision, recall, density and coverage.
    Prdc,
    /// Effective number of different captions.
    Vendi,
    /// BLEU-1 to BLEU-4.
    Bleu,
    /// ROUGE-L.
    Rouge,
    /// METEOR, exact and stem stages only.
    Meteor,
    /// CIDEr and CIDEr-D.
    Cider,
    /// distinct-n, vocabulary, length and repetition.
    Diversity,
    /// Recall of text that the references read from the picture.
    Ocr,
    /// All of these.
    All,
}

/// What to compute besides the distances.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// The groups.
    pub groups: Vec<Group>,
    /// Seed of everything random.
    pub seed: u64,
}

impl Choice {
    fn has(&self, group: Group) -> bool {
        self.groups.contains(&group) || self.groups.contains(&Group::All)
    }

    fn has_any(&self, groups: &[Group]) -> bool {
        groups.iter().any(|&group| self.has(group))
    }
}

/// Adds the chosen metrics to `results` and, where they have a value per caption, to `per_caption`.
pub(super) fn add(
    set: &EvalSet,
    choice: &Choice,
    results: &mut ScoreResults,
    per_caption: &mut PerCaption,
) -> Result<(), MetricError> {
    if choice.has(Group::Infinity) {
        results.fgd_infinity = infinite(set, choice.seed);
    }
    let mut table = Table { results };
    if choice.has_any(&[Group::Mmd, Group::Sliced, Group::Prdc, Group::Vendi]) {
        add_distances(set, choice, &mut table)?;
    }
    let wants_text = choice.has_any(&[
        Group::Bleu,
        Group::Rouge,
        Group::Meteor,
        Group::Cider,
        Group::Diversity,
        Group::Ocr,
    ]);
    if wants_text {
        add_texts(set, choice, &mut table, per_caption);
    }
    Ok(())
}

/// Where metrics are put into the results.
struct Table<'a> {
    results: &'a mut ScoreResults,
}

impl Table<'_> {
    fn put(&mut self, name: &str, label: &str, higher_is_better: Option<bool>, measure: Measure) {
        let metric = Metric {
            measure,
            label: label.into(),
            higher_is_better,
        };
        self.results.metrics.insert(name.into(), metric);
    }

    fn put_estimate(&mut self, name: &str, label: &str, better: Option<bool>, estimate: Estimate) {
        let measure = Measure::estimated(estimate.value, estimate.se, estimate.ci95);
        self.put(name, label, better, measure);
    }

    /// A metric that this set cannot have is listed as missing rather than left out.
    fn put_result(
        &mut self,
        name: &str,
        label: &str,
        better: Option<bool>,
        result: Result<Estimate, MetricError>,
    ) {
        match result {
            Ok(estimate) => self.put_estimate(name, label, better, estimate),
            Err(error) => self.put(name, label, better, Measure::missing(error.to_string())),
        }
    }
}

fn infinite(set: &EvalSet, seed: u64) -> Option<Infinity> {
    let (candidates, references) = set.views();
    let line = infinity::fgd_infinity(
        candidates,
        references,
        set.sampling(),
        seed,
        INFINITY_POINTS,
    );
    Some(match line {
        Ok(line) => Infinity {
            value: {
                let estimate = Estimate::normal(line.intercept, line.intercept_se);
                Measure::estimated(estimate.value, estimate.se, estimate.ci95)
            },
            slope: line.slope,
            r2: line.r2,
            points: line
                .points
                .iter()
                .map(|point| (point.n as u64, point.value))
                .collect(),
        },
        Err(error) => Infinity {
            value: Measure::missing(error.to_string()),
            slope: 0.0,
            r2: 0.0,
            points: Vec::new(),
        },
    })
}

fn add_distances(set: &EvalSet, choice: &Choice, table: &mut Table) -> Result<(), MetricError> {
    let samples = match set.pairs() {
        Some(pairs) => TwoSamples::by_image(&pairs)?,
        None => TwoSamples::independent(set.candidates.view(), set.references.view())?,
    };
    if choice.has(Group::Mmd) {
        let (candidates, references) = set.views();
        let bandwidth = median_distance(candidates, references, choice.seed);
        let kernels = [
            Kernel::Rbf { bandwidth },
            Kernel::Cubic { gamma: 1.0 },
            Kernel::Distance,
        ];
        let names = [
            ("mmd2_rbf", "MMD² (RBF, median heuristic)"),
            ("mmd2_cubic", "MMD² (cubic, γ = 1)"),
            ("energy", "energy distance"),
        ];
        match mmd2_all(&samples, &kernels) {
            Ok(estimates) => {
                for ((name, label), estimate) in names.into_iter().zip(estimates) {
                    table.put_estimate(name, label, Some(false), estimate);
                }
            }
            Err(error) => {
                for (name, label) in names {
                    table.put_result(name, label, Some(false), Err(error.clone()));
                }
            }
        }
    }
    if choice.has(Group::Sliced) {
        let result = sliced::sliced_wasserstein2(&samples, DIRECTIONS, choice.seed);
        table.put_result("sliced_w2", "sliced 2-Wasserstein", Some(false), result);
    }
    if choice.has(Group::Prdc) {
        match prdc::prdc(&samples, NEIGHBOURS) {
            Ok(prdc) => {
                for (name, estimate) in [
                    ("precision", prdc.precision),
                    ("recall", prdc.recall),
                    ("density", prdc.density),
                    ("coverage", prdc.coverage),
                ] {
                    table.put_estimate(name, name, Some(true), estimate);
                }
            }
            Err(error) => table.put_result("precision", "precision", Some(true), Err(error)),
        }
    }
    if choice.has(Group::Vendi) {
        let result = vendi::vendi_score(set.candidates.view());
        table.put_result("vendi", "Vendi score (effective captions)", None, result);
    }
    Ok(())
}

fn add_texts(set: &EvalSet, choice: &Choice, table: &mut Table, per_caption: &mut PerCaption) {
    let missing = |table: &mut Table, reason: &str| {
        table.put(
            "text",
            "caption metrics",
            None,
            Measure::missing(reason.to_owned()),
        );
    };
    let Some(texts) = set.texts.as_ref().filter(|_| set.image_of.is_some()) else {
        return missing(
            table,
            "caption metrics need captions on both sides, paired by id",
        );
    };
    let references = set.references_of();
    let corpus = match Corpus::new(&texts.candidates, &references) {
        Ok(corpus) => corpus,
        Err(error) => return missing(table, &error.to_string()),
    };
    let mut put = |name: &str, label: &str, scores: Scores| {
        let measure = match scores.estimate() {
            Ok(estimate) => Measure::estimated(estimate.value, estimate.se, estimate.ci95),
            Err(unavailable) => Measure {
                reason: Some(unavailable.to_string()),
                ..Measure::exact(scores.corpus)
            },
        };
        table.put(name, label, Some(true), measure);
        per_caption.metrics.insert(name.into(), scores.per_caption);
    };
    if choice.has(Group::Bleu) {
        for (order, scores) in text::bleu(&corpus).into_iter().enumerate() {
            let n = order + 1;
            put(&format!("bleu_{n}"), &format!("BLEU-{n}"), scores);
        }
    }
    if choice.has(Group::Rouge) {
        put("rouge_l", "ROUGE-L", text::rouge_l(&corpus));
    }
    if choice.has(Group::Meteor) {
        put(
            "meteor_exact_stem",
            "METEOR (exact+stem)",
            text::meteor(&corpus),
        );
    }
    if choice.has(Group::Cider) {
        put("cider", "CIDEr", text::cider(&corpus));
        put("cider_d", "CIDEr-D", text::cider_d(&corpus));
    }
    if choice.has(Group::Ocr) {
        match text::read_text(&texts.candidates, &references) {
            Ok(read) => add_read_text(set, read, table, per_caption),
            Err(error) => missing(table, &error.to_string()),
        }
    }
    if choice.has(Group::Diversity) {
        add_diversity(&corpus, &texts.candidates, table);
    }
}

fn add_read_text(
    set: &EvalSet,
    read: text::ReadText,
    table: &mut Table,
    per_caption: &mut PerCaption,
) {
    let label = "recall of text in the picture";
    let Some(recall) = read.recall else {
        let reason = "no reference holds quoted or upper-case text";
        return table.put("ocr_recall", label, Some(true), Measure::missing(reason));
    };
    let measure = match recall.estimate() {
        Ok(estimate) => Measure::estimated(estimate.value, estimate.se, estimate.ci95),
        Err(_) => Measure::exact(recall.corpus),
    };
    table.put("ocr_recall", label, Some(true), measure);
    table.put(
        "ocr_images",
        "images with text in a reference",
        None,
        Measure::exact(read.captions.len() as f64),
    );
    // Most images have no text to read: an empty cell would say so, a column of floats says NaN.
    let mut column = vec![f64::NAN; set.len()];
    for (&image, value) in read.captions.iter().zip(recall.per_caption) {
        column[image] = value;
    }
    per_caption.metrics.insert("ocr_recall".into(), column);
}

fn add_diversity(corpus: &Corpus, captions: &[String], table: &mut Table) {
    let own = text::diversity(corpus, Side::Candidates);
    let theirs = text::diversity(corpus, Side::References);
    for (n, distinct) in own.distinct.iter().enumerate() {
        let n = n + 1;
        table.put(
            &format!("distinct_{n}"),
            &format!("distinct-{n}"),
            Some(true),
            Measure::exact(distinct.corpus),
        );
    }
    for (name, label, value) in [
        ("vocabulary", "different words", own.vocabulary as f64),
        ("words", "mean words per caption", own.length.mean),
        (
            "reference_words",
            "mean words per reference",
            theirs.length.mean,
        ),
    ] {
        table.put(name, label, None, Measure::exact(value));
    }
    table.put(
        "runaway",
        "share with runaway repetition",
        Some(false),
        Measure::exact(own.runaway),
    );
    let lengths: Vec<f64> = (0..corpus.len())
        .map(|i| corpus.candidate(i).count() as f64)
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for caption in captions {
        *counts.entry(caption).or_default() += 1;
    }
    let duplicates: usize = counts.values().filter(|&&count| count > 1).sum();
    table.results.texts = Some(TextStatistics {
        lengths: distribution(&lengths),
        reference_lengths: None,
        duplicates: duplicates as f64 / captions.len() as f64,
        repetitive: own.runaway,
    });
}
