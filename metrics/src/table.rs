//! The table of metrics: what scores, slices, comparisons, gates and nightly series iterate or look names up in.
//!
//! A new metric is one file with an `impl Metric` and one line here.
//!
//! ```
//! use fgd_metrics::metric::Direction;
//! use fgd_metrics::table::metric;
//!
//! let cider_d = metric("cider_d").expect("it is in the table");
//! assert_eq!((cider_d.label, cider_d.direction), ("CIDEr-D", Direction::Higher));
//! assert!(cider_d.is_mean && !metric("bleu_4").expect("so is BLEU").is_mean);
//! ```

use crate::distances::{FgdInfinity, FgdPaired, FgdSet};
use crate::metric::{Definition, Group, Metric};
use crate::mmd::Mmd;
use crate::prdc::NearestNeighbours;
use crate::sliced::SlicedWasserstein;
use crate::text::{Bleu, Cider, Meteor, RougeL, TextRecall, Variety};
use crate::vendi::Vendi;

/// All metrics.
pub static METRICS: &[&dyn Metric] = &[
    &FgdPaired,
    &FgdSet,
    &FgdInfinity,
    &Mmd,
    &SlicedWasserstein,
    &NearestNeighbours,
    &Vendi,
    &Bleu,
    &RougeL,
    &Meteor,
    &Cider,
    &Variety,
    &TextRecall,
];

/// The group of all metrics.
pub const ALL: Group = Group::new("all", "All of these");

/// What is known of the number that records call `name`.
pub fn metric(name: &str) -> Option<&'static Definition> {
    METRICS
        .iter()
        .flat_map(|metric| metric.definitions())
        .find(|definition| definition.name == name)
}

/// The group that computes the number of this name; `None` for what every score has, and for what nothing computes.
pub fn group_of(name: &str) -> Option<Group> {
    let has = |metric: &&&dyn Metric| metric.definitions().iter().any(|found| found.name == name);
    METRICS.iter().find(has)?.group()
}

/// The groups that can be asked for, [`ALL`] last.
pub fn groups() -> impl Iterator<Item = Group> {
    METRICS.iter().filter_map(|metric| metric.group()).chain([ALL])
}

/// The group of this name.
pub fn group(name: &str) -> Option<Group> {
    groups().find(|group| group.name == name)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::MetricError;
    use crate::estimate::Unavailable;
    use crate::metric::FGD_SET;
    use crate::samples::{Captions, Sample};

    #[test]
    fn every_metric_yields_what_it_says() {
        let caption =
            |i: usize| format!("a picture of {i} dogs and a sign that says \"dog {}\"", i * i);
        let candidates: Vec<String> = (0..12).map(caption).collect();
        let references: Vec<String> = (1..13).map(caption).collect();
        let lists = references.iter().map(|text| vec![text.as_str()]).collect();
        let rows = |phase: f32| {
            Array2::from_shape_fn((12, 3), |(i, j)| ((i * 3 + j) as f32 + phase).sin())
        };
        let (a, b) = (rows(0.0), rows(0.3));
        let image_of: Vec<usize> = (0..12).collect();
        let sample = Sample {
            candidates: a.view(),
            references: b.view(),
            image_of: Some(&image_of),
            units: None,
            population: None,
            captions: Some(Captions::new(&candidates, lists, |_| false)),
            seed: 1,
        };
        let mut names = Vec::new();
        for metric in METRICS {
            let definitions = metric.definitions();
            let name = definitions[0].name;
            let found = metric.evaluate(&sample).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.values.len(), definitions.len(), "{name}");
            for (definition, found) in definitions.iter().zip(&found.values) {
                let value = found.value.unwrap_or(f64::NAN);
                assert!(value.is_finite(), "{}", definition.name);
                assert!(!definition.is_count || value.fract() == 0.0, "{}", definition.name);
                if let Some(statistics) = &found.statistics {
                    assert_eq!(statistics.is_mean(), definition.is_mean, "{}", definition.name);
                    assert_eq!(statistics.images(), 12, "{}", definition.name);
                    assert!((statistics.value() - value).abs() < 1e-12);
                }
                names.push(definition.name);
            }
        }
        let listed = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), listed, "two metrics of one name");
    }

    /// Where the sample is all there is nothing is left to chance but what is drawn at random besides, and of four times as many
    /// images √¾ of the error is.
    #[test]
    fn every_error_is_one_of_the_finite_population() {
        let candidates: Vec<String> =
            (0..40).map(|i| format!("{} dogs, a sign \"dog {}\"", i % 7, i % 3)).collect();
        let references: Vec<String> =
            (0..40).map(|i| format!("{} dogs, a sign \"dog {}\"", i % 5, i % 4)).collect();
        let lists: Vec<Vec<&str>> = references.iter().map(|text| vec![text.as_str()]).collect();
        let rows = |phase: f32| {
            Array2::from_shape_fn((40, 2), |(i, j)| ((i * i * 2 + j) as f32 + phase).sin())
        };
        let (a, b) = (rows(0.0), rows(0.9));
        let image_of: Vec<usize> = (0..40).collect();
        let errors = |metric: &dyn Metric, population| -> Vec<f64> {
            let sample = Sample {
                population,
                captions: Some(Captions::new(&candidates, lists.clone(), |_| false)),
                ..Sample::of_embeddings(a.view(), b.view(), Some(&image_of))
            };
            let found = metric.evaluate(&sample).unwrap();
            found.values.iter().filter_map(|value| Some(value.estimate?.se)).collect()
        };
        let mut errors_seen = 0;
        for metric in METRICS {
            let name = metric.definitions()[0].name;
            let [of_all, of_four, of_endless] =
                [Some(40.0), Some(160.0), None].map(|population| errors(*metric, population));
            for ((all, four), endless) in of_all.iter().zip(&of_four).zip(&of_endless) {
                let expected = 0.25 * all * all + 0.75 * endless * endless;
                // The set distance's uncertainty of its bias shrinks with the bias, and what pairs of images make as well.
                let is_of_pairs = [FGD_SET, "mmd2_rbf"].contains(&name);
                let close = (four * four - expected).abs() <= 1e-9 * expected || is_of_pairs;
                assert!(close && four <= endless, "{name}: {four} {endless}");
                assert!(*all < 1e-9 || name == "sliced_w2", "{name}: {all}");
                errors_seen += usize::from(four < endless);
            }
        }
        assert!(errors_seen >= 10, "{errors_seen}");
    }

    #[test]
    fn no_interval_leaves_the_range_of_its_number() {
        let candidates = ["a red bus on a street", "two dogs", "a sign that says \"stop\""];
        let candidates = candidates.map(str::to_owned);
        let references = ["a red bus on the street", "two dogs", "a \"stop\" sign, a \"way\" sign"];
        let lists = references.iter().map(|text| vec![*text]).collect();
        let (a, b) = (Array2::eye(3), Array2::eye(3).slice_move(ndarray::s![..;-1, ..]));
        let sample = Sample {
            captions: Some(Captions::new(&candidates, lists, |_| false)),
            ..Sample::of_embeddings(a.view(), b.view(), Some(&[0, 1, 2]))
        };
        let mut ends = 0;
        for metric in METRICS {
            let Ok(found) = metric.evaluate(&sample) else { continue };
            for (Definition { name, range: [low, high], .. }, value) in
                metric.definitions().iter().zip(found.values)
            {
                let lies = |value: f64| (*low..=high + 1e-9).contains(&value);
                assert!(value.value.is_some_and(lies), "{name}: {:?}", value.value);
                let Some(estimate) = value.estimate else { continue };
                let inside = estimate.ci95.iter().all(|bound| (low..=high).contains(&bound));
                assert!(inside, "{name}: {:?}", estimate.ci95);
                ends +=
                    usize::from(estimate.ci95[1] == *high) + usize::from(estimate.ci95[0] == *low);
            }
        }
        assert!(ends > 5, "{ends}");
    }

    #[test]
    fn without_text_to_read_its_images_are_none_and_the_recall_is_missing() {
        let rows = Array2::eye(2);
        let candidates = ["a dog", "a cat"].map(str::to_owned);
        let lists = candidates.iter().map(|text| vec![text.as_str()]).collect();
        let sample = Sample {
            captions: Some(Captions::new(&candidates, lists, |_| false)),
            ..Sample::of_embeddings(rows.view(), rows.view(), Some(&[0, 1]))
        };
        let [recall, images] = TextRecall.evaluate(&sample).unwrap().values.try_into().unwrap();
        assert_eq!((recall.value, recall.reason), (None, Some(Unavailable::NothingToRead)));
        assert_eq!((images.value, images.reason), (Some(0.0), None));
    }

    #[test]
    fn words_are_not_to_be_had_from_embeddings() {
        let rows = Array2::eye(4);
        let sample = Sample {
            candidates: rows.view(),
            references: rows.view(),
            image_of: None,
            units: None,
            population: None,
            captions: None,
            seed: 0,
        };
        let bleu = METRICS.iter().find(|metric| metric.definitions()[0].name == "bleu_1");
        let found = bleu.and_then(|metric| metric.evaluate(&sample).err());
        assert_eq!(found, Some(MetricError::NoCaptions));
    }
}
