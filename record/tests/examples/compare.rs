//! Comparisons: of systems of every kind, and on few images.

use super::caption::{captioning, checkpoint};
use super::*;

/// A saved record, saved moments and a new system on few images: what can not be had is said.
pub fn compare_few() -> Record {
    let set = |value: f64| {
        SetMeasure {
        value: Some(value),
        reason: Some(
            "300 images or clusters in 384 dimensions: what the sample adds to the distance is known only for more of them than dimensions"
                .into(),
        ),
        ..SetMeasure::default()
    }
    };
    let system = |name: &str, scores: ScoreResults| System {
        name: name.into(),
        scores,
        ..System::default()
    };
    let few = |level: f64, raw: f64| ScoreResults {
        n: 300,
        references: 300,
        fgd_set: set(raw),
        ..scores(level)
    };
    let no_rows = "moments have no rows, so nothing can be paired";
    let moments = ScoreResults {
        n: 3771,
        references: 300,
        pairing: Pairing::Unpaired,
        fgd_paired: Measure::missing(no_rows),
        mean_cosine: Measure::missing(no_rows),
        fgd_set: SetMeasure {
            value: Some(0.0312),
            reason: Some("a standard error needs the embeddings of both sides".into()),
            warning: Some("the file does not say which encoder made its moments: the distance means something only if it is that of the references".into()),
            ..SetMeasure::default()
        },
        ..ScoreResults::default()
    };
    let untested = |metric: &str, pair: (&str, &str), estimate: Measure| Difference {
        metric: metric.into(),
        higher_is_better: Some(false),
        system: pair.0.into(),
        versus: pair.1.into(),
        estimate,
        test: "none".into(),
        ..Difference::default()
    };
    let reason = "moments have no numbers per image; give the captions to test the difference";
    let results = CompareResults {
        n: 300,
        references: 300,
        systems: vec![
            system("old", few(0.0, 0.0613)),
            system("refs-moments", moments),
            system("new", few(-0.0101, 0.0571)),
        ],
        differences: vec![
            untested("fgd_paired", ("refs-moments", "old"), Measure::missing(reason)),
            untested(
                "fgd_set",
                ("refs-moments", "old"),
                Measure { reason: Some(reason.into()), ..Measure::exact(-0.0301) },
            ),
            Difference {
                marks: vec![Mark::SmallSample],
                exchange_p_value: Some(0.032),
                slices: Vec::new(),
                ..difference(
                    ("fgd_set", false),
                    ("new", "old"),
                    Measure::estimated(-0.0042, 0.0019, [-0.0079, -0.0005]),
                    0.21,
                )
            },
        ],
        ..CompareResults::default()
    };
    record(Results::Compare(Box::new(results)), "new.csv")
}

/// Three systems, one of them a checkpoint with an adapter.
pub fn compare() -> Record {
    let tuned = "tuned <b>&amp;</b>";
    let system = |name: &str, level: f64| System {
        name: name.into(),
        scores: ScoreResults {
            slices: vec![Slice {
                column: "label".into(),
                parts: vec![part("Dog", 412, level), part("Street", 233, level + 0.01)],
            }],
            ..scores(level)
        },
        ..System::default()
    };
    let contrast = |image_id: &str, captions: [&str; 3], thumbnail: bool| Contrast {
        image_id: image_id.into(),
        references: vec!["Two brown dogs run along a beach at sunset.".into()],
        captions: ["base", tuned, "other.csv"]
            .into_iter()
            .zip(captions)
            .enumerate()
            .map(|(i, (system, caption))| ContrastCaption {
                system: system.into(),
                caption: caption.into(),
                distance: Some(0.08 + 0.11 * i as f64),
            })
            .collect(),
        thumbnail_jpeg: thumbnail.then(|| THUMBNAIL.into()),
    };
    let results = CompareResults {
        n: 3771,
        references: 3771,
        systems: vec![
            System {
                checkpoint: Some(checkpoint()),
                captioning: Some(captioning()),
                ..system("base", 0.0)
            },
            System {
                captioning: Some(CaptionResults {
                    resumed: 3771,
                    seconds: 0.21,
                    stages: CaptionStages::default(),
                    images_per_second: Measure::missing(
                        "every caption was taken over from an earlier run",
                    ),
                    tokens_per_second: Measure::missing(
                        "every caption was taken over from an earlier run",
                    ),
                    peak_memory_bytes: None,
                    failures: Vec::new(),
                    captions: 3771,
                    ..captioning()
                }),
                ..system(tuned, -0.0084)
            },
            system("other.csv", 0.0007),
        ],
        differences: vec![
            difference(
                ("fgd_paired", false),
                (tuned, "base"),
                Measure::estimated(-0.0084, 0.0011, [-0.01056, -0.00624]),
                0.0001,
            ),
            difference(
                ("fgd_paired", false),
                ("other.csv", "base"),
                Measure::estimated(0.0007, 0.0012, [-0.00165, 0.00305]),
                0.55,
            ),
            Difference {
                wins: None,
                ties: None,
                losses: None,
                slices: Vec::new(),
                ..difference(
                    ("fgd_set", false),
                    ("other.csv", "base"),
                    Measure::estimated(0.0031, 0.0009, [0.00134, 0.00486]),
                    0.0007,
                )
            },
            Difference {
                p_value: None,
                p_holm: None,
                minimum_detectable: None,
                n_needed: None,
                slices: Vec::new(),
                ..difference(
                    ("cider_d", true),
                    ("other.csv", tuned),
                    Measure::missing("CIDEr-D was not computed for other.csv"),
                    0.5,
                )
            },
        ],
        contrasts: vec![
            contrast("000042.jpg", ["two dogs running on a beach", "a cat", HOSTILE], true),
            contrast("000043.jpg", ["a street sign", "", "a bus 🚌 in the rain"], false),
        ],
        gates: vec![
            Gate {
                condition: "fgd_paired<=base+0.002".into(),
                passed: Some(true),
                explanation: "0.1079 ≤ 0.1163 + 0.0020".into(),
            },
            Gate {
                condition: "fgd_set<=base".into(),
                passed: Some(false),
                explanation: "0.0366 > 0.0335".into(),
            },
        ],
    };
    let images = [
        ("000042.jpg", "Two brown dogs run along a beach at sunset."),
        ("000043.jpg", "A street sign stands in the rain."),
        ("</script>.jpg", "A bus stops."),
    ];
    let table = captions(
        &images,
        &[
            (
                "base",
                &[("two dogs running on a beach", 0.08), ("a street sign", 0.21), (HOSTILE, 0.4)],
            ),
            (tuned, &[("a cat", 0.31), ("a street sign in the rain", 0.09), ("a bus", 0.02)]),
            ("other.csv", &[(HOSTILE, 0.42), ("a bus 🚌 in the rain", 0.19), ("", 0.44)]),
        ],
    );
    Record { captions: Some(table), ..record(Results::Compare(Box::new(results)), "other.csv") }
}

/// A small JPEG: two dogs on a beach, drawn with a few ellipses.
pub const THUMBNAIL: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAoHBwgHBgoICAgLCgoLDhgQDg0NDh0VFhEYIx8lJCIfIiEmKzcvJik0KSEiMEExNDk7Pj4+JS5ESUM8SDc9Pjv/2wBDAQoLCw4NDhwQEBw7KCIoOzs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozv/wAARCABrAKADASIAAhEBAxEB/8QAGgABAQEBAQEBAAAAAAAAAAAAAAMGAgUEB//EADEQAAEDAwEHBAEEAQUAAAAAAAABAhIDBBEFExYhUVST0RQxU5JBBiJCUhUjYWKBkf/EABoBAQACAwEAAAAAAAAAAAAAAAADBAECBQb/xAAiEQABBAIDAAMBAQAAAAAAAAAAAQIDERJRBBMhBSMxQXH/2gAMAwEAAhEDEQA/APeiIlIiJ3rORROIiUiIixROIiUiIixROIiUiIixROIiUiIixROIiUiIixROIiUiIixROIiUiejZaWlZiVa2Uavs1PyQcjlR8dmci+EkcTpHYtPKiImgfpNq5uGtVi80U8i4tX21Vab/APpeaFfi/IwcpcWeLpSSbiyRJbvw+aIiUiIl+yvRWIiViIkVm1EoiJWIiLFEoiJWIiLFEoiJWIiLFEoiJWIiLFEoiJWIiLFEoiJWIiLFEo8TRswjGo32xwPBiffaXqMYlOrnCezji/L8eSeNrme1/C/wpWxuVHf09A83V0aqUl/lx/8AD633tBrco+X+yHl3FV1xVm7h+ETkc74riTJOkjkVETZZ5czFjxRbVT5oiJWIiers49FIiJWIiRWb0SiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUViImZ34p9A7uJ4G/FPoHdxPBrg/Rr2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2ZEDC8hheRbKgAwvIYXkAAMLyJPro1cImVI5JWRpb1okjifKtMSypw+q1nBeKkvUO/qhw903ZxxUoTc9uH1L6dCH49+f2p4fQyoj04HZGhTc3KqipktheRd473vjRXpSlLkMYyRWsW0AC8OKkXXCZ/amTMs0cSW9TWKCSVaYllib6zWLj3Un6h39UJrl71wi5X8FCfnorU6f06EHAVHKs35/p9TXI9ModE6LFYzinFSmF5HQic5zEVyUpzpWtbIqMW0AGF5DC8iQjAGF5DC8gD9R2NL4mfVBsaXxM+qHYPEWp6ykONjS+Jn1QbGl8TPqh2BaikOFoUVRU2TOP/FD8y1vSa2narc29FNsynT22U92tVfyfqBmdY0i+utV1CvRoyp1rDYsWSJl+fY2Y730ynhiPSXfp9t6WrCMpQXGOeT79E0qrd6vY0rhq0qddq1mr/ZqG69Hcbq+hh/r+k2cc/yjjB5unaRfW+paPWqUYstrNaVVZJ+13Hgb5+GbNHsaXxM+qDY0viZ9UOwRWprSHz3dhQu7SrbuY1qVWq3KNTKH5beWVxZ1rlkNoy3rbJz2+2V9j9aMfe6FqNX/ACMLfO3v6dan+5OLEzlTdjtmU8MlXtbu3pbSpa1WNRUTLmKiGg/SekvXX6iXbIOtGI/Zrxyrk4ZNP+p7G51HRXW9qydVajFjnHBF4nGm6fc2/wCotRu6tONGtTpox2U4qicTOdoZs9bY0viZ9UGxpfEz6odgjtTWkONjS+Jn1QbGl8TPqh2BaikONjS+Jn1QbGl8TPqh2BaikAAMGQAAAAAAAAAAAAAAAAAAAAAAAAAAD//Z";
