//! A captioner's run in numbers, as a record has them.

use fgd_captioner::run::{Outcome, Summary};
use fgd_metrics::compare::quantile;
use fgd_record::{CaptionFailure, CaptionMilliseconds, CaptionResults, CaptionStages, Measure};

use crate::host;

/// Fewest captions whose 99th percentile is not just the slowest.
const ENOUGH_FOR_P99: usize = 100;

/// The numbers of a run. Peak memory is that of the process so far.
pub fn results(outcomes: &[Outcome], summary: &Summary, load_seconds: f64) -> CaptionResults {
    let rate = |count: usize| match summary.captioned > 0 && summary.seconds > 0.0 {
        true => Measure::exact(count as f64 / summary.seconds),
        false if summary.captions > 0 => {
            Measure::missing("every caption was taken over from an earlier run")
        }
        false => Measure::missing("there is no caption"),
    };
    let failures = summary.broken.iter();
    CaptionResults {
        images: summary.images as u64,
        captions: summary.captions as u64,
        captions_sha256: None,
        resumed: summary.resumed as u64,
        tokens: outcomes.iter().map(|o| o.generated() as u64).sum(),
        failures: failures
            .map(|(image_id, reason)| CaptionFailure {
                image_id: image_id.clone(),
                reason: reason.clone(),
            })
            .collect(),
        batch: summary.batch as u64,
        cached_features: summary.cached_features as u64,
        load_seconds,
        seconds: summary.seconds,
        stages: CaptionStages {
            preprocess: summary.stages.preprocess,
            vision: summary.stages.vision,
            language: summary.stages.language,
        },
        // A file that could not be read is no image captioned, now or by an earlier run.
        images_per_second: rate(summary.captioned),
        tokens_per_second: rate(summary.tokens),
        caption_ms: milliseconds(outcomes.iter().filter_map(|o| o.milliseconds).collect()),
        peak_memory_bytes: host::peak_memory_bytes(),
    }
}

fn milliseconds(mut times: Vec<f64>) -> Option<CaptionMilliseconds> {
    times.sort_by(f64::total_cmp);
    let max = *times.last()?;
    Some(CaptionMilliseconds {
        captions: times.len() as u64,
        mean: times.iter().sum::<f64>() / times.len() as f64,
        p50: quantile(&times, 0.5),
        p90: quantile(&times, 0.9),
        p99: (times.len() >= ENOUGH_FOR_P99).then(|| quantile(&times, 0.99)),
        max,
    })
}

#[cfg(test)]
mod tests {
    use fgd_captioner::run::Stages;

    use super::*;

    fn outcome(id: u32, milliseconds: f64) -> Outcome {
        Outcome {
            id: id.to_string(),
            caption: Some("a dog".into()),
            tokens: vec![7, 8, 1],
            samples: Vec::new(),
            milliseconds: Some(milliseconds),
            file: None,
            error: None,
        }
    }

    fn summary(images: usize, resumed: usize) -> Summary {
        Summary {
            images,
            captions: images,
            broken: Vec::new(),
            resumed,
            captioned: images - resumed,
            tokens: 3 * (images - resumed),
            seconds: 2.0,
            cached_features: 0,
            batch: 4,
            stages: Stages::default(),
        }
    }

    #[test]
    fn rates_are_of_this_run_and_times_of_all() {
        let mut outcomes: Vec<Outcome> = (0..101).map(|i| outcome(i, f64::from(i))).collect();
        // What an earlier run could not read, nor this one, takes nothing off what this one made.
        outcomes.push(Outcome {
            caption: None,
            tokens: Vec::new(),
            milliseconds: None,
            error: Some("broken".into()),
            ..outcome(101, 0.0)
        });
        let found = results(&outcomes, &summary(101, 91), 0.5);
        assert_eq!(found.images_per_second.value, Some(5.0));
        assert_eq!(found.tokens_per_second.value, Some(15.0));
        assert_eq!(found.tokens, 303);
        let ms = found.caption_ms.unwrap();
        assert_eq!((ms.captions, ms.mean, ms.max), (101, 50.0, 100.0));
        assert_eq!((ms.p50, ms.p90, ms.p99), (50.0, 90.0, Some(99.0)));
    }

    #[test]
    fn a_run_with_nothing_to_do_has_no_rate_and_says_why() {
        let outcomes: Vec<Outcome> = (0..3).map(|i| outcome(i, 10.0)).collect();
        let found = results(&outcomes, &summary(3, 3), 0.5);
        assert_eq!(found.images_per_second.value, None);
        let reason = found.images_per_second.reason.unwrap();
        assert_eq!(reason, "every caption was taken over from an earlier run");
        assert_eq!(found.caption_ms.unwrap().p99, None);
        let none = results(&[], &summary(0, 0), 0.5);
        assert_eq!(none.caption_ms, None);
        assert_eq!(none.images_per_second.reason.unwrap(), "there is no caption");
    }
}
