//! Records with plausible numbers, hostile captions, missing values and texts of many scripts.

#![allow(dead_code)] // each test uses its own part of the examples

mod bench;
pub mod golden;
mod nightly;

use fgd_reports::record::*;
use serde_json::json;

/// A caption that tries everything a caption can try.
pub const HOSTILE: &str = "<script>alert('x')</script> | =cmd()\u{1b}[31m \"quoted\",\nsecond line \u{202e}\u{0}& [a](b) @user";

/// Every example with the name of its golden files.
pub fn all() -> Vec<(&'static str, Record)> {
    vec![
        ("score", score()),
        ("score-missing", score_missing()),
        ("score-identical", score_identical()),
        ("compare", compare()),
        ("compare-few", compare_few()),
        ("leaderboard", leaderboard()),
        ("caption", caption()),
        ("bench-single", bench::single()),
        ("bench-server", bench::server()),
        ("bench-sweep", bench::sweep()),
        ("bench-captioner", bench::captioner()),
        ("nightly", nightly::night()),
    ]
}

fn record(results: Results, submission: &str) -> Record {
    Record {
        schema_version: SCHEMA_VERSION,
        created: "2025-10-09T08:07:06Z".into(),
        tool: Tool {
            name: "fgd".into(),
            version: "0.1.0".into(),
            commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
            dirty: Some(false),
        },
        host: Host {
            cpu: "AMD EPYC 7763 64-Core Processor".into(),
            cores: 2,
            threads: 2,
            memory_bytes: Some(25_769_803_776),
            simd: "avx2".into(),
            os: "linux x86_64".into(),
            gpu: None,
            governor: None,
            cgroup_cpus: Some(2.0),
            cgroup_memory_bytes: None,
            load_at_start: Some(0.25),
        },
        encoder: Some(encoder("thenlper/gte-small", true)),
        checkpoint: None,
        inputs: vec![
            input("submission", submission, 3771),
            input("references", "references.csv", 3771),
        ],
        settings: [
            ("unpaired".to_string(), json!(false)),
            ("worst".to_string(), json!(3)),
        ]
        .into(),
        comparability: Comparability {
            key: "b1946ac92492d234".into(),
            encoder_sha256: Some("a1".repeat(32)),
            precision: "f32".into(),
            pooling: Some("mean, normalised".into()),
            max_length: Some(512),
            references_sha256: Some("b2".repeat(32)),
            metric_version: 1,
        },
        signature:
            "fgd 0.1.0|enc:thenlper/gte-small@17e1f34|f32|mean|512|refs:b2b2b2b2|n:3771|metric:1"
                .into(),
        findings: Vec::new(),
        results,
        timings: [("encode".to_string(), 21.5), ("score".to_string(), 0.75)].into(),
    }
}

fn encoder(id: &str, is_gte_small: bool) -> EncoderInfo {
    EncoderInfo {
        id: id.into(),
        revision: Some("17e1f347d17fe144873b1201da91788898c639cd".into()),
        sha256: "a1".repeat(32),
        dtype: "f16".into(),
        engine: "packed f32".into(),
        max_length: 512,
        pooling: "mean".into(),
        normalize: true,
        dim: 384,
        is_gte_small,
    }
}

fn input(role: &str, name: &str, rows: u64) -> Input {
    Input {
        role: role.into(),
        name: name.into(),
        path: format!("data/{name}"),
        sha256: "c3".repeat(32),
        rows,
    }
}

/// The numbers of one system; `level` moves them all.
pub fn scores(level: f64) -> ScoreResults {
    let paired = 0.116_342 + level;
    let half = 1.96 * 0.0021;
    ScoreResults {
        n: 3771,
        references: 3771,
        pairing: Pairing::Paired,
        fgd_paired: Measure::estimated(paired, 0.0021, [paired - half, paired + half]),
        fgd_set: SetMeasure {
            value: Some(0.041_27 + level / 2.0),
            bias: Some(0.007_81),
            corrected: Some(0.033_46 + level / 2.0),
            se: Some(0.000_92),
            ci95: Some([0.031_66 + level / 2.0, 0.035_26 + level / 2.0]),
            reason: None,
            warning: None,
        },
        decomposition: Some(Decomposition {
            mean_shift: 0.010_1 + level / 4.0,
            covariance: 0.031_1 + level / 4.0,
            misalignment: 0.075_142 + level / 2.0,
        }),
        mean_cosine: Measure::estimated(
            1.0 - paired / 2.0,
            0.001_05,
            [1.0 - (paired + half) / 2.0, 1.0 - (paired - half) / 2.0],
        ),
        distances: Some(distribution(
            0.0,
            0.05,
            &[310, 1104, 1022, 640, 360, 190, 85, 38, 15, 7],
        )),
        ..ScoreResults::default()
    }
}

fn distribution(low: f64, step: f64, counts: &[u64]) -> Distribution {
    let total: u64 = counts.iter().sum();
    let quantile = |share: f64| {
        let mut rest = share * total as f64;
        for (bin, count) in counts.iter().enumerate() {
            if rest <= *count as f64 {
                return low + step * (bin as f64 + rest / *count as f64);
            }
            rest -= *count as f64;
        }
        low + step * counts.len() as f64
    };
    Distribution {
        edges: (0..=counts.len()).map(|i| low + step * i as f64).collect(),
        counts: counts.to_vec(),
        quantiles: [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].map(quantile),
    }
}

fn metric(label: &str, measure: Measure, higher_is_better: Option<bool>) -> Metric {
    Metric {
        measure,
        label: label.into(),
        higher_is_better,
    }
}

fn part(value: &str, n: u64, level: f64) -> SlicePart {
    SlicePart {
        value: value.into(),
        results: ScoreResults {
            n,
            references: n,
            distances: None,
            ..scores(level)
        },
    }
}

fn worst(image_id: &str, row: u64, caption: &str, reference: &str) -> WorstCaption {
    WorstCaption {
        image_id: image_id.into(),
        row,
        caption: caption.into(),
        references: vec![reference.into()],
        distance: Some(0.5 - row as f64 / 10_000.0),
        influence: Some(0.62 - row as f64 / 10_000.0),
        why: "far from its reference and from all others: probably another picture".into(),
    }
}

/// A score with everything that a score can hold.
pub fn score() -> Record {
    let results = ScoreResults {
        fgd_infinity: Some(Infinity {
            value: Measure::estimated(0.0331, 0.0011, [0.0309, 0.0353]),
            slope: 29.4,
            r2: 0.9987,
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
                metric(
                    "CIDEr-D",
                    Measure::estimated(0.8127, 0.019, [0.775, 0.850]),
                    Some(true),
                ),
            ),
            (
                "bleu_4".to_string(),
                metric("BLEU-4", Measure::exact(0.2213), Some(true)),
            ),
            (
                "vendi".to_string(),
                metric(
                    "Vendi score",
                    Measure::estimated(412.3, 11.0, [388.0, 447.0]),
                    None,
                ),
            ),
            (
                "ocr_recall".to_string(),
                metric(
                    "OCR recall",
                    Measure::missing("no reference quotes any text"),
                    Some(true),
                ),
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
        influences: Some(distribution(
            -0.25,
            0.1,
            &[3, 44, 1402, 1711, 480, 101, 21, 6, 2, 1],
        )),
        texts: Some(TextStatistics {
            lengths: distribution(0.0, 5.0, &[12, 880, 1905, 720, 200, 50, 4]),
            reference_lengths: Some(distribution(0.0, 5.0, &[5, 610, 1650, 1004, 380, 102, 20])),
            duplicates: 0.0312,
            repetitive: 0.0016,
        }),
        worst: vec![
            worst(
                "000123.jpg",
                17,
                HOSTILE,
                "A man riding a horse on a beach.",
            ),
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
        finding(
            "repetition",
            Some(61),
            "000777.jpg",
            "\"a\" is repeated 32 times",
        ),
        finding(
            "repetition",
            Some(90),
            "000801.jpg",
            "\"the\" is repeated 9 times",
        ),
        finding(
            "embedded-newline",
            Some(17),
            "000123.jpg",
            "the caption holds a newline",
        ),
    ];
    record
}

fn finding(kind: &str, row: Option<u64>, id: &str, message: &str) -> Finding {
    Finding {
        severity: Severity::Note,
        kind: kind.into(),
        input: "submission.csv".into(),
        row,
        id: Some(id.into()),
        message: message.into(),
    }
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

fn difference(
    (metric, higher): (&str, bool),
    (system, versus): (&str, &str),
    estimate: Measure,
    p: f64,
) -> Difference {
    Difference {
        metric: metric.into(),
        higher_is_better: Some(higher),
        system: system.into(),
        versus: versus.into(),
        estimate,
        warning: None,
        p_value: Some(p),
        p_holm: Some((2.0 * p).min(1.0)),
        test: "sign-flip, 10000 draws".into(),
        wins: Some(2104),
        ties: Some(311),
        losses: Some(1356),
        minimum_detectable: Some(0.0034),
        n_needed: Some(900),
        slices: vec![DifferenceSlice {
            column: "label".into(),
            value: "Dog".into(),
            n: 412,
            estimate: Measure::estimated(-0.012, 0.006, [-0.0238, -0.0002]),
            warning: None,
        }],
    }
}

/// What is said of the interval of a set distance from too few images.
const FEW: &str =
    "300 images in 384 dimensions: the interval is only indicative; the p-value is exact";

/// A captioner's run with a broken image and an earlier run behind it.
fn captioning() -> CaptionResults {
    CaptionResults {
        images: 3771,
        captions: 3769,
        resumed: 1200,
        tokens: 79_210,
        failures: vec![
            CaptionFailure {
                image_id: "000311.jpg".into(),
                reason: "broken image: unexpected end of file".into(),
            },
            CaptionFailure {
                image_id: "<b>.png".into(),
                reason: "not an image; supported are JPEG, PNG, WebP and GIF".into(),
            },
        ],
        batch: 16,
        cached_features: 1024,
        load_seconds: 41.52,
        seconds: 118.4,
        stages: CaptionStages {
            preprocess: 1.31,
            vision: 48.2,
            language: 67.9,
        },
        images_per_second: Measure::exact(21.73),
        tokens_per_second: Measure::exact(456.2),
        caption_ms: Some(CaptionMilliseconds {
            captions: 3769,
            mean: 45.2,
            p50: 44.5,
            p90: 50.1,
            p99: Some(70.0),
            max: 131.7,
        }),
        peak_memory_bytes: Some(9_663_676_416),
    }
}

fn checkpoint() -> CheckpointInfo {
    CheckpointInfo {
        id: "Salesforce/blip2-flan-t5-xl".into(),
        revision: None,
        sha256: "d4".repeat(32),
        adapter: Some(("blip2-lora".into(), "e5".repeat(32))),
        dtype: "bf16".into(),
        device: "cuda:0".into(),
    }
}

/// A run of a checkpoint with an adapter.
pub fn caption() -> Record {
    let mut record = record(Results::Caption(Box::new(captioning())), "");
    record.encoder = None;
    record.checkpoint = Some(checkpoint());
    record.inputs = vec![input("images", "photos", 3771)];
    record.settings = [
        (
            "prompt".to_string(),
            json!("Provide a detailed caption for this photo."),
        ),
        (
            "generation".to_string(),
            json!({ "max_new_tokens": 30, "num_beams": 1 }),
        ),
    ]
    .into();
    record.comparability = Comparability {
        key: "c157a79031e1c40f".into(),
        encoder_sha256: None,
        precision: "bf16".into(),
        pooling: None,
        max_length: None,
        references_sha256: None,
        metric_version: 1,
    };
    record.signature = "fgd:0.1.0|checkpoint:Salesforce/blip2-flan-t5-xl|weights:d4d4d4d4|adapter:e5e5e5e5|bf16|cuda:0|images:c3c3c3c3|key:c157a79031e1c40f".into();
    record
}

/// A saved record, saved moments and a new system on few images: what can not be had is said.
pub fn compare_few() -> Record {
    let set = |value: f64| SetMeasure {
        value: Some(value),
        reason: Some(
            "300 captions in 384 dimensions: the formula needs more captions than dimensions"
                .into(),
        ),
        ..SetMeasure::default()
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
            untested(
                "fgd_paired",
                ("refs-moments", "old"),
                Measure::missing(reason),
            ),
            untested(
                "fgd_set",
                ("refs-moments", "old"),
                Measure {
                    reason: Some(reason.into()),
                    ..Measure::exact(-0.0301)
                },
            ),
            Difference {
                warning: Some(FEW.into()),
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
            contrast(
                "000042.jpg",
                ["two dogs running on a beach", "a cat", HOSTILE],
                true,
            ),
            contrast(
                "000043.jpg",
                ["a street sign", "", "a bus 🚌 in the rain"],
                false,
            ),
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
    record(Results::Compare(Box::new(results)), "other.csv")
}

/// Four submissions ranked, two not.
pub fn leaderboard() -> Record {
    let standing = |name: &str, rank: u64, range: [u64; 2], level: f64, ranks: [u64; 2]| {
        let half = 1.96 * 0.0031;
        let measure = |v: f64| Measure::estimated(v, 0.0031, [v - half, v + half]);
        Standing {
            name: name.into(),
            rank,
            rank_range: range,
            scores: scores(level),
            public: Some(measure(0.1151 + level)),
            private: Some(measure(0.1169 + level)),
            public_rank: Some(ranks[0]),
            private_rank: Some(ranks[1]),
            comparability_key: "b1946ac92492d234".into(),
        }
    };
    let results = LeaderboardResults {
        n: 3771,
        references: 3771,
        ranked_by: "fgd_paired".into(),
        split: Some(Split {
            source: "seed".into(),
            seed: Some(7),
            public: 1131,
            private: 2640,
            rank_correlation: Some(0.67),
        }),
        standings: vec![
            standing("v6-florence.csv", 1, [1, 2], -0.0012, [2, 1]),
            standing("v5 \"final\" <i>.csv", 2, [1, 2], 0.0, [1, 2]),
            standing("Süßes-Kätzchen-日本.csv", 3, [3, 3], 0.0417, [3, 3]),
            standing("=HYPERLINK(1).csv", 4, [4, 4], 0.3312, [4, 4]),
        ],
        differences: vec![
            difference(
                ("fgd_paired", false),
                ("v5 \"final\" <i>.csv", "v6-florence.csv"),
                Measure::estimated(0.0012, 0.0011, [-0.00096, 0.00336]),
                0.28,
            ),
            difference(
                ("fgd_paired", false),
                ("Süßes-Kätzchen-日本.csv", "v5 \"final\" <i>.csv"),
                Measure::estimated(0.0417, 0.0019, [0.03798, 0.04542]),
                0.0001,
            ),
        ],
        rejected: vec![
            Rejected {
                name: "broken.csv".into(),
                reason: "3 problems in the file".into(),
                findings: vec![
                    Finding {
                        severity: Severity::Error,
                        ..finding(
                            "duplicate-id",
                            Some(4),
                            "000001.jpg",
                            "the id stands in rows 3 and 4",
                        )
                    },
                    Finding {
                        severity: Severity::Error,
                        ..finding(
                            "empty-caption",
                            Some(9),
                            "000007.jpg",
                            "the caption is empty",
                        )
                    },
                ],
            },
            Rejected {
                name: "old-run.json".into(),
                reason: "another comparability key: its encoder is intfloat/e5-small-v2".into(),
                findings: Vec::new(),
            },
        ],
    };
    let mut record = record(Results::Leaderboard(Box::new(results)), "v6-florence.csv");
    record.inputs = vec![input("references", "hidden.csv", 3771)];
    record
}

/// A leaderboard of many submissions, as a competition has.
pub fn crowded(submissions: u64) -> Record {
    let mut record = leaderboard();
    if let Results::Leaderboard(results) = &mut record.results {
        let first = results.standings[0].clone();
        results.standings = (1..=submissions)
            .map(|rank| Standing {
                name: format!("team {rank}/submission.csv"),
                rank,
                rank_range: [rank.saturating_sub(3).max(1), (rank + 3).min(submissions)],
                public_rank: Some(submissions + 1 - rank),
                private_rank: Some(rank),
                scores: scores(rank as f64 / 4000.0),
                ..first.clone()
            })
            .collect();
        results.differences.clear();
    }
    record
}

/// A small JPEG: two dogs on a beach, drawn with a few ellipses.
pub const THUMBNAIL: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAoHBwgHBgoICAgLCgoLDhgQDg0NDh0VFhEYIx8lJCIfIiEmKzcvJik0KSEiMEExNDk7Pj4+JS5ESUM8SDc9Pjv/2wBDAQoLCw4NDhwQEBw7KCIoOzs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozv/wAARCABrAKADASIAAhEBAxEB/8QAGgABAQEBAQEBAAAAAAAAAAAAAAMGAgUEB//EADEQAAEDAwEHBAEEAQUAAAAAAAABAhIDBBEFExYhUVST0RQxU5JBBiJCUhUjYWKBkf/EABoBAQACAwEAAAAAAAAAAAAAAAADBAECBQb/xAAiEQABBAIDAAMBAQAAAAAAAAAAAQIDERJRBBMhBSMxQXH/2gAMAwEAAhEDEQA/APeiIlIiJ3rORROIiUiIixROIiUiIixROIiUiIixROIiUiIixROIiUiIixROIiUiIixROIiUiejZaWlZiVa2Uavs1PyQcjlR8dmci+EkcTpHYtPKiImgfpNq5uGtVi80U8i4tX21Vab/APpeaFfi/IwcpcWeLpSSbiyRJbvw+aIiUiIl+yvRWIiViIkVm1EoiJWIiLFEoiJWIiLFEoiJWIiLFEoiJWIiLFEoiJWIiLFEoiJWIiLFEo8TRswjGo32xwPBiffaXqMYlOrnCezji/L8eSeNrme1/C/wpWxuVHf09A83V0aqUl/lx/8AD633tBrco+X+yHl3FV1xVm7h+ETkc74riTJOkjkVETZZ5czFjxRbVT5oiJWIiers49FIiJWIiRWb0SiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUSiIlYiIsUViImZ34p9A7uJ4G/FPoHdxPBrg/Rr2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2aaIiZnfin0Du4ngb8U+gd3E8DB+h2M2ZEDC8hheRbKgAwvIYXkAAMLyJPro1cImVI5JWRpb1okjifKtMSypw+q1nBeKkvUO/qhw903ZxxUoTc9uH1L6dCH49+f2p4fQyoj04HZGhTc3KqipktheRd473vjRXpSlLkMYyRWsW0AC8OKkXXCZ/amTMs0cSW9TWKCSVaYllib6zWLj3Un6h39UJrl71wi5X8FCfnorU6f06EHAVHKs35/p9TXI9ModE6LFYzinFSmF5HQic5zEVyUpzpWtbIqMW0AGF5DC8iQjAGF5DC8gD9R2NL4mfVBsaXxM+qHYPEWp6ykONjS+Jn1QbGl8TPqh2BaikOFoUVRU2TOP/FD8y1vSa2narc29FNsynT22U92tVfyfqBmdY0i+utV1CvRoyp1rDYsWSJl+fY2Y730ynhiPSXfp9t6WrCMpQXGOeT79E0qrd6vY0rhq0qddq1mr/ZqG69Hcbq+hh/r+k2cc/yjjB5unaRfW+paPWqUYstrNaVVZJ+13Hgb5+GbNHsaXxM+qDY0viZ9UOwRWprSHz3dhQu7SrbuY1qVWq3KNTKH5beWVxZ1rlkNoy3rbJz2+2V9j9aMfe6FqNX/ACMLfO3v6dan+5OLEzlTdjtmU8MlXtbu3pbSpa1WNRUTLmKiGg/SekvXX6iXbIOtGI/Zrxyrk4ZNP+p7G51HRXW9qydVajFjnHBF4nGm6fc2/wCotRu6tONGtTpox2U4qicTOdoZs9bY0viZ9UGxpfEz6odgjtTWkONjS+Jn1QbGl8TPqh2BaikONjS+Jn1QbGl8TPqh2BaikAAMGQAAAAAAAAAAAAAAAAAAAAAAAAAAD//Z";
