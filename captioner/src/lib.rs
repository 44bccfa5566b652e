//! Images → captions: BLIP-2 with flan-t5 (<https://arxiv.org/abs/2301.12597>), with or without a LoRA adapter.
//!
//! In the order of the paper: [`preprocess`] turns a file into pixels, `vision` (ViT-g/14) into image tokens,
//! `qformer` into 32 queries, a linear projection into vectors of the language model, [`t5`] reads them with the prompt,
//! and [`generate`] searches for the caption. [`weights`] and [`config`] load a checkpoint into these parts,
//! `load` puts them together for `model`; [`features`] keeps query outputs between runs and [`run`] captions whole directories,
//! durably.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use fgd_captioner::{Captioner, DEFAULT_PROMPT, GenerationConfig, LoadOptions};
//!
//! # let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny-blip2");
//! # let (checkpoint, photo) = (folder.join("base"), folder.join("img.png"));
//! let captioner = Captioner::load(&checkpoint, None, LoadOptions::default(), &|_| {})?;
//! let pixels = captioner.preprocessor().pixels(&std::fs::read(photo)?)?;
//! let queries = captioner.queries(&captioner.image_tokens(&captioner.pixels(&[&pixels])?)?)?;
//! let prompt = captioner.tokenizer().encode(DEFAULT_PROMPT)?;
//! let captions = captioner.caption(&queries, &[prompt], &[0], &GenerationConfig::default())?;
//! assert!(!captions[0].text.is_empty());
//! # Ok(())
//! # }
//! ```

mod batch;
pub mod config;
mod error;
pub mod features;
pub mod generate;
#[cfg(feature = "cuda")]
mod gpu;
mod identity;
mod json;
pub mod layers;
mod load;
mod model;
mod options;
pub mod preprocess;
mod qformer;
pub mod run;
mod special_tokens;
pub mod t5;
mod tokenizer;
pub mod train;
mod vision;
pub mod weights;

pub use batch::Batch;
pub use error::{Error, Result};
pub use generate::{EarlyStopping, GenerationConfig, Sampling, Sequence};
pub use identity::Identity;
pub use load::tensors_of;
pub use model::{Caption, Captioner, DEFAULT_PROMPT};
pub use options::{LoadOptions, parse_device};
pub use special_tokens::SpecialTokens;
pub use tokenizer::PromptTokenizer;
pub use weights::{LoadProgress, Precision};
