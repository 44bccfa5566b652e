//! Encoder directories that are incomplete, foreign or damaged: a clear error each, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use fgd_encoder::{Embedder, Encoder, EncoderError, Identity, Keep, Options, Spec};
use proptest::prelude::*;
use tempfile::TempDir;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/encoder/tiny-mean")
}

/// A copy of the tiny encoder to damage.
fn copy() -> TempDir {
    let to = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(to.path().join("1_Pooling")).expect("a directory");
    for name in [
        "config.json",
        "modules.json",
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
        "1_Pooling/config.json",
    ] {
        fs::copy(fixture().join(name), to.path().join(name)).expect("the fixture is complete");
    }
    to
}

fn load(directory: &Path) -> Result<Encoder, EncoderError> {
    Encoder::load(&Spec::read(directory)?, &Options::default())
}

/// The one-line error of a directory in which `from` is replaced by `to` in `file`.
fn error_after(file: &str, from: &str, to: &str) -> String {
    let directory = copy();
    let path = directory.path().join(file);
    let text = fs::read_to_string(&path).expect("a text file");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replace(from, to)).expect("a writable copy");
    let message = load(directory.path()).err().expect("an error").to_string();
    assert!(!message.contains('\n') && message.contains(file), "{message}");
    message
}

#[test]
fn what_is_not_computed_here_is_refused_by_name() {
    for (file, from, to, named) in [
        ("config.json", r#""model_type": "bert""#, r#""model_type": "roberta""#, "roberta"),
        ("config.json", r#""hidden_act": "gelu""#, r#""hidden_act": "silu""#, "silu"),
        (
            "config.json",
            r#""num_attention_heads": 4"#,
            r#""num_attention_heads": 3"#,
            "num_attention_heads",
        ),
        ("config.json", r#""hidden_size": 40"#, r#""hidden_size": 0"#, "hidden_size"),
        ("modules.json", "models.Normalize", "models.Dense", "Dense"),
        (
            "1_Pooling/config.json",
            r#""pooling_mode_max_tokens": false"#,
            r#""pooling_mode_max_tokens": true"#,
            "max",
        ),
        (
            "1_Pooling/config.json",
            r#""word_embedding_dimension": 40"#,
            r#""word_embedding_dimension": 41"#,
            "41",
        ),
        ("tokenizer.json", r#""version": "1.0""#, r#""version": 1"#, "tokenizer.json"),
    ] {
        let message = error_after(file, from, to);
        assert!(message.contains(named), "{message}");
    }
}

#[test]
fn all_unusable_tensors_are_listed_at_once() {
    let message = {
        let directory = copy();
        let path = directory.path().join("config.json");
        let text = fs::read_to_string(&path).expect("a text file");
        let text = text.replace(r#""num_hidden_layers": 3"#, r#""num_hidden_layers": 4"#);
        fs::write(&path, text.replace(r#""vocab_size": "#, r#""vocab_size": 1"#))
            .expect("a writable copy");
        load(directory.path()).err().expect("an error").to_string()
    };
    assert!(message.contains("embeddings.word_embeddings.weight has shape"), "{message}");
    assert!(message.contains("encoder.layer.3.output.dense.bias is missing"), "{message}");
    assert!(message.contains("17 of the encoder's tensors"), "{message}");
}

#[test]
fn missing_files_are_named() {
    for name in ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"] {
        let directory = copy();
        fs::remove_file(directory.path().join(name)).expect("a file of the copy");
        let message = load(directory.path()).err().expect("an error").to_string();
        assert!(message.contains(name), "{message}");
    }
    let message = load(Path::new("no/such/directory")).err().expect("an error").to_string();
    assert!(message.contains("no/such/directory"), "{message}");
}

#[test]
fn an_index_that_names_no_shard_is_refused() {
    let directory = copy();
    fs::remove_file(directory.path().join("model.safetensors")).expect("a file of the copy");
    let index = directory.path().join("model.safetensors.index.json");
    fs::write(index, r#"{"weight_map": {}}"#).expect("a writable copy");
    let message = load(directory.path()).err().expect("an error").to_string();
    assert!(message.contains("index.json: names no shard"), "{message}");
}

/// The encoder in a directory, and the embedding of a caption, kept in a cache.
fn embed(directory: &Path, cache: &Path) -> (Identity, Vec<f32>) {
    let hub = fgd_store::hub::Settings::from_variables(|_| None, false);
    let name = directory.to_str().expect("a path that is text");
    let mut embedder =
        Embedder::open(name, Options::default(), Keep::Folder(cache), &hub).expect("an encoder");
    let rows = embedder.embed(&["a dog runs"], &|_| ()).expect("an embedding");
    (embedder.identity(), rows.into_raw_vec_and_offset().0)
}

/// [`embed`] in a copy in which `from` is replaced by `to` in `file`.
fn after(file: &str, from: &str, to: &str) -> (Identity, Vec<f32>) {
    let directory = copy();
    let path = directory.path().join(file);
    let text = fs::read_to_string(&path).expect("a text file");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(&path, text.replace(from, to)).expect("a writable copy");
    embed(directory.path(), directory.path())
}

#[test]
fn a_tokenizer_is_told_by_what_it_does() {
    let after = |file: &str, from: &str, to: &str| after(file, from, to).0.tokenizer;
    let known = after("tokenizer.json", "1.0", "1.0");
    assert_eq!(known.len(), 16);
    // What is written of limits, and how the file is laid out, moves no embedding.
    for (file, from, to) in [
        ("tokenizer.json", r#""max_length": 16"#, r#""max_length": 9"#),
        ("tokenizer.json", "\n", " "),
        ("sentence_bert_config.json", "48", "20"),
    ] {
        assert_eq!(after(file, from, to), known, "{from}");
    }
    for (from, to) in [
        (r#""lowercase": true"#, r#""lowercase": false"#),
        (r#""strip_accents": null"#, r#""strip_accents": false"#),
        (r###""##a": 40"###, r###""##é": 40"###),
    ] {
        assert_ne!(after("tokenizer.json", from, to), known, "{from}");
    }
}

/// The same weights are another encoder with other heads: their numbers had one comparability key, and one place in the cache where
/// `modules.json` names another folder for the configuration.
#[test]
fn a_configuration_is_told_by_what_it_does() {
    let (known, vector) = after("config.json", "bert", "bert");
    assert_eq!(known.config.len(), 16);
    let same = after("config.json", r#""vocab_size""#, r#""comment": 1, "vocab_size""#);
    assert_eq!((same.0.config, &same.1), (known.config.clone(), &vector));
    for (from, to) in [
        (r#""num_attention_heads": 4"#, r#""num_attention_heads": 2"#),
        (r#""num_hidden_layers": 3"#, r#""num_hidden_layers": 2"#),
        (r#""hidden_act": "gelu""#, r#""hidden_act": "relu""#),
        (r#""layer_norm_eps": 1e-12"#, r#""layer_norm_eps": 0.001"#),
    ] {
        let (identity, other) = after("config.json", from, to);
        assert_eq!((&identity.sha256, &identity.tokenizer), (&known.sha256, &known.tokenizer));
        assert!(identity.config != known.config && other != vector, "{to}");
    }
}

#[test]
fn a_configuration_in_a_folder_of_its_own_counts_in_the_cache() {
    let directory = copy();
    let inner = directory.path().join("inner");
    fs::create_dir(&inner).expect("a folder");
    for name in ["config.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors"]
    {
        fs::copy(fixture().join(name), inner.join(name)).expect("the fixture is complete");
    }
    let replace = |path: PathBuf, from: &str, to: &str| {
        let text = fs::read_to_string(&path).expect("a text file");
        fs::write(path, text.replacen(from, to, 1)).expect("a writable copy");
    };
    replace(directory.path().join("modules.json"), r#""path": """#, r#""path": "inner""#);
    let (_, before) = embed(directory.path(), directory.path());
    replace(inner.join("config.json"), r#"heads": 4"#, r#"heads": 2"#);
    assert_ne!(embed(directory.path(), directory.path()).1, before);
}

/// Found by the attack: the library expects the decoder to be JSON.
#[test]
fn a_tokenizer_that_makes_the_library_panic_is_an_error() {
    let message = error_after("tokenizer.json", "\"decoder\": null", "\"decoder\": r");
    assert!(message.contains("tokenizer.json") && message.contains("not a tokenizer"), "{message}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_files_never_panic(
        file in prop::sample::select(vec![
            "config.json", "modules.json", "sentence_bert_config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json",
        ]),
        cut in 0.0f64..1.0,
        flips in prop::collection::vec((0.0f64..1.0, any::<u8>()), 0..4),
    ) {
        let directory = copy();
        let path = directory.path().join(file);
        let mut bytes = fs::read(&path).expect("a file of the copy");
        for (place, value) in &flips {
            // The beginning, where headers are, is hit more often than the rest.
            let at = (bytes.len() as f64 * place.powi(4)) as usize;
            bytes[at] = *value;
        }
        if flips.is_empty() {
            bytes.truncate((bytes.len() as f64 * cut) as usize);
        }
        fs::write(&path, bytes).expect("a writable copy");
        match load(directory.path()) {
            Ok(encoder) => {
                let rows = encoder.encode(&["a dog runs", ""], &|_| ());
                prop_assert!(rows.map_or(true, |rows| rows.iter().all(|value| value.is_finite())));
            }
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
}
