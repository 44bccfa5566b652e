//! The encoder against sentence-transformers, on tiny checkpoints, and its promises: the embedding of a caption does
//! not depend on its company, and no damaged file does more than return an error.

use std::fs;
use std::path::{Path, PathBuf};

use fgd_encoder::{Embedder, Encoder, EncoderError, EngineKind, Keep, Options, Spec, Tokens};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    captions: Vec<String>,
    token_counts: Vec<usize>,
    #[serde(rename = "tiny-mean")]
    mean: Vec<Vec<f32>>,
    #[serde(rename = "tiny-cls")]
    cls: Vec<Vec<f32>>,
}

impl Golden {
    fn read() -> Golden {
        let text = fs::read_to_string(fixture("golden.json")).expect("golden.json is committed");
        serde_json::from_str(&text).expect("golden.json is what the script wrote")
    }

    fn captions(&self) -> Vec<&str> {
        self.captions.iter().map(String::as_str).collect()
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/encoder").join(name)
}

fn load(name: &str, options: &Options) -> Encoder {
    let spec = Spec::read(&fixture(name)).expect("the fixture is sound");
    Encoder::load(&spec, options).expect("the fixture loads")
}

fn options(engine: EngineKind, device: &str) -> Options {
    Options { engine, device: device.into(), max_length: None }
}

fn assert_close(encoder: &Encoder, captions: &[&str], golden: &[Vec<f32>], tolerance: f32) {
    let rows = encoder.encode(captions, &|_| ()).expect("captions encode");
    assert_eq!(rows.dim(), (captions.len(), encoder.dim()));
    for ((row, want), caption) in rows.rows().into_iter().zip(golden).zip(captions) {
        for (got, want) in row.iter().zip(want) {
            assert!((got - want).abs() <= tolerance, "{caption:?}: {got}, not {want}");
        }
    }
}

#[test]
fn mean_pooling_matches_sentence_transformers() {
    let golden = Golden::read();
    let encoder = load("tiny-mean", &Options::default());
    assert_close(&encoder, &golden.captions(), &golden.mean, 2e-6);
}

#[test]
fn f16_shards_with_cls_pooling_match_sentence_transformers() {
    let golden = Golden::read();
    let encoder = load("tiny-cls", &Options::default());
    assert_eq!(encoder.max_length(), 12);
    assert_close(&encoder, &golden.captions(), &golden.cls, 2e-5);
}

#[test]
fn token_counts_are_those_before_truncation() {
    let golden = Golden::read();
    let spec = Spec::read(&fixture("tiny-cls")).expect("the fixture is sound");
    let tokens = Tokens::load(&spec).expect("the tokenizer loads");
    assert_eq!(tokens.counts(&golden.captions()).expect("captions tokenise"), golden.token_counts);
}

#[test]
fn an_embedding_is_the_same_to_the_bit_in_any_company() {
    for engine in [EngineKind::Packed, EngineKind::Int12] {
        same_in_any_company(&load("tiny-mean", &options(engine, "cpu")));
    }
}

fn captions_of_many_lengths() -> Vec<String> {
    let captions = Golden::read().captions;
    let longer = (0..300).map(|i| {
        let more = "a dog near a tree ".repeat(i % 11);
        format!("{} {more}", captions[i % 8])
    });
    captions.iter().cloned().chain(longer).collect()
}

fn same_in_any_company(encoder: &Encoder) {
    let captions = captions_of_many_lengths();
    let all: Vec<&str> = captions.iter().map(String::as_str).collect();
    let together = encoder.encode(&all, &|_| ()).expect("captions encode");
    let reversed: Vec<&str> = all.iter().rev().copied().collect();
    for threads in [1, 3] {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        let rows = pool.install(|| encoder.encode(&reversed, &|_| ())).expect("captions encode");
        for (i, row) in rows.rows().into_iter().rev().enumerate() {
            assert_eq!(row, together.row(i), "{:?} with {threads} threads", all[i]);
        }
    }
    // A caption that comes alone is divided among the threads.
    for threads in [1, 2, 5] {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        for (i, caption) in all.iter().enumerate().step_by(7) {
            let alone = pool.install(|| encoder.encode(&[caption], &|_| ())).expect("it encodes");
            assert_eq!(alone.row(0), together.row(i), "{caption:?} alone on {threads} threads");
        }
    }
}

#[test]
fn progress_counts_every_caption_once_and_no_caption_is_no_work() {
    let encoder = load("tiny-mean", &Options::default());
    let captions = ["a dog", "a cat", "a dog", "", "a dog"];
    let done = std::sync::atomic::AtomicUsize::new(0);
    let rows = encoder
        .encode(&captions, &|n| {
            done.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
        })
        .expect("captions encode");
    assert_eq!(done.into_inner(), captions.len());
    assert_eq!(rows.row(0), rows.row(4));
    assert_ne!(rows.row(0), rows.row(1));
    assert_eq!(encoder.encode(&[], &|_| ()).expect("nothing encodes").dim(), (0, encoder.dim()));
}

#[test]
fn a_shorter_limit_cuts_on_the_right() {
    let options = Options { max_length: Some(6), ..Options::default() };
    let encoder = load("tiny-mean", &options);
    let rows = encoder
        .encode(&["a dog runs on the beach", "a dog runs on"], &|_| ())
        .expect("captions encode");
    assert_eq!(rows.row(0), rows.row(1));
    for wrong in [0, 2, 65] {
        let spec = Spec::read(&fixture("tiny-mean")).expect("the fixture is sound");
        let options = Options { max_length: Some(wrong), ..Options::default() };
        assert!(matches!(Encoder::load(&spec, &options), Err(EncoderError::Option { .. })));
    }
}

#[test]
fn a_limit_above_the_stated_one_is_what_labels_and_the_cache_say() {
    let hub = fgd_store::hub::Settings::from_variables(|_| None, false);
    let cache = tempfile::tempdir().expect("a folder");
    let name = fixture("tiny-mean");
    let name = name.to_str().expect("a path that is text");
    // The fixture states 48 tokens and has 64 positions.
    let long = "a dog runs on the beach and ".repeat(9);
    let embed = |max_length: Option<usize>| {
        let options = Options { max_length, ..Options::default() };
        let mut embedder =
            Embedder::open(name, options, Keep::Folder(cache.path()), &hub).expect("opens");
        let rows = embedder.embed(&[long.as_str()], &|_| ()).expect("embeds");
        (embedder.identity().max_length, rows.row(0).to_vec())
    };
    let (stated, within) = embed(None);
    let (raised, beyond) = embed(Some(60));
    assert_eq!((stated, raised), (48, 60));
    assert_ne!(within, beyond, "the cache handed out a vector of another limit");
    // Everything is in the cache, and a limit that no encoder could have kept is refused all the same.
    let options = Options { max_length: Some(65), ..Options::default() };
    let refused = Embedder::open(name, options, Keep::Folder(cache.path()), &hub).err();
    assert!(refused.expect("65 is refused").to_string().contains("up to 64 tokens"));
}

#[test]
fn all_special_tokens_of_a_caption_count() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = |name: &str| {
        let to = folder.path().join(name);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        std::fs::copy(fixture("tiny-mean").join(name), to).expect("a copy");
    };
    ["config.json", "model.safetensors", "modules.json", "sentence_bert_config.json"]
        .into_iter()
        .for_each(copy);
    ["1_Pooling/config.json", "tokenizer_config.json"].into_iter().for_each(copy);
    let text = std::fs::read_to_string(fixture("tiny-mean").join("tokenizer.json"));
    let mut tokenizer: serde_json::Value =
        serde_json::from_str(&text.expect("a tokenizer")).expect("JSON");
    let special = |id: &str| serde_json::json!({"SpecialToken": {"id": id, "type_id": 0}});
    let caption = serde_json::json!({"Sequence": {"id": "A", "type_id": 0}});
    let single = [special("[CLS]"), special("[CLS]"), caption, special("[SEP]")];
    let token = |id: &str, ids: u32| serde_json::json!({"id": id, "ids": [ids], "tokens": [id]});
    tokenizer["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing", "single": single, "pair": single,
        "special_tokens": {"[CLS]": token("[CLS]", 2), "[SEP]": token("[SEP]", 3)},
    });
    std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).expect("a file");
    let hub = fgd_store::hub::Settings::from_variables(|_| None, false);
    let name = folder.path().to_str().expect("a path that is text");
    let embedder = Embedder::open(name, Options::default(), Keep::Nowhere, &hub).expect("opens");
    // Each mark is a token: 46 of them and three around are one more than the 48 that count.
    let marks = "!".repeat(46);
    assert_eq!(embedder.token_counts(&[marks.as_str()]).expect("counts"), [49]);
}

#[cfg(feature = "candle")]
#[test]
fn candle_matches_sentence_transformers() {
    let golden = Golden::read();
    let captions = golden.captions();
    let candle = options(EngineKind::Candle, "cpu");
    assert_close(&load("tiny-mean", &candle), &captions, &golden.mean, 2e-6);
    assert_close(&load("tiny-cls", &candle), &captions, &golden.cls, 2e-5);
}

/// candle-transformers' BERT shares neither kernels nor layout with the packed engine.
#[cfg(feature = "candle")]
#[test]
fn packed_is_what_an_independent_engine_computes() {
    let captions = captions_of_many_lengths();
    let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
    for name in ["tiny-mean", "tiny-cls"] {
        let candle = load(name, &options(EngineKind::Candle, "cpu"));
        let reference = candle.encode(&captions, &|_| ()).expect("captions encode");
        let rows: Vec<Vec<f32>> = reference.rows().into_iter().map(|row| row.to_vec()).collect();
        assert_close(&load(name, &Options::default()), &captions, &rows, 2e-6);
    }
}

#[test]
fn devices_that_cannot_be_used_are_refused_by_name() {
    let spec = Spec::read(&fixture("tiny-mean")).expect("the fixture is sound");
    let mut refused = vec![(EngineKind::Packed, "cuda:0"), (EngineKind::Int12, "cuda")];
    if cfg!(feature = "candle") {
        let devices = ["tpu", "cuda:x", "cpu@bf16", "cuda:0@bf16", "cuda:99"];
        refused.extend(devices.map(|device| (EngineKind::Candle, device)));
    }
    for (engine, device) in refused {
        let error = Encoder::load(&spec, &options(engine, device)).err().expect("no such device");
        assert!(error.to_string().starts_with(&format!("--device = {device}: ")), "{error}");
    }
}

#[test]
fn int12_is_near_f32_and_not_the_same() {
    let golden = Golden::read();
    let encoder = load("tiny-mean", &options(EngineKind::Int12, "cpu"));
    assert!(encoder.engine().starts_with("int12/"), "{}", encoder.engine());
    let rows = encoder.encode(&golden.captions(), &|_| ()).expect("captions encode");
    let mut largest = 0f32;
    for (row, want) in rows.rows().into_iter().zip(&golden.mean) {
        let cosine: f32 = row.iter().zip(want).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.9999, "{cosine}");
        largest = row.iter().zip(want).fold(largest, |m, (a, b)| m.max((a - b).abs()));
    }
    assert!(largest > 1e-6, "12 bits cannot be this near: {largest}");
}
