//! The checkpoint, loaded: image → queries → language model → caption.

use candle_core::{DType, Tensor};
use half::bf16;
use rayon::prelude::*;

use super::batch::Batch;
use super::config::Config;
use super::error::{Error, Result};
use super::generate::{GenerationConfig, Sequence};
use super::identity::Identity;
use super::layers::{Linear, Mask};
use super::options::LoadOptions;
use super::preprocess::Preprocessor;
use super::qformer::QFormer;
use super::special_tokens::SpecialTokens;
use super::t5::T5;
use super::tokenizer::PromptTokenizer;
use super::vision::VisionModel;
use super::weights::Precision;

/// Threads for each image that the vision tower and the Q-Former see at once on a CPU: what lies between two layers of so many
/// images still fits the last-level cache, and every thread has rows enough to be worth reading the weights for.
const THREADS_PER_IMAGE: usize = 2;

/// The prompt of the published fine-tuned checkpoint's card.
pub const DEFAULT_PROMPT: &str = "Provide a detailed caption for this photo.";

/// One caption.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// The text, special tokens stripped.
    pub text: String,
    /// The generated ids behind it.
    pub sequence: Sequence,
}

/// A BLIP-2 checkpoint, ready to caption.
pub struct Captioner {
    pub(super) parts: Parts,
    pub(super) tokenizer: PromptTokenizer,
    pub(super) preprocessor: Preprocessor,
    pub(super) special: SpecialTokens,
    pub(super) config: Config,
    pub(super) options: LoadOptions,
    pub(super) identity: Identity,
}

/// The network, in the order an image passes through it.
pub(super) struct Parts {
    /// `None` where images are not looked at any more.
    pub eyes: Option<Eyes>,
    pub language_projection: Linear,
    pub t5: T5,
}

/// What looks at images.
pub(super) struct Eyes {
    pub vision: VisionModel,
    pub qformer: QFormer,
}

impl Captioner {
    /// Gives the memory of the vision tower and the Q-Former back: what is left captions cached features, and learns from them.
    pub fn without_eyes(mut self) -> Self {
        self.parts.eyes = None;
        self
    }

    /// Hashes of what was loaded.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it was loaded.
    pub fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// The image processing that belongs to the checkpoint.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    /// The model's configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Special tokens of decoding.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.special
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &PromptTokenizer {
        &self.tokenizer
    }

    /// The language model.
    pub fn language_model(&self) -> &T5 {
        &self.parts.t5
    }

    /// A tensor of prepared pixels [images, 3, size, size] on the model's device.
    ///
    /// # Errors
    /// Images of another size.
    pub fn pixels(&self, images: &[&[f32]]) -> Result<Tensor> {
        let size = self.preprocessor.size;
        let (shape, device) = ((images.len(), 3, size, size), &self.options.device);
        if self.compute_dtype() == DType::BF16 {
            // Half of the bytes on their way.
            let rounded = |image: &&[f32]| image.iter().map(|x| bf16::from_f32(*x)).collect();
            let images: Vec<Vec<bf16>> = images.par_iter().map(rounded).collect();
            return Ok(Tensor::from_vec(images.concat(), shape, device)?);
        }
        Ok(Tensor::from_vec(images.concat(), shape, device)?)
    }

    fn compute_dtype(&self) -> DType {
        match self.options.precision {
            Precision::Bf16 if !self.options.device.is_cpu() => DType::BF16,
            _ => DType::F32,
        }
    }

    /// pixels [images, 3, size, size] → image tokens [images, tokens, hidden] of the vision tower.
    ///
    /// On a CPU the result for an image does not depend on the images beside it, to the bit.
    ///
    /// # Errors
    /// Another shape, or a captioner [without eyes](Self::without_eyes).
    pub fn image_tokens(&self, pixels: &Tensor) -> Result<Tensor> {
        let eyes = self.eyes()?;
        self.few_at_a_time(pixels, |pixels| eyes.vision.forward(pixels))
    }

    /// Image tokens → query outputs [images, queries, hidden] of the Q-Former: what a features cache keeps.
    ///
    /// # Errors
    /// As [`Self::image_tokens`].
    pub fn queries(&self, image_tokens: &Tensor) -> Result<Tensor> {
        let eyes = self.eyes()?;
        self.few_at_a_time(image_tokens, |tokens| eyes.qformer.forward(tokens))
    }

    fn eyes(&self) -> Result<&Eyes> {
        let given_back = || Error::Setting("the vision tower was given back; load it again".into());
        self.parts.eyes.as_ref().ok_or_else(given_back)
    }

    /// `forward` over the images of `x`: on a CPU as many at a time as are worth it.
    fn few_at_a_time(
        &self,
        x: &Tensor,
        forward: impl Fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let images = x.dim(0)?;
        let at_once = rayon::current_num_threads().div_ceil(THREADS_PER_IMAGE);
        if !x.device().is_cpu() || images <= at_once {
            return forward(x);
        }
        let parts: Vec<Tensor> = (0..images)
            .step_by(at_once)
            .map(|from| forward(&x.narrow(0, from, at_once.min(images - from))?))
            .collect::<Result<_>>()?;
        Ok(Tensor::cat(&parts, 0)?)
    }

    /// Query outputs from a cache, checked and brought to the model's device and type.
    ///
    /// # Errors
    /// Features of another shape.
    pub fn adopt_queries(&self, queries: Tensor) -> Result<Tensor> {
        let expected = [1, self.config.num_query_tokens, self.config.qformer_config.hidden_size];
        if queries.dims() != expected {
            let found = queries.dims();
            return Err(Error::Setting(format!(
                "cached features are {found:?}, expected {expected:?}; empty the cache"
            )));
        }
        Ok(queries.to_dtype(self.compute_dtype())?.to_device(&self.options.device)?)
    }

    /// Query outputs → vectors of the language model [images, queries, d_model].
    ///
    /// # Errors
    /// Another shape.
    pub fn project(&self, queries: &Tensor) -> Result<Tensor> {
        self.parts.language_projection.forward(queries)
    }

    /// The encoder's input: each image's vectors, then its prompt's embeddings; shorter prompts are padded and masked.
    ///
    /// # Errors
    /// Another shape, or fewer prompts than images.
    pub fn embed(
        &self,
        projected: &Tensor,
        prompts: &[Vec<u32>],
    ) -> Result<(Tensor, Option<Mask>)> {
        let (images, queries, width) = projected.dims3()?;
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        let padded: Vec<u32> = prompts
            .iter()
            .flat_map(|ids| {
                ids.iter()
                    .copied()
                    .chain(std::iter::repeat_n(self.special.pad, longest - ids.len()))
            })
            .collect();
        let text = self.parts.t5.shared.forward(&padded)?.reshape((images, longest, width))?;
        let embedded = Tensor::cat(&[projected, &text], 1)?;
        if prompts.iter().all(|ids| ids.len() == longest) {
            return Ok((embedded, None));
        }
        let mask: Vec<f32> = prompts
            .iter()
            .flat_map(|ids| {
                let hidden = longest - ids.len();
                std::iter::repeat_n(0.0, queries + ids.len())
                    .chain(std::iter::repeat_n(f32::NEG_INFINITY, hidden))
            })
            .collect();
        let mask = Tensor::from_vec(mask, (images, queries + longest), &self.options.device)?;
        Ok((embedded, Some(mask)))
    }

    /// Captions for query outputs [images, queries, hidden], `num_return_sequences` of each, those of an image together; one
    /// prompt (token ids) per image and one seed per caption.
    ///
    /// # Errors
    /// Settings without a meaning; another number of prompts or seeds than of images.
    pub fn caption(
        &self,
        queries: &Tensor,
        prompts: &[Vec<u32>],
        seeds: &[u64],
        config: &GenerationConfig,
    ) -> Result<Vec<Caption>> {
        config.check()?;
        let mut batch = Batch::new(self, config);
        batch.join(queries, prompts, seeds)?;
        let mut done = Vec::new();
        while !batch.is_empty() {
            done.extend(batch.advance()?);
        }
        done.sort_by_key(|(image, _)| *image);
        Ok(done.into_iter().flat_map(|(_, captions)| captions).collect())
    }
}
