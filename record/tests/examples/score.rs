//! Scores: with everything, with little, of identical sets.

use super::*;

/// A score with everything that a score can hold.
pub fn score() -> Record {
    let results = ScoreResults {
        fgd_infinity: Some(Infinity {
            value: Measure::estimated(0.0331, 0.0011, [0.0309, 0.0353]),
            slope: Some(29.4),
            r2: Some(0.9987),
            points: vec![
                (500, 0.0921),
                (1000, 0.0625),
                (1500, 0.0524),
                (2000, 0.0477),
                (3000, 0.0431),
                (3771, 0.0412),
            ],
        }),
        metrics: [
            (
                "cider_d".to_string(),
                metric("CIDEr-D", Measure::estimated(0.8127, 0.019, [0.775, 0.850]), Some(true)),
            ),
            ("bleu_4".to_string(), metric("BLEU-4", Measure::exact(0.2213), Some(true))),
            (
                "vendi".to_string(),
                metric("Vendi score", Measure::estimated(412.3, 11.0, [388.0, 447.0]), None),
            ),
            (
                "ocr_recall".to_string(),
                metric("OCR recall", Measure::missing("no reference quotes any text"), Some(true)),
            ),
            (
                "ocr_images".to_string(),
                Metric {
                    is_count: true,
                    ..metric("images with text in a reference", Measure::exact(0.0), None)
                },
            ),
        ]
        .into(),
        slices: vec![Slice {
            column: "label".into(),
            parts: vec![
                part("Dog", 412, -0.0101),
                part("Street | \"sign\" 交通", 233, 0.0312),
                part("=1+1", 3126, 0.0004),
            ],
        }],
        influences: Some(distribution(-0.25, 0.1, &[3, 44, 1402, 1711, 480, 101, 21, 6, 2, 1])),
        texts: Some(TextStatistics {
            lengths: distribution(0.0, 5.0, &[12, 880, 1905, 720, 200, 50, 4]),
            reference_lengths: Some(distribution(0.0, 5.0, &[5, 610, 1650, 1004, 380, 102, 20])),
            duplicates: 0.0312,
            repetitive: 0.0016,
        }),
        worst: vec![
            worst("000123.jpg", 17, HOSTILE, "A man riding a horse on a beach."),
            worst(
                "000777.jpg",
                61,
                "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a",
                "Ein Bär 🐻 im Wald — 森の中の熊がゆっくり歩いている",
            ),
            worst("=2+3.jpg", 803, "@SUM(A1:A9)", "The sign reads \"OPEN\"."),
        ],
        ..scores(0.0)
    };
    let mut record = record(Results::Score(Box::new(results)), "submission.csv");
    record.findings = vec![
        finding("repetition", Some(61), "000777.jpg", "\"a\" is repeated 32 times"),
        finding("repetition", Some(90), "000801.jpg", "\"the\" is repeated 9 times"),
        finding("embedded-newline", Some(17), "000123.jpg", "the caption holds a newline"),
    ];
    let images = [
        ("000123.jpg", "A man riding a horse on a beach."),
        ("000777.jpg", "Ein Bär 🐻 im Wald"),
        ("=2+3.jpg", "The sign reads \"OPEN\"."),
        ("000001.jpg", "A dog."),
    ];
    let written =
        [(HOSTILE, 0.4983), ("a a a a a a a a", 0.4939), ("@SUM(A1:A9)", 0.4197), ("a dog", 0.0)];
    record.captions = Some(captions(&images, &[("submission.csv", &written)]));
    record
}

/// A score without pairs, of another encoder, on too few captions.
pub fn score_missing() -> Record {
    let results = ScoreResults {
        n: 2,
        references: 21_367,
        pairing: Pairing::Unpaired,
        fgd_paired: Measure::missing("the references belong to other images"),
        fgd_set: SetMeasure {
            value: Some(0.412),
            warning: Some("2 captions are too few: at 384 dimensions the bias alone is about 0.4; 4,000 captions would bring it to 0.008".into()),
            reason: Some("no standard error from 2 captions".into()),
            ..SetMeasure::default()
        },
        decomposition: None,
        mean_cosine: Measure::missing("the references belong to other images"),
        ..ScoreResults::default()
    };
    let mut record = record(Results::Score(Box::new(results)), "tiny.csv");
    record.encoder = Some(encoder("intfloat/e5-small-v2", false));
    record.comparability.key = "591785b794601e21".into();
    record.tool.commit = None;
    record.tool.dirty = None;
    record.host.memory_bytes = None;
    record
}

/// A submission equal to its references: all distances are zero.
pub fn score_identical() -> Record {
    let zero = Measure::estimated(0.0, 0.0, [0.0, 0.0]);
    let results = ScoreResults {
        n: 300,
        references: 300,
        fgd_paired: zero,
        fgd_set: SetMeasure {
            value: Some(0.0),
            bias: Some(0.0),
            corrected: Some(0.0),
            se: Some(0.0),
            ci95: Some([0.0, 0.0]),
            ..SetMeasure::default()
        },
        decomposition: Some(Decomposition {
            mean_shift: 0.0,
            covariance: 3.1e-17,
            misalignment: -3.1e-17,
        }),
        mean_cosine: Measure::estimated(1.0, 0.0, [1.0, 1.0]),
        ..ScoreResults::default()
    };
    let mut record = record(Results::Score(Box::new(results)), "references-again.csv");
    record.encoder = None;
    record
}
