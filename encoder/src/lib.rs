//! Captions in, embeddings out: what `SentenceTransformer(dir).encode(captions)` computes, in f32, from the same
//! directory of files.
//!
//! [`Spec`] reads what the directory says, [`Tokens`] turns captions into token ids, and an engine takes chunks of
//! whole captions to vectors, of unit length where [`Spec::normalize`] says so: that is an [`Encoder`]. [`Embedder`] is the
//! encoder behind its name and its [`cache`], which is what jobs work with. The embedding of a caption does not depend, to the bit, on the captions
//! encoded beside it, on their order or on the number of threads (packed and int12 engines).
//!
//! Both distances of a few captions from their references:
//!
//! ```
//! use fgd_encoder::{Encoder, Options, Spec};
//! use fgd_metrics::frechet::fgd_set;
//! use fgd_metrics::paired::{Pairs, fgd_paired};
//!
//! let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/encoder/tiny-mean");
//! let encoder = Encoder::load(&Spec::read(folder.as_ref())?, &Options::default())?;
//! let candidates = encoder.encode(&["a dog runs", "a red bus", "two people"], &|_| ())?;
//! let references = encoder.encode(&["a dog on a beach", "a bus", "people at a table"], &|_| ())?;
//!
//! let (candidates, references) = (candidates.view(), references.view());
//! let paired = fgd_paired(&Pairs { candidates, references, image_of: &[0, 1, 2] })?;
//! let set = fgd_set(candidates, references)?;
//! let both = format!("fgd_paired {:.4}, fgd_set {:.4}", paired.value, set.value);
//! assert_eq!(both, "fgd_paired 0.2545, fgd_set 0.2550");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod beginning;
pub mod cache;
#[cfg(feature = "candle")]
mod candle;
mod chunk;
mod distinct;
mod embedder;
mod encoder;
mod engine;
mod error;
mod fingerprint;
mod identity;
mod packed;
mod pooling;
pub mod probe;
pub mod spec;
mod tokens;
mod weights;

use chunk::Chunk;
use engine::Engine;

pub use embedder::{Deviation, EmbedError, Embedder, Keep};
pub use encoder::Encoder;
pub use engine::{EngineKind, Options};
pub use error::EncoderError;
pub use identity::Identity;
pub use spec::Spec;
pub use tokens::Tokens;
