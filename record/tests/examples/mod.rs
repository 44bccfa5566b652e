//! Records with plausible numbers, hostile captions, missing values and texts of many scripts.

#![allow(dead_code)] // each test uses its own part of the examples

mod agreement;
mod bench;
mod caption;
mod compare;
mod curate;
mod leaderboard;
mod nightly;
mod score;
mod select;
mod train;

use fgd_record::*;
use serde_json::json;

pub use agreement::agreement;
pub use caption::caption;
pub use compare::{compare, compare_few};
#[allow(unused_imports)]
pub use curate::curate;
#[allow(unused_imports)] // each test uses its own part of the examples
pub use leaderboard::crowded;
pub use leaderboard::leaderboard;
pub use score::{score, score_identical, score_missing};
pub use select::select;
#[allow(unused_imports)]
pub use train::train;

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
        ("agreement", agreement()),
        ("caption", caption()),
        ("select", select()),
        ("bench-single", bench::single()),
        ("bench-server", bench::server()),
        ("bench-sweep", bench::sweep()),
        ("bench-captioner", bench::captioner()),
        ("nightly", nightly::night()),
        ("train", train()),
        ("curate", curate()),
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
        settings: [("unpaired".to_string(), json!(false)), ("worst".to_string(), json!(3))].into(),
        comparability: Comparability {
            key: "b1946ac92492d234".into(),
            encoder_sha256: Some("a1".repeat(32)),
            tokenizer: Some("b2".repeat(8)),
            config: Some("c3".repeat(8)),
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
        captions: None,
        timings: [("encode".to_string(), 21.5), ("score".to_string(), 0.75)].into(),
    }
}

fn encoder(id: &str, is_gte_small: bool) -> EncoderInfo {
    EncoderInfo {
        id: id.into(),
        revision: Some("17e1f347d17fe144873b1201da91788898c639cd".into()),
        sha256: "a1".repeat(32),
        tokenizer: Some("b2".repeat(8)),
        config: Some("c3".repeat(8)),
        dtype: "f16".into(),
        engine: "packed f32".into(),
        max_length: 512,
        pooling: "mean".into(),
        normalize: true,
        dim: 384,
        is_gte_small,
        deviation: None,
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

/// The captions of systems for the same images, each with its distance; a hostile one among them.
fn captions(images: &[(&str, &str)], systems: &[(&str, &[(&str, f64)])]) -> CaptionTable {
    let numbers = |name: &str, higher, values: Vec<f64>| CaptionNumbers {
        name: name.into(),
        label: if name == "cider_d" { "CIDEr-D".into() } else { name.into() },
        higher_is_better: Some(higher),
        values: values.into_iter().map(Some).collect(),
    };
    let system = |(name, written): &(&str, &[(&str, f64)])| {
        let distances: Vec<f64> = written.iter().map(|(_, distance)| *distance).collect();
        let similar = distances.iter().map(|distance| 2.0 - 2.0 * distance).collect();
        SystemCaptions {
            name: (*name).into(),
            rows: (1..=written.len() as u64).rev().collect(),
            captions: written.iter().map(|(text, _)| (*text).into()).collect(),
            numbers: vec![numbers("distance", false, distances), numbers("cider_d", true, similar)],
            findings: [("repetition".to_string(), vec![1])].into(),
        }
    };
    let label =
        |place: usize| if place.is_multiple_of(2) { "Dog" } else { "Street | \"sign\" 交通" };
    CaptionTable {
        ids: images.iter().map(|(id, _)| (*id).into()).collect(),
        references: images.iter().map(|(_, reference)| vec![(*reference).into()]).collect(),
        groups: [("label".to_string(), (0..images.len()).map(|at| label(at).into()).collect())]
            .into(),
        systems: systems.iter().map(system).collect(),
        thumbnails: [(images[0].0.to_string(), compare::THUMBNAIL.to_string())].into(),
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
            marks: Vec::new(),
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
        distances: Some(distribution(0.0, 0.05, &[310, 1104, 1022, 640, 360, 190, 85, 38, 15, 7])),
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
    Metric { measure, label: label.into(), higher_is_better, is_count: false }
}

fn part(value: &str, n: u64, level: f64) -> SlicePart {
    SlicePart {
        value: value.into(),
        results: ScoreResults { n, references: n, distances: None, ..scores(level) },
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

fn finding(kind: &str, row: Option<u64>, id: &str, message: &str) -> Finding {
    Finding {
        severity: Severity::Note,
        kind: kind.into(),
        input: "submission.csv".into(),
        row,
        id: Some(id.into()),
        message: message.into(),
        more: 0,
    }
}

fn difference(
    (metric, higher): (&str, bool),
    (system, versus): (&str, &str),
    estimate: Measure,
    p: f64,
) -> Difference {
    let slice = |column: &str, value: &str, n, apart: f64| DifferenceSlice {
        column: column.into(),
        value: value.into(),
        n,
        estimate: Measure::estimated(apart, 0.006, [apart - 0.0118, apart + 0.0118]),
        marks: Vec::new(),
    };
    Difference {
        metric: metric.into(),
        higher_is_better: Some(higher),
        system: system.into(),
        versus: versus.into(),
        estimate,
        marks: Vec::new(),
        exchange_p_value: None,
        p_value: Some(p),
        p_holm: Some((2.0 * p).min(1.0)),
        test: "sign-flip, 10000 draws".into(),
        wins: Some(2104),
        ties: Some(311),
        losses: Some(1356),
        minimum_detectable: Some(0.0034),
        n_needed: Some(900),
        slices: vec![
            slice("label", "Dog", 412, -0.012),
            slice("label", "Street", 233, -0.004),
            slice("ocr", "yes", 1204, -0.031),
        ],
    }
}
