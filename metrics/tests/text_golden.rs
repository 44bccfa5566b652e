//! Caption metrics against pycocoevalcap and METEOR 1.5 (`fixtures/text-metrics`).

use fgd_metrics::sufficient::Statistics;
use fgd_metrics::text::{Corpus, bleu, cider, cider_d, meteor, rouge_l};
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../fixtures/text-metrics/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).expect("the fixture is JSON")
}

fn strings(value: &Value) -> Vec<&str> {
    list(value).iter().map(|item| item.as_str().expect("a string")).collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// The golden words as a corpus.
fn corpus(golden: &Value) -> Corpus {
    let images = list(&golden["tokens"]);
    let candidates: Vec<_> = images.iter().map(|image| strings(&image[0])).collect();
    let references: Vec<Vec<_>> =
        images.iter().map(|image| list(&image[1]).iter().map(strings).collect()).collect();
    Corpus::from_tokens(&candidates, &references).expect("a valid corpus")
}

fn assert_equal(name: &str, scores: &Statistics, golden: &Value) {
    let golden = &golden["metrics"][name];
    let close = |ours: f64, theirs: &Value, what: &str| {
        let theirs = theirs.as_f64().expect("a number");
        assert!((ours - theirs).abs() < 1e-9, "{name} of {what}: {ours} instead of {theirs}");
    };
    close(scores.value(), &golden["corpus"], "the corpus");
    let each = list(&golden["per_caption"]);
    assert_eq!(scores.per_image().len(), each.len());
    for (index, (ours, theirs)) in scores.per_image().iter().zip(each).enumerate() {
        close(*ours, theirs, &format!("caption {index}"));
    }
}

#[test]
fn bleu_rouge_and_cider_equal_pycocoevalcap() {
    let golden = fixture("golden.json");
    let corpus = corpus(&golden);
    for (order, scores) in bleu(&corpus).iter().enumerate() {
        assert_equal(&format!("bleu_{}", order + 1), scores, &golden);
    }
    assert_equal("rouge_l", &rouge_l(&corpus), &golden);
    assert_equal("cider_d", &cider_d(&corpus), &golden);
    assert_equal("cider", &cider(&corpus), &golden);
}

#[test]
fn meteor_equals_meteor_1_5_with_the_same_stages() {
    let golden = fixture("golden.json");
    assert_equal("meteor", &meteor(&corpus(&golden)), &golden);
}

#[test]
fn words_equal_those_of_the_original() {
    let golden = fixture("golden.json");
    let captions = fixture("captions.json");
    for (image, words) in list(&captions).iter().zip(list(&golden["tokens"])) {
        let tokenize =
            |caption: &Value| fgd_metrics::text::tokenize(caption.as_str().expect("a string"));
        assert_eq!(tokenize(&image[0]), strings(&words[0]));
        for (caption, words) in list(&image[1]).iter().zip(list(&words[1])) {
            assert_eq!(tokenize(caption), strings(words), "{caption}");
        }
    }
}

#[test]
fn stems_equal_those_of_meteor() {
    let golden = fixture("golden.json");
    let stemmer = rust_stemmers::Stemmer::create(rust_stemmers::Algorithm::English);
    for (word, stem) in golden["stems"].as_object().expect("an object") {
        assert_eq!(stemmer.stem(word), stem.as_str().expect("a string"), "{word}");
    }
}
