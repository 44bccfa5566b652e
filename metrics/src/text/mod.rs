//! Caption metrics on words, without Java: BLEU, ROUGE-L, METEOR (exact+stem), CIDEr, CIDEr-D, diversity, read text.
//!
//! The distances of this crate compare embeddings; these compare words, as the captioning literature does. A
//! [`Corpus`] tokenises captions once; each metric is a function of it that returns
//! [`Statistics`](crate::sufficient::Statistics), which know the value of the corpus, of every caption and of any choice of
//! images, and the standard error. BLEU, ROUGE-L and CIDEr-D equal pycocoevalcap's and METEOR equals METEOR 1.5 restricted to
//! the same two stages, given the same words (`fixtures/text-metrics`); [`tokenize`](tokenize()) says how close the words are.
//!
//! ```
//! use fgd_metrics::text::{Corpus, bleu, cider_d};
//!
//! let candidates = ["a red bus on a street", "two dogs on a sofa"];
//! let references = [vec!["a red bus in the street", "a bus"], vec!["two dogs sleep on a sofa"]];
//! let corpus = Corpus::new(&candidates, &references)?;
//! let [_, _, _, bleu_4] = bleu(&corpus);
//! assert!(bleu_4.value() < 1.0 && cider_d(&corpus).per_image().len() == 2);
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
mod tokenize;

pub use bleu::bleu;
pub use cider::{cider, cider_d};
pub use corpus::{Corpus, CorpusError};
pub use diversity::{Diversity, Side, diversity};
pub use meteor::meteor;
pub use read_text::{ReadText, read_text};
pub use rouge::rouge_l;
pub use tokenize::tokenize;

pub(crate) use bleu::Bleu;
pub(crate) use cider::Cider;
pub(crate) use diversity::Variety;
pub(crate) use meteor::Meteor;
pub(crate) use read_text::TextRecall;
pub(crate) use rouge::RougeL;
