//! Caption metrics on words, without Java: BLEU, ROUGE-L, METEOR (exact+stem), CIDEr, CIDEr-D, diversity, read text.
//!
//! The distances of this crate compare embeddings; these compare words, as the captioning literature does. A
//! [`Corpus`] tokenises captions once; each metric is a function of it that returns [`Scores`]: the corpus value, its
//! standard error and the value of every caption, with what is needed to recompute the value for slices and bootstrap
//! samples. BLEU, ROUGE-L and CIDEr-D equal pycocoevalcap's and METEOR equals METEOR 1.5 restricted to the same two
//! stages, given the same words (`fixtures/text-metrics`); [`tokenize`](tokenize()) says how close the words are.
//!
//! ```
//! use fgd_metrics::text::{Corpus, bleu, cider_d};
//!
//! let candidates = ["a red bus on a street", "two dogs on a sofa"];
//! let references = [vec!["a red bus in the street", "a bus"], vec!["two dogs sleep on a sofa"]];
//! let corpus = Corpus::new(&candidates, &references)?;
//! let [_, _, _, bleu_4] = bleu(&corpus);
//! assert!(bleu_4.corpus < 1.0 && cider_d(&corpus).per_caption.len() == 2);
//! # Ok::<(), fgd_metrics::text::CorpusError>(())
//! ```

mod bleu;
mod cider;
mod corpus;
mod diversity;
mod meteor;
mod ngrams;
mod read_text;
mod rouge;
mod scores;
mod tokenize;

pub use bleu::bleu;
pub use cider::{cider, cider_d};
pub use corpus::{Corpus, CorpusError};
pub use diversity::{Diversity, Side, diversity};
pub use meteor::meteor;
pub use read_text::{ReadText, read_text};
pub use rouge::rouge_l;
pub use scores::Scores;
pub use tokenize::tokenize;

pub(crate) use bleu::Bleu;
pub(crate) use cider::Cider;
pub(crate) use diversity::Variety;
pub(crate) use meteor::Meteor;
pub(crate) use read_text::TextRecall;
pub(crate) use rouge::RougeL;
