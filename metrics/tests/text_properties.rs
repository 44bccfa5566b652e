//! Caption metrics on arbitrary text: always defined, in range, blind to order, and maximal on a perfect copy.

use fgd_metrics::sufficient::Statistics;
use fgd_metrics::text::{
    Corpus, Side, bleu, cider, cider_d, diversity, meteor, read_text, rouge_l, tokenize,
};
use proptest::prelude::*;

/// Captions of arbitrary Unicode mixed with captions of a few words, which do overlap.
fn caption() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a", "the", "dog", "dogs", "running", "runs", "\"STOP\"", "it's", "don't", "U.S.", "(x)",
        "bus,", "red.",
    ]);
    prop_oneof![
        3 => prop::collection::vec(word, 0..12).prop_map(|words| words.join(" ")),
        1 => any::<String>(),
        1 => "[-'’\"“”.,:;!?&@#$£*/+_<>()a-zA-Z0-9 ]{0,40}",
    ]
}

/// One candidate and one to three references per image.
fn images() -> impl Strategy<Value = Vec<(String, Vec<String>)>> {
    prop::collection::vec((caption(), prop::collection::vec(caption(), 1..4)), 1..6)
}

fn all(images: &[(String, Vec<String>)]) -> Vec<(&'static str, f64, Statistics)> {
    let (candidates, references): (Vec<_>, Vec<_>) = images.iter().cloned().unzip();
    let corpus = Corpus::new(&candidates, &references).expect("a valid corpus");
    let [bleu_1, bleu_2, bleu_3, bleu_4] = bleu(&corpus);
    vec![
        ("BLEU-1", 1.0, bleu_1),
        ("BLEU-2", 1.0, bleu_2),
        ("BLEU-3", 1.0, bleu_3),
        ("BLEU-4", 1.0, bleu_4),
        ("ROUGE-L", 1.0, rouge_l(&corpus)),
        ("METEOR", 1.0, meteor(&corpus)),
        ("CIDEr", 10.0, cider(&corpus)),
        ("CIDEr-D", 10.0, cider_d(&corpus)),
    ]
}

proptest! {
    #[test]
    fn scores_are_defined_and_in_range(images in images()) {
        for (name, top, scores) in all(&images) {
            prop_assert_eq!(scores.per_image().len(), images.len());
            for value in scores.per_image().into_iter().chain([scores.value()]) {
                prop_assert!((0.0..=top + 1e-9).contains(&value), "{} {}", name, value);
            }
            let se = scores.standard_error();
            prop_assert_eq!(se.is_some(), images.len() > 1);
            prop_assert!(se.is_none_or(|se| se.is_finite() && se >= 0.0), "{} {:?}", name, se);
        }
    }

    #[test]
    fn the_order_of_the_images_does_not_matter(images in images()) {
        let reversed: Vec<_> = images.iter().rev().cloned().collect();
        for ((name, _, ours), (_, _, theirs)) in all(&images).into_iter().zip(all(&reversed)) {
            prop_assert!((ours.value() - theirs.value()).abs() < 1e-9, "{}", name);
            for (a, b) in ours.per_image().iter().zip(theirs.per_image().iter().rev()) {
                prop_assert!((a - b).abs() < 1e-9, "{}", name);
            }
        }
    }

    #[test]
    fn over_all_captions_is_the_corpus_value(images in images()) {
        let everything: Vec<usize> = (0..images.len()).collect();
        for (name, _, scores) in all(&images) {
            prop_assert_eq!(scores.over(&everything), Some(scores.value()), "{}", name);
        }
    }

    #[test]
    fn a_perfect_copy_is_not_beaten(images in images()) {
        let copies: Vec<_> = images.iter().map(|(_, refs)| (refs[0].clone(), vec![refs[0].clone()])).collect();
        for ((caption, _), score) in copies.iter().zip(&all(&copies)[5].2.per_image()) {
            prop_assert!(tokenize(caption).is_empty() || (score - 1.0).abs() < 1e-9, "METEOR {}", score);
        }
        for score in &all(&copies)[4].2.per_image() {
            prop_assert!((score - 1.0).abs() < 1e-9, "ROUGE-L {}", score);
        }
    }

    #[test]
    fn words_are_lower_case_without_spaces(text in any::<String>()) {
        for word in tokenize(&text) {
            prop_assert!(!word.is_empty() && !word.contains(char::is_whitespace), "{:?}", word);
            prop_assert!(!word.contains(|c: char| c.is_ascii_uppercase()), "{:?}", word);
        }
    }

    #[test]
    fn descriptions_are_defined(images in images()) {
        let (candidates, references): (Vec<_>, Vec<_>) = images.into_iter().unzip();
        let corpus = Corpus::new(&candidates, &references).expect("a valid corpus");
        for side in [Side::Candidates, Side::References] {
            let described = diversity(&corpus, side);
            for distinct in described.distinct {
                prop_assert!((0.0..=1.0).contains(&distinct));
            }
            prop_assert!(described.words.is_finite());
        }
        let text = read_text(&candidates, &references).expect("a valid corpus");
        if let Some(recall) = text.recall {
            prop_assert_eq!(recall.per_image().len(), text.captions.len());
            prop_assert!(recall.per_image().iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }
}
