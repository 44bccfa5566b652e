//! Readers of captions: every format, as a whole and in pieces, and what is done with captions before they are embedded.

use fgd_captions::{Pieces, ReadOptions, TableFile};
use fgd_metrics::text::{Corpus, bleu, cider_d, meteor, read_text, rouge_l};

use super::{at, folder};
use crate::Target;
use crate::seeds::workbook;

const SCORE: &[&str] = &[
    "score",
    "{}",
    "--references",
    "{}",
    "--encoder",
    "{encoder}",
    "--metrics",
    "all",
    "--no-cache",
];
const VALIDATE: &[&str] = &["validate", "{}", "--all"];
const CAPTIONS: &[&[&str]] = &[VALIDATE, SCORE];

pub const TARGETS: &[Target] = &[
    Target {
        name: "csv",
        seeds: &[
            "captions/template.csv",
            "malformed/open_quote.csv",
            "malformed/inner_quotes.csv",
            "malformed/unquoted_commas.csv",
            "malformed/bom_semicolons.csv",
            "malformed/latin1.csv",
            "malformed/no_header.csv",
            "malformed/newline_spaces.csv",
        ],
        run: |bytes| captions("csv", bytes),
        file: "captions.csv",
        commands: CAPTIONS,
    },
    Target {
        name: "tsv",
        seeds: &["captions/good.tsv"],
        run: |bytes| captions("tsv", bytes),
        file: "captions.tsv",
        commands: CAPTIONS,
    },
    Target {
        name: "json",
        seeds: &[
            "captions/good.json",
            "malformed/broken.json",
            "malformed/by_column.json",
            "malformed/wrong_types.json",
        ],
        run: |bytes| captions("json", bytes),
        file: "captions.json",
        commands: CAPTIONS,
    },
    Target {
        name: "coco",
        seeds: &["captions/good.coco.json"],
        run: |bytes| captions("json", bytes),
        file: "coco.json",
        commands: CAPTIONS,
    },
    Target {
        name: "jsonl",
        seeds: &["captions/good.jsonl", "malformed/one_bad_line.jsonl"],
        run: |bytes| captions("jsonl", bytes),
        file: "captions.jsonl",
        commands: CAPTIONS,
    },
    Target {
        name: "gzip",
        seeds: &["captions/good.csv.gz", "malformed/cut.csv.gz"],
        run: |bytes| captions("csv.gz", bytes),
        file: "captions.csv.gz",
        commands: CAPTIONS,
    },
    Target {
        name: "parquet",
        seeds: &["captions/good.parquet"],
        run: |bytes| captions("parquet", bytes),
        file: "captions.parquet",
        commands: CAPTIONS,
    },
    Target {
        name: "xlsx",
        seeds: &[
            "workbooks/pandas-openpyxl.xlsx",
            "workbooks/pandas-xlsxwriter.xlsx",
            "workbooks/constant-memory.xlsx",
            "workbooks/several-sheets.xlsx",
        ],
        run: |bytes| captions("xlsx", bytes),
        file: "captions.xlsx",
        commands: CAPTIONS,
    },
    Target {
        // Archives have checksums, behind which mutations of their parts do not come.
        name: "sheet",
        seeds: &[],
        run: |bytes| captions("xlsx", &workbook(bytes)),
        file: "sheet.xml",
        commands: &[],
    },
    Target {
        name: "unnamed",
        seeds: &[
            "captions/good.csv",
            "captions/good.json",
            "captions/good.jsonl",
            "captions/good.parquet",
        ],
        run: |bytes| captions("data", bytes),
        file: "captions",
        commands: CAPTIONS,
    },
    Target { name: "table", seeds: &[], run: table, file: "history.parquet", commands: &[] },
    Target {
        name: "words",
        seeds: &["captions/good.csv", "captions/references.csv"],
        run: words,
        file: "captions.csv",
        commands: &[SCORE],
    },
    Target {
        // The first byte says how long pieces are.
        name: "pieces",
        seeds: &[
            "captions/good.csv",
            "captions/good.tsv",
            "captions/good.jsonl",
            "captions/good.csv.gz",
            "captions/good.parquet",
            "malformed/open_quote.csv",
            "malformed/inner_quotes.csv",
            "malformed/bom_semicolons.csv",
            "malformed/newline_spaces.csv",
            "malformed/one_bad_line.jsonl",
        ],
        run: pieces,
        file: "captions",
        commands: &[],
    },
];

/// Everything that `validate` and `score` do with a caption file before it is embedded.
fn captions(extension: &str, bytes: &[u8]) {
    let options = ReadOptions::default();
    at(&format!("captions.{extension}"), bytes, |path| {
        let Ok(file) = fgd_captions::read(path, &options) else { return };
        let mut found = file.findings.clone();
        found.extend(fgd_captions::lint(&file));
        found.extend(fgd_captions::duplicates(&file));
        found.extend(fgd_captions::align(&file, &file).findings);
        if let Ok(template) = fgd_captions::read_template(path, &options) {
            found.extend(fgd_captions::check_template(&file, &template));
        }
        for finding in &found {
            let text = finding.to_string();
            assert!(!text.contains(char::is_control), "a terminal would obey {text:?}");
        }
        for name in file.column_names() {
            file.column(name);
        }
    });
}

/// A file in pieces of any size: as many rows as it has in one.
fn pieces(bytes: &[u8]) {
    let options = ReadOptions::default();
    let size = bytes.first().map_or(1, |&byte| 1 + u64::from(byte));
    at("pieces", bytes, |path| {
        let Ok(mut pieces) = Pieces::cut(path, &options, size) else { return };
        let mut rows = 0;
        loop {
            match pieces.next_piece() {
                Ok(Some(piece)) => match piece.read() {
                    Ok(mut file) => rows = file.count_from(rows, &mut []),
                    Err(_) => return,
                },
                Ok(None) => break,
                Err(_) => return,
            }
        }
        if let Ok(mut whole) = fgd_captions::read(path, &options) {
            assert_eq!(rows, whole.count_from(0, &mut []), "rows in pieces of {size} bytes");
        }
    });
}

fn table(bytes: &[u8]) {
    use fgd_captions::Kind;
    let columns = [("image_id", Kind::Text), ("score", Kind::Number), ("count", Kind::Count)];
    let table = at("table.parquet", bytes, |path| fgd_captions::read_parquet(path, &columns));
    if let Ok(table) = table
        && let Ok(file) = TableFile::create(&folder().join("again.csv"))
    {
        drop(file.write(&table));
    }
}

/// Lines in turns as candidates and references, for the metrics over words.
fn words(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let candidates: Vec<&str> = lines.iter().step_by(2).copied().collect();
    let references: Vec<Vec<&str>> =
        (0..candidates.len()).map(|at| vec![*lines.get(2 * at + 1).unwrap_or(&"")]).collect();
    let Ok(corpus) = Corpus::new(&candidates, &references) else { return };
    for scores in [meteor(&corpus), rouge_l(&corpus), cider_d(&corpus)] {
        assert!(scores.value().is_finite());
    }
    drop(bleu(&corpus));
    drop(read_text(&candidates, &references));
}
