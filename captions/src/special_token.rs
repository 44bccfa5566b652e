//! What tokenizers and training scripts put into texts and decoding should have taken out again.

use super::finding::shown;

/// Markers that tokenizers and training scripts add and decoding should remove; compared without case.
const SPECIAL_TOKENS: [&str; 46] = [
    "</s>",
    "<s>",
    "<pad>",
    "<unk>",
    "[cls]",
    "[sep]",
    "[pad]",
    "[unk]",
    "[mask]",
    "[bos]",
    "[eos]",
    "[dec]",
    "[start]",
    "[end]",
    "<|endoftext|>",
    "<|startoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|end|>",
    "<|assistant|>",
    "<|user|>",
    "<|eot_id|>",
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<eos>",
    "<bos>",
    "<sos>",
    "<cls>",
    "<sep>",
    "<mask>",
    "<image>",
    "<img>",
    "<start>",
    "<end>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<eoc>",
    "<extra_id_0>",
    "[inst]",
    "[/inst]",
    "<think>",
    "</think>",
    "<|",
    "<0x",
    "assistant:",
];
/// The same as words of their own.
const SPECIAL_WORDS: [&str; 8] =
    ["startseq", "endseq", "<start", "end>", "bos_token", "eos_token", "<go>", "<stop>"];

/// What other programs leave: entities of HTML, and what Python prints of values that are no text.
const ENTITIES: [&str; 8] =
    ["&amp;", "&quot;", "&lt;", "&gt;", "&#39;", "&apos;", "&nbsp;", "&#x27;"];
const PRINTED: [&str; 5] = ["tensor([", "<generator object", "<class '", "<function ", "\\n"];

/// What is left in a text by other hands than the decoder's, and what to do about it.
pub(super) fn left_over(text: &str) -> Option<(&'static str, &'static str)> {
    let found = |known: &[&'static str]| known.iter().copied().find(|known| text.contains(known));
    let is_bytes = ["b'", "b\""]
        .iter()
        .find(|quote| text.strip_prefix(**quote).is_some_and(|rest| rest.ends_with(&quote[1..])));
    let printed = is_bytes.copied().or_else(|| found(&PRINTED));
    let printed =
        printed.map(|printed| (printed, "write the text, not what a program prints of it"));
    printed.or_else(|| Some((found(&ENTITIES)?, "it was written for HTML; unescape it")))
}

/// Whether this is UTF-8 that somebody read as Latin-1 or Windows-1252: `cafÃ©`, `itâ€™s`.
pub(super) fn is_misread(text: &str) -> bool {
    let misread = |(letter, next): (char, char)| {
        matches!(letter, 'Ã' | 'Â' | 'Ä' | 'Å') && ('\u{80}'..='\u{bf}').contains(&next)
    };
    text.contains("â€") || text.chars().zip(text.chars().skip(1)).any(misread)
}

/// A marker of a vocabulary, or the mark of a space that SentencePiece (`▁`), byte-level BPE (`Ġ`) or WordPiece (`##ing`) leaves
/// when tokens are joined and not decoded.
pub(super) fn special_token(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let token = SPECIAL_TOKENS.iter().find(|token| lower.contains(*token));
    let mut words = lower.split_whitespace();
    let word = || SPECIAL_WORDS.iter().find(|known| words.any(|word| word == **known));
    let piece = || {
        let pieces = text.split_whitespace();
        let word_piece =
            |word: &&str| word.len() > 2 && word.starts_with("##") && word.as_bytes()[2] != b'#';
        let numbered = lower.contains("<extra_id_").then(|| "<extra_id_…>".to_owned());
        let marks = ["▁", "Ġ", "Ċ", "</w>", "@@ "];
        let mark = marks.iter().find(|mark| text.contains(**mark)).map(|mark| (*mark).to_owned());
        numbered.or(mark).or_else(|| pieces.into_iter().find(word_piece).map(shown))
    };
    token.or_else(word).map(|token| (*token).to_owned()).or_else(piece)
}
