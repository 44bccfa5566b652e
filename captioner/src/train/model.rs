//! T5 with factors beside some of its layers: from a loaded checkpoint to losses and gradients.

use candle_core::{DType, Tensor};

use super::attention::{Attention, Rows, Sight};
use super::batch::Batch;
use super::feed_forward::FeedForward;
use super::frozen::Frozen;
use super::head::{Head, Targets as Labels};
use super::layer::{Layer, Pass};
use super::lora::{Gradients, LoraConfig, Module};
use super::norm::Norm;
use super::packed_attention::Bias;
use super::stack::{Block, Stack, Surroundings, Trace};
use crate::error::{Error, Result};
use crate::layers::{Linear, RmsNorm};
use crate::load::tensors_of;
use crate::model::Captioner;
use crate::t5::{self, PositionBias, T5};

/// Sites of T5's dropout that a block takes: two of each attention and of the feed-forward layer.
const SITES_OF_A_BLOCK: u64 = 8;

/// A checkpoint's language model, ready to be trained.
pub struct Model<'a> {
    t5: &'a T5,
    encoder: Stack,
    decoder: Stack,
    head: Head,
    modules: Vec<Module>,
    /// Numbers of blocks that may be kept whole on the way there.
    room: usize,
}

/// What a pass forward and back gives beside the gradients of the factors.
pub struct Passed {
    /// Losses of the tokens, in the order of the batch's rows.
    pub losses: Vec<f32>,
    /// The gradient of the encoder's inputs [rows, d_model].
    pub input: Vec<f32>,
}

impl<'a> Model<'a> {
    /// The language model of a captioner, with factors where `config` wants them.
    ///
    /// # Errors
    /// Targets that are no layer, or a layer that is not trained here.
    pub fn new(captioner: &'a Captioner, config: &LoraConfig) -> Result<Self> {
        Self::of(captioner, config, &Ok)
    }

    /// The same, with what `put` makes of every frozen weight.
    pub(super) fn of(
        captioner: &'a Captioner,
        config: &LoraConfig,
        put: &dyn Fn(Frozen) -> Result<Frozen>,
    ) -> Result<Self> {
        config.check()?;
        let t5 = captioner.language_model();
        let wanted = config.targets.rule()?;
        let mut names = Names { wanted: &wanted, put, modules: Vec::new() };
        let encoder = Stack {
            blocks: enumerate(&t5.encoder.blocks, |n, block| {
                let layer = format!("language_model.encoder.block.{n}.layer");
                let site = SITES_OF_A_BLOCK * (n as u64 + 1);
                Ok(Block {
                    attention: names.attention(
                        &format!("{layer}.0.SelfAttention"),
                        &block.attention,
                        &block.layer_norm,
                        site,
                    )?,
                    cross: None,
                    feed_forward: names.feed_forward(
                        &format!("{layer}.1.DenseReluDense"),
                        &block.feed_forward,
                        site + 2,
                    )?,
                })
            })?,
            final_norm: Norm::of(&t5.encoder.final_layer_norm)?,
            site: 0,
        };
        let first = SITES_OF_A_BLOCK * (t5.encoder.blocks.len() as u64 + 1);
        let decoder = Stack {
            blocks: enumerate(&t5.decoder.blocks, |n, block| {
                let layer = format!("language_model.decoder.block.{n}.layer");
                let site = first + SITES_OF_A_BLOCK * (n as u64 + 1);
                Ok(Block {
                    attention: names.attention(
                        &format!("{layer}.0.SelfAttention"),
                        &block.self_attention,
                        &block.self_norm,
                        site,
                    )?,
                    cross: Some(names.attention(
                        &format!("{layer}.1.EncDecAttention"),
                        &block.cross_attention,
                        &block.cross_norm,
                        site + 4,
                    )?),
                    feed_forward: names.feed_forward(
                        &format!("{layer}.2.DenseReluDense"),
                        &block.feed_forward,
                        site + 2,
                    )?,
                })
            })?,
            final_norm: Norm::of(&t5.decoder.final_layer_norm)?,
            site: first,
        };
        let layer = names.layer("language_model.lm_head", &t5.decoder.lm_head)?;
        let text = &captioner.config().text_config;
        let head = Head {
            layer,
            width: text.d_model,
            vocabulary: text.vocab_size,
            scale: t5.decoder.logit_scale.unwrap_or(1.0) as f32,
        };
        let modules = names.modules;
        for (name, shape) in tensors_of(captioner.config())? {
            let module = name.strip_suffix(".weight").unwrap_or(&name);
            let is_trained = modules.iter().any(|trained| trained.name == module);
            if shape.len() > 1 && !is_trained && wanted(module) {
                return Err(Error::Setting(format!(
                    "targets {}: {module} is among them, and only the linear layers of the language model are trained here; \
                     name these alone, e.g. q,k,v",
                    config.targets
                )));
            }
        }
        if modules.is_empty() {
            return Err(Error::Setting(format!(
                "targets {}: no layer of the language model has such a name; q,k,v are those of its attention",
                config.targets
            )));
        }
        Ok(Self { t5, encoder, decoder, head, modules, room: 0 })
    }

    /// Lets this many bytes hold blocks that would be computed again on the way back; none at first.
    pub fn keep(&mut self, bytes: usize) {
        self.room = bytes / size_of::<f32>();
    }

    /// The layers that have factors, in the order of [`super::Lora`].
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Losses of the tokens of a batch, in the order of its rows.
    ///
    /// # Errors
    /// A token that the vocabulary does not have.
    pub fn losses(&self, pass: Pass, batch: &Batch) -> Result<Vec<f32>> {
        let forward = self.forward(pass, batch, 0)?;
        self.head.losses(pass, &forward.hidden, &labels(batch, &[]))
    }

    /// Forward and back: the gradients of Σ weight · loss over the rows are added to `gradients`.
    ///
    /// # Errors
    /// As [`Model::losses`].
    pub fn gradients(
        &self,
        pass: Pass,
        batch: &Batch,
        weights: &[f32],
        gradients: &mut Gradients,
    ) -> Result<Passed> {
        let Forward { encoded, encoder, mut hidden, decoder, biases } =
            self.forward(pass, batch, self.room)?;
        let losses = self.head.gradient(pass, &mut hidden, &labels(batch, weights), gradients)?;
        let mut dencoded = vec![0.0; encoded.len()];
        let around = decoder_surroundings(batch, &encoded, &biases[1]);
        self.decoder.backward(pass, decoder, around, hidden, &mut dencoded, gradients)?;
        let around = encoder_surroundings(batch, &biases[0]);
        let input = self.encoder.backward(pass, encoder, around, dencoded, &mut [], gradients)?;
        Ok(Passed { losses, input })
    }

    fn forward(&self, pass: Pass, batch: &Batch, mut room: usize) -> Result<Forward> {
        let biases = [
            bias(&self.t5.encoder.position, &batch.encoder)?,
            bias(&self.t5.decoder.position, &batch.decoder)?,
        ];
        let around = encoder_surroundings(batch, &biases[0]);
        let (encoded, encoder) =
            self.encoder.forward(pass, batch.embedded.clone(), around, &mut room)?;
        self.check(&batch.labels)?;
        let embedded = on_host(&self.t5.shared.forward(&batch.ids)?)?;
        let around = decoder_surroundings(batch, &encoded, &biases[1]);
        let (hidden, decoder) = self.decoder.forward(pass, embedded, around, &mut room)?;
        Ok(Forward { encoded, encoder, hidden, decoder, biases })
    }

    fn check(&self, labels: &[u32]) -> Result<()> {
        match labels.iter().find(|label| **label as usize >= self.head.vocabulary) {
            Some(label) => Err(Error::Setting(format!(
                "token id {label} is beyond the vocabulary of {}; tokenizer.json does not belong to this checkpoint",
                self.head.vocabulary
            ))),
            None => Ok(()),
        }
    }
}

struct Forward {
    encoded: Vec<f32>,
    encoder: Trace,
    hidden: Vec<f32>,
    decoder: Trace,
    biases: [Bias; 2],
}

fn labels<'b>(batch: &'b Batch, weights: &'b [f32]) -> Labels<'b> {
    Labels { labels: &batch.labels, keys: &batch.decoder_keys, weights }
}

fn encoder_surroundings<'b>(batch: &'b Batch, bias: &'b Bias) -> Surroundings<'b> {
    let own = Sight { stretches: &batch.encoder, bias: Some(bias), causal: false };
    Surroundings { keys: &batch.encoder_keys, own, cross: None }
}

fn decoder_surroundings<'b>(
    batch: &'b Batch,
    encoded: &'b [f32],
    bias: &'b Bias,
) -> Surroundings<'b> {
    let own = Sight { stretches: &batch.decoder, bias: Some(bias), causal: true };
    let cross = Sight { stretches: &batch.cross, bias: None, causal: false };
    let source = Rows { values: encoded, keys: &batch.encoder_keys };
    Surroundings { keys: &batch.decoder_keys, own, cross: Some((source, cross)) }
}

fn bias(position: &PositionBias, stretches: &[super::packed_attention::Stretch]) -> Result<Bias> {
    let longest = stretches.iter().map(|stretch| stretch.queries.len()).max().unwrap_or(0);
    let values = on_host(&position.forward(0, longest, longest)?)?;
    Ok(Bias { values, longest })
}

fn on_host(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

fn enumerate<T, U>(all: &[T], mut f: impl FnMut(usize, &T) -> Result<U>) -> Result<Vec<U>> {
    all.iter().enumerate().map(|(n, item)| f(n, item)).collect()
}

/// Collects the layers that are trained while the model is put together.
struct Names<'a> {
    wanted: &'a dyn Fn(&str) -> bool,
    put: &'a dyn Fn(Frozen) -> Result<Frozen>,
    modules: Vec<Module>,
}

impl Names<'_> {
    fn layer(&mut self, name: &str, linear: &Linear) -> Result<Layer> {
        let weight = (self.put)(Frozen::of(linear)?)?;
        let (outputs, inputs) = (weight.outputs(), weight.inputs());
        let module = (self.wanted)(name).then(|| {
            self.modules.push(Module { name: name.to_owned(), inputs, outputs });
            self.modules.len() - 1
        });
        Ok(Layer::new(weight, module))
    }

    fn attention(
        &mut self,
        name: &str,
        loaded: &t5::Attention,
        norm: &RmsNorm,
        site: u64,
    ) -> Result<Attention> {
        let mut layer = |which: &str, linear| self.layer(&format!("{name}.{which}"), linear);
        Ok(Attention {
            norm: Norm::of(norm)?,
            q: layer("q", &loaded.q)?,
            k: layer("k", &loaded.k)?,
            v: layer("v", &loaded.v)?,
            o: layer("o", &loaded.o)?,
            heads: loaded.heads,
            site,
        })
    }

    fn feed_forward(
        &mut self,
        name: &str,
        loaded: &t5::FeedForward,
        site: u64,
    ) -> Result<FeedForward> {
        let wi = if loaded.gate.is_some() { "wi_0" } else { "wi" };
        let mut layer = |which: &str, linear| self.layer(&format!("{name}.{which}"), linear);
        Ok(FeedForward {
            norm: Norm::of(&loaded.layer_norm)?,
            wi: layer(wi, &loaded.wi)?,
            gate: loaded.gate.as_ref().map(|gate| layer("wi_1", gate)).transpose()?,
            wo: layer("wo", &loaded.wo)?,
            activation: loaded.activation,
            site,
        })
    }
}
