//! Where mutation starts: the repository's fixtures, what was found before, and formats that no fixture has.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use fgd_captions::{Cells, Table, TableFormat};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

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
        "sheet" => vec![PARTS.as_bytes().to_vec()],
        "parquet" | "table" => vec![parquet(3), parquet(40)],
        "request" => vec![br#"{"job": "score", "submission": "a.csv", "references": {"path": "b.csv"}, "worst": 3}"#.to_vec()],
        "sqlite" => sqlite().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The parts of a small workbook, each after a line with its name.
const PARTS: &str = r#"%xl/workbook.xml
<workbook><workbookPr date1904="0"/><sheets><sheet name="a" sheetId="1" r:id="r1"/><sheet name="b" state="hidden" r:id="r9"/></sheets></workbook>
%xl/_rels/workbook.xml.rels
<Relationships><Relationship Id="r1" Type="x/worksheet" Target="s.xml"/><Relationship Id="r2" Type="x/sharedStrings" Target="/xl/t.xml"/><Relationship Id="r3" Type="x/styles" Target="y.xml"/></Relationships>
%xl/t.xml
<sst uniqueCount="4"><si><t>image_id</t></si><si><t>caption</t></si><si><r><t>a &amp; bus</t></r><rPh><t>no</t></rPh></si><si/></sst>
%xl/y.xml
<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>
%xl/s.xml
<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>
<row r="2"><c r="A2"><v>7</v></c><c r="B2" t="s"><v>2</v></c></row><row r="3"><c r="A3" s="1"><v>45293.5</v></c><c t="inlineStr"><is><t>two _x000D_ dogs</t></is></c></row>
<row><c t="b"><v>1</v></c><c t="e"><f>A1</f><v>#N/A</v></c></row></sheetData></worksheet>
"#;

/// A workbook of parts that are written like [`PARTS`].
pub fn workbook(parts: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for part in parts.split(|&byte| byte == b'%') {
        let end = part.iter().position(|&byte| byte == b'\n').unwrap_or(part.len());
        let (name, content) = part.split_at(end);
        // Writing to memory fails only for names that an archive has already.
        if archive.start_file(String::from_utf8_lossy(name), stored).is_ok() {
            let _ = archive.write_all(content);
        }
    }
    archive.finish().map(Cursor::into_inner).unwrap_or_default()
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
