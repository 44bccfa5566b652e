//! Which tokenizer it is, by what it does: two with the same weights but another vocabulary, or one that keeps capitals, give
//! other numbers, while the file may differ in ways that change nothing (its layout, the padding and truncation written in it).

use fgd_store::digest::Digest;

use crate::{EncoderError, Tokens};

/// Texts that tokenizers of one vocabulary part at: capitals, accents, marks, figures, blanks, scripts, unknown and long words.
const PROBES: [&str; 7] = [
    "A Photo of TWO Dogs, \u{201c}resting\u{201d} on a sofa.",
    "the café's naïve façade; Ærøskøbing, Zürich, São Paulo",
    "it's 10:45 p.m. & 3,000 km at 99.5% - $12 / £7 (no. 8)!",
    "tabs\tand\u{a0}odd   blanks\u{200b}within",
    "非常口 EXIT выход έξοδος مخرج",
    "a \u{1f415} beside a snow\u{2011}white, well-known_sign #42 @home",
    "pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism",
];

/// More tokens than a probe has.
const ALL: usize = 512;

impl Tokens {
    /// Hash over the vocabulary and the ids of some texts, 16 hexadecimal digits. The limit of tokens does not count.
    ///
    /// # Errors
    /// As [`Tokens::ids`].
    pub(crate) fn fingerprint(mut self) -> Result<String, EncoderError> {
        self.limit(ALL);
        let vocabulary = self.vocabulary().into_iter();
        let digest = Digest::new("tokenizer", 1);
        let digest =
            vocabulary.fold(digest, |digest, (word, id)| digest.field(&word, id.to_le_bytes()));
        let digest = self
            .ids(&PROBES)?
            .iter()
            .flatten()
            .fold(digest, |digest, id| digest.field("id", id.to_le_bytes()));
        Ok(digest.finish()[..16].to_owned())
    }
}
