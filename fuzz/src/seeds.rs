//! Where mutation starts: the repository's fixtures, what was found before, and formats that no fixture has.

use std::io::Write;
use std::path::{Path, PathBuf};

use fgd_captions::{Cells, Table, TableFormat};

/// The repository's fixtures.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}

/// Inputs that once were trouble for this target: `fixtures/fuzz/TARGET/*`.
pub fn found(target: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(fixtures().join("fuzz").join(target)) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// Small files that are made rather than kept.
pub fn made(target: &str) -> Vec<Vec<u8>> {
    match target {
        "parquet" | "table" => vec![parquet(3), parquet(40)],
        "request" => vec![br#"{"job": "score", "submission": "a.csv", "references": {"path": "b.csv"}, "worst": 3}"#.to_vec()],
        "sqlite" => sqlite().into_iter().collect(),
        _ => Vec::new(),
    }
}

fn parquet(rows: usize) -> Vec<u8> {
    let mut table = Table::default();
    table.push("image_id", Cells::text((0..rows).map(|row| row.to_string())));
    table.push("caption", Cells::text((0..rows).map(|row| format!("a dog and {} cats", row % 3))));
    table.push("score", Cells::numbers((0..rows).map(|row| row as f64 / 8.0)));
    table.push("count", Cells::counts((0..rows).map(|row| row as u64)));
    let mut bytes = Vec::new();
    // Writing to memory cannot fail; if it did, the test would miss a seed.
    let _ = table.write(TableFormat::Parquet, &mut bytes);
    let _ = bytes.flush();
    bytes
}

fn sqlite() -> Option<Vec<u8>> {
    use fgd_encoder::cache::EmbeddingCache;
    let folder = tempfile::tempdir().ok()?;
    let mut cache = EmbeddingCache::open(folder.path()).ok()?;
    let encoder = cache.encoder("key", "an encoder").ok()?;
    let rows = ndarray::arr2(&[[0.5f32, 0.25], [1.0, 2.0]]);
    cache.put(&encoder, &["a", "b"], rows.view()).ok()?;
    drop(cache);
    std::fs::read(EmbeddingCache::file(folder.path())).ok()
}
