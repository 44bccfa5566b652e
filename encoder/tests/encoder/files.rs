//! Encoder directories that are incomplete, foreign or damaged: a clear error each, never a panic.

use std::fs;
use std::path::{Path, PathBuf};

use fgd_encoder::{Embedder, Encoder, EncoderError, Keep, Options, Spec};
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
fn a_tokenizer_is_told_by_what_it_does() {
    let after = |file: &str, from: &str, to: &str| {
        let directory = copy();
        let path = directory.path().join(file);
        let text = fs::read_to_string(&path).expect("a text file");
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replace(from, to)).expect("a writable copy");
        let hub = fgd_store::hub::Settings::from_variables(|_| None, false);
        let name = directory.path().to_str().expect("a path that is text");
        let opened = Embedder::open(name, Options::default(), Keep::Nowhere, &hub);
        opened.expect("an encoder").identity().tokenizer
    };
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
