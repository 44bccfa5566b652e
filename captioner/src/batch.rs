//! Captions in the making: images join a batch between two steps of the decoder, and leave it as soon as their captions have
//! ended.

use candle_core::Tensor;

use super::error::{Error, Result};
use super::generate::{GenerationConfig, Ongoing, Step};
use super::model::{Caption, Captioner};
use super::t5::{Cache, T5};

/// Images whose captions share the steps of the decoder. On a CPU a caption is the same to the bit whatever is beside it.
pub struct Batch<'a> {
    captioner: &'a Captioner,
    config: &'a GenerationConfig,
    ongoing: Ongoing<'a>,
    decoding: Option<Decoding<'a>>,
}

impl<'a> Batch<'a> {
    /// An empty one.
    pub fn new(captioner: &'a Captioner, config: &'a GenerationConfig) -> Self {
        let ongoing = Ongoing::new(config, captioner.special_tokens());
        Self { captioner, config, ongoing, decoding: None }
    }

    /// Bytes that an image takes in a batch: keys and values of its prompt and of its rows' tokens.
    pub fn bytes_per_image(
        captioner: &Captioner,
        prompt: usize,
        config: &GenerationConfig,
    ) -> usize {
        let text = &captioner.config().text_config;
        let tokens = captioner.config().num_query_tokens + prompt;
        let all = tokens + config.rows() * config.max_new_tokens;
        let bytes = if captioner.options().rounded_products().is_some() { 2 } else { 4 };
        all * text.num_decoder_layers() * 2 * text.inner_dim() * bytes
    }

    /// Images whose captions have not ended.
    pub fn len(&self) -> usize {
        self.ongoing.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ongoing.is_empty()
    }

    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.ongoing.steps()
    }

    /// Images join, given as query outputs [images, queries, hidden], with a prompt (token ids) each and a seed for each of
    /// their captions; answers their numbers, counted from the first that ever joined. On a GPU the batch must be empty.
    ///
    /// # Errors
    /// Another number of prompts or seeds than of images; images that join others on a GPU.
    pub fn join(
        &mut self,
        queries: &Tensor,
        prompts: &[Vec<u32>],
        seeds: &[u64],
    ) -> Result<Vec<usize>> {
        let each = self.config.num_return_sequences;
        if prompts.len() != queries.dim(0)? || seeds.len() != prompts.len() * each {
            return Err(Error::Setting(
                "one prompt is needed for every image, and one seed for every caption".into(),
            ));
        }
        let (captioner, t5) = (self.captioner, self.captioner.language_model());
        let (embedded, mask) = captioner.embed(&captioner.project(queries)?, prompts)?;
        let (rows, longest) = (self.config.rows(), self.config.max_new_tokens);
        let cache = t5.start(&embedded, mask.as_ref(), rows, longest)?;
        match &mut self.decoding {
            Some(decoding) => decoding.cache.join(cache)?,
            None => self.decoding = Some(Decoding { t5, cache }),
        }
        Ok(seeds.chunks(each).map(|seeds| self.ongoing.join(seeds)).collect())
    }

    /// Goes on until captions have ended: the numbers of their images, and the captions of each.
    ///
    /// # Errors
    /// What the decoder fails at; logits that are not numbers, where tokens are drawn.
    pub fn advance(&mut self) -> Result<Vec<(usize, Vec<Caption>)>> {
        let Some(decoding) = &mut self.decoding else {
            return Ok(Vec::new());
        };
        let text = |ids: &[u32]| self.captioner.tokenizer().decode(ids);
        let done = self.ongoing.advance(decoding)?.into_iter().map(|(image, sequences)| {
            let captions = sequences
                .into_iter()
                .map(|sequence| Ok(Caption { text: text(&sequence.ids)?, sequence }));
            Ok((image, captions.collect::<Result<_>>()?))
        });
        done.collect()
    }
}

/// T5 and its cache as the searches see them.
struct Decoding<'a> {
    t5: &'a T5,
    cache: Cache,
}

impl Step for Decoding<'_> {
    fn step(&mut self, ids: &[u32]) -> Result<Vec<Vec<f32>>> {
        self.t5.step(ids, &mut self.cache)
    }

    fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        self.cache.go_on(rows)
    }

    fn is_on_host(&self) -> bool {
        self.cache.is_on_host()
    }
}
