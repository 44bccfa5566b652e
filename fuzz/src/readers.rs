//! The targets: for each reader a function that brings bytes to it the way a user would.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use fgd_captioner::weights::{Adapter, TensorFiles};
use fgd_captioner::{Captioner, LoadOptions, preprocess, run};
use fgd_captions::{ReadOptions, TableFile};
use fgd_encoder::cache::EmbeddingCache;
use fgd_encoder::{Encoder, Options, Spec, Tokens};
use fgd_metrics::moments::Moments;
use fgd_metrics::text::{Corpus, bleu, cider_d, meteor, read_text, rouge_l};
use fgd_record::Record;
use fgd_reports::{Format, Style, render};
use fgd_store::arrays;
use fgd_store::digest::HashMemo;

use crate::Target;
use crate::seeds::{fixtures, workbook};

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

pub const TARGETS: [Target; 24] = [
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
    Target {
        name: "encoder-config",
        seeds: &["encoder/tiny-mean/config.json"],
        run: |bytes| encoder("config.json", bytes),
        file: "config.json",
        commands: &[],
    },
    Target {
        name: "tokenizer",
        seeds: &["encoder/tiny-mean/tokenizer.json"],
        run: |bytes| encoder("tokenizer.json", bytes),
        file: "tokenizer.json",
        commands: &[],
    },
    Target {
        name: "safetensors",
        seeds: &[
            "encoder/tiny-mean/model.safetensors",
            "tiny-blip2/adapter/adapter_model.safetensors",
        ],
        run: safetensors,
        file: "model.safetensors",
        commands: &[],
    },
    Target {
        name: "adapter",
        seeds: &["tiny-blip2/adapter/adapter_config.json"],
        run: |bytes| {
            let adapter = fixtures().join("tiny-blip2/adapter");
            in_model(&adapter, "adapter_config.json", bytes, |dir| {
                drop(Adapter::read(dir, &TensorFiles::none()));
            });
        },
        file: "adapter_config.json",
        commands: &[],
    },
    Target {
        name: "checkpoint-config",
        seeds: &["tiny-blip2/base/config.json"],
        run: |bytes| {
            let base = fixtures().join("tiny-blip2/base");
            let load =
                |dir: &Path| drop(Captioner::load(dir, None, LoadOptions::default(), &|_| {}));
            in_model(&base, "config.json", bytes, load);
        },
        file: "config.json",
        commands: &[],
    },
    Target {
        name: "image",
        seeds: &[
            "tiny-blip2/img.png",
            "captioner/images/palette_transparent.png",
            "captioner/images/rgb16.png",
            "captioner/images/cmyk.jpg",
            "captioner/images/progressive.jpg",
            "captioner/images/rotated.jpg",
        ],
        run: |bytes| drop(preprocess::decode(bytes)),
        file: "image.png",
        commands: &[],
    },
    Target { name: "sqlite", seeds: &[], run: kept, file: "embeddings.sqlite", commands: &[] },
];

thread_local! {
    static FOLDER: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

/// A folder for the files of this thread.
fn folder() -> PathBuf {
    FOLDER.with_borrow_mut(|folder| {
        let folder =
            folder.get_or_insert_with(|| tempfile::tempdir().expect("a folder for inputs"));
        folder.path().to_owned()
    })
}

/// Gives `read` a file of this name with these bytes.
fn at<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("an input can be written");
    read(&path)
}

/// Gives `read` a copy of a model's folder in which one file has these bytes.
fn in_model<T>(model: &Path, name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    let copy = folder().join(model.file_name().unwrap_or_default());
    if !copy.exists() {
        copy_folder(model, &copy).expect("the fixture can be copied");
    }
    std::fs::write(copy.join(name), bytes).expect("an input can be written");
    let result = read(&copy);
    // The next target finds the model whole.
    std::fs::copy(model.join(name), copy.join(name)).expect("the fixture can be copied");
    result
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &place)?,
            false => drop(std::fs::copy(entry.path(), place)?),
        }
    }
    Ok(())
}

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
        assert!(scores.corpus.is_finite());
    }
    drop(bleu(&corpus));
    drop(read_text(&candidates, &references));
}

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

fn encoder(name: &str, bytes: &[u8]) {
    in_model(&fixtures().join("encoder/tiny-mean"), name, bytes, |dir| {
        let Ok(spec) = Spec::read(dir) else { return };
        let captions = ["a dog", "", "\u{1f415} two dogs, [MASK] and a cat"];
        if let Ok(tokens) = Tokens::load(&spec) {
            drop(tokens.counts(&captions));
        }
        if let Ok(encoder) = Encoder::load(&spec, &Options::default()) {
            drop(encoder.encode(&captions, &|_| {}));
        }
    });
}

fn safetensors(bytes: &[u8]) {
    encoder("model.safetensors", bytes);
    at("adapter_model.safetensors", bytes, |path| drop(TensorFiles::open(&[path.to_owned()])));
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
