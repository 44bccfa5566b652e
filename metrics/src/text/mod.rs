//! Caption metrics on words.
mod bleu;
mod cider;
mod corpus;
mod ngrams;
mod rouge;
mod scores;
mod tokenize;

pub use bleu::bleu;
pub use cider::{cider, cider_d};
pub use corpus::{Corpus, CorpusError};
pub use rouge::rouge_l;
pub use scores::Scores;
pub use tokenize::tokenize;
