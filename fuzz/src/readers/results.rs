//! Readers of what fgd itself writes, or is told: arrays, records, suites, requests, caches.

use fgd_captioner::run;
use fgd_encoder::cache::EmbeddingCache;
use fgd_metrics::moments::Moments;
use fgd_record::Record;
use fgd_reports::{Format, Style, render};
use fgd_store::arrays;
use fgd_store::digest::HashMemo;

use super::{at, folder};
use crate::Target;

pub const TARGETS: &[Target] = &[
    Target {
        name: "npy",
        seeds: &["metrics/distances/candidates.npy"],
        run: npy,
        file: "embeddings.npy",
        commands: &[&["moments", "{}", "-o", "{out}.npz"], &["score", "{}", "--references", "{}"]],
    },
    Target {
        name: "npz",
        seeds: &["score/moments-without-n.npz"],
        run: npz,
        file: "moments.npz",
        commands: &[
            &["merge", "{}", "{}", "-o", "{out}.npz"],
            &["score", "{}", "--references", "{}"],
        ],
    },
    Target {
        name: "record",
        seeds: &[
            "../reports/tests/golden/score.json",
            "../reports/tests/golden/compare-few.json",
            "../reports/tests/golden/leaderboard.json",
            "../reports/tests/golden/bench-server.json",
            "../reports/tests/golden/caption.json",
        ],
        run: record,
        file: "record.json",
        commands: &[
            &["report", "{}"],
            &["report", "{}", "--report", "{out}"],
            &["export", "bmf", "{}"],
        ],
    },
    Target {
        name: "suite",
        seeds: &["../src/nightly/suite/example.toml"],
        run: |bytes| drop(at("suite.toml", bytes, fgd::nightly::suite::read)),
        file: "suite.toml",
        commands: &[&["nightly", "report", "{}"]],
    },
    Target {
        name: "request",
        seeds: &[],
        run: |bytes| drop(serde_json::from_slice::<fgd::jobs::request::Request>(bytes)),
        file: "request.json",
        commands: &[],
    },
    Target { name: "sqlite", seeds: &[], run: kept, file: "embeddings.sqlite", commands: &[] },
];

fn npy(bytes: &[u8]) {
    if let Ok(rows) = at("rows.npy", bytes, arrays::read_embeddings) {
        let mut moments = Moments::new(rows.ncols());
        drop(moments.push_rows(rows.view()));
    }
}

fn npz(bytes: &[u8]) {
    if let Ok(read) = at("moments.npz", bytes, arrays::read_moments) {
        drop(Moments::from_mean_covariance(read.n.unwrap_or(2), read.mu, read.sigma, 1));
    }
}

fn record(bytes: &[u8]) {
    let Ok(record) = Record::from_json(&String::from_utf8_lossy(bytes)) else { return };
    for format in Format::ALL {
        let text = render(&record, format, &Style::default());
        let obeyed = text.contains(|c: char| c.is_control() && c != '\n');
        assert!(!obeyed, "a terminal would obey the {format}");
    }
}

/// What a program keeps between runs, damaged on the disk.
fn kept(bytes: &[u8]) {
    let cache = folder().join("cache");
    drop(std::fs::remove_dir_all(&cache));
    std::fs::create_dir_all(&cache).expect("a folder for inputs");
    std::fs::write(EmbeddingCache::file(&cache), bytes).expect("an input can be written");
    if let Ok(mut cache) = EmbeddingCache::open(&cache)
        && let Ok(encoder) = cache.encoder("key", "an encoder")
    {
        if let Ok(found) = cache.get(&encoder, &["a", "b"], 2) {
            let whole = [[0.5, 0.25], [1.0, 2.0]];
            for (found, whole) in found.iter().zip(whole) {
                assert!(found.as_ref().is_none_or(|row| row.as_slice() == Some(&whole)));
            }
        }
        drop(cache.put(&encoder, &["c"], ndarray::arr2(&[[1.0f32, 2.0]]).view()));
        drop(cache.holdings());
    }
    drop(fgd_encoder::cache::clear(&cache));
    at("hashes.json", bytes, HashMemo::open);
    let settings = serde_json::Map::new();
    at("journal.jsonl", bytes, |path| drop(run::Journal::open(path, &settings, false)));
    at("images.csv", bytes, |path| drop(run::list_images(path, None)));
}
