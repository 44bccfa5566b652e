//! The beginning of a text that gives the same first tokens as the whole, found without tokenising.
//!
//! BERT's tokenizers treat every word by itself: what stands before a blank or an ASCII punctuation mark gives the same tokens
//! whatever follows. A word with an ASCII letter or digit gives one token at least, and one of more letters than the vocabulary's
//! longest word gives exactly one, `[UNK]`. So words can be counted in place of tokens, and endless words can be shortened. Other
//! tokenizers get the whole text.

use std::borrow::Cow;

use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::tokenizer::Tokenizer;

/// Texts that are not worth looking at, in bytes.
const SHORT: usize = 4_096;

/// How texts are cut for one tokenizer.
pub(super) enum Beginning {
    /// Not at all.
    Whole,
    /// After so many words, with words of ASCII letters shortened to just more than `longest`.
    Words { longest: usize },
}

impl Beginning {
    /// What may be cut for this tokenizer.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        let normalizer = tokenizer.get_normalizer();
        let by_word = matches!(normalizer, None | Some(NormalizerWrapper::BertNormalizer(_)))
            && matches!(
                tokenizer.get_pre_tokenizer(),
                Some(PreTokenizerWrapper::BertPreTokenizer(_))
            );
        // A token that is added to the vocabulary is found in the raw text: it must neither stand for more than a word nor be
        // found inside of one.
        let added = tokenizer.get_added_tokens_decoder();
        let plain = added.values().map(|token| &token.content).all(|text| {
            words(text).count() <= 1 && text.bytes().any(|byte| byte.is_ascii_punctuation())
        });
        match tokenizer.get_model() {
            ModelWrapper::WordPiece(model) if by_word && plain => {
                Self::Words { longest: model.max_input_chars_per_word }
            }
            _ => Self::Whole,
        }
    }

    /// The beginning of `text`, which has at least `tokens` tokens, the first so many the same as those of `text`; or as many
    /// as `text` has.
    pub fn cut<'a>(&self, text: &'a str, tokens: usize) -> Cow<'a, str> {
        let Self::Words { longest } = self else { return text.into() };
        if text.len() <= SHORT {
            return text.into();
        }
        // One word more, as the cut may fall into an added token such as `[MASK]`, and one for the word that it falls after.
        let last = words(text).nth(tokens + 2);
        let end = last.map_or(text.len(), |word| word.end);
        let text = &text[..end];
        if words(text).all(|word| word.len() <= *longest + 1) {
            return text.into();
        }
        let mut shortened = String::new();
        let mut kept = 0;
        for word in words(text).filter(|word| word.len() > *longest + 1) {
            if text[word.clone()].bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                shortened.push_str(&text[kept..word.start + longest + 1]);
                kept = word.end;
            }
        }
        shortened.push_str(&text[kept..]);
        shortened.into()
    }
}

/// The runs of other bytes between ASCII blanks and punctuation marks that have an ASCII letter or digit.
fn words(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let ends =
        |byte: &u8| byte.is_ascii_punctuation() || matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            let length = bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
            at += length + 1;
            if bytes[start..start + length].iter().any(u8::is_ascii_alphanumeric) {
                return Some(start..start + length);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tokenizer() -> Tokenizer {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/encoder/");
        Tokenizer::from_file(format!("{fixtures}tiny-mean/tokenizer.json")).unwrap()
    }

    fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
        tokenizer.encode_fast(text, false).unwrap().get_ids().to_vec()
    }

    #[test]
    fn what_is_long_is_cut_and_what_is_short_is_not() {
        let beginning = Beginning::of(&tokenizer());
        assert_eq!(beginning.cut("a red bus", 1), "a red bus");
        let words = "a red bus, ".repeat(1_000_000);
        assert!(beginning.cut(&words, 10).len() < 100);
        let endless = format!("{} bus", "a".repeat(20_000_000));
        assert!(beginning.cut(&endless, 10).len() < 1_000);
        assert!(beginning.cut(&endless, 10).ends_with(" bus"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn the_first_tokens_are_those_of_the_whole(
            pieces in prop::collection::vec(0usize..20, 1500..4000),
            tokens in 0usize..60,
        ) {
            let endless = ["x".repeat(300), "bus".repeat(90), "é".repeat(120), "中".repeat(5)];
            let pieces: Vec<&str> = pieces
                .iter()
                .map(|&piece| match piece {
                    16.. => endless[piece - 16].as_str(),
                    _ => [
                        "a", "dog", " ", " ", " \u{301}", "\u{301}", "[MASK]", "[", "MASK", "]", ",", "\u{85}", "\u{a0}",
                        "##s", "\u{0}", "Σ",
                    ][piece],
                })
                .collect();
            let text = pieces.concat();
            let tokenizer = tokenizer();
            let whole = ids(&tokenizer, &text);
            let cut = ids(&tokenizer, &Beginning::of(&tokenizer).cut(&text, tokens));
            let first = tokens.min(whole.len());
            prop_assert!(cut.len() >= first);
            prop_assert_eq!(&cut[..first], &whole[..first]);
        }
    }
}
