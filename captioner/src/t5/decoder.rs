//! The decoder stack and the output layer, one token per call.

use candle_core::{DType, Tensor};
use fgd_kernels::{Form, Panels};

use super::attention::Attention;
use super::cache::{Beginning, Cache, DeviceCache, Kind};
use super::feed_forward::FeedForward;
use super::position::PositionBias;
use crate::config::T5Config;
use crate::error::Result;
use crate::layers::{Linear, Mask, RmsNorm};
use crate::weights::Scope;

/// Blocks of causal self-attention, cross-attention to the encoder and feed-forward; then logits.
pub struct Decoder {
    pub(crate) blocks: Vec<Block>,
    pub(crate) position: PositionBias,
    pub(crate) final_layer_norm: RmsNorm,
    pub(crate) lm_head: Linear,
    pub(crate) logit_scale: Option<f64>,
}

pub(crate) struct Block {
    pub(crate) self_norm: RmsNorm,
    pub(crate) self_attention: Attention,
    pub(crate) cross_norm: RmsNorm,
    pub(crate) cross_attention: Attention,
    pub(crate) feed_forward: FeedForward,
}

impl Block {
    fn load(layer: &Scope, config: &T5Config) -> Result<Self> {
        let norm = |n: usize| {
            RmsNorm::load(&layer.pp(n).pp("layer_norm"), config.d_model, config.layer_norm_epsilon)
        };
        Ok(Self {
            self_norm: norm(0)?,
            self_attention: Attention::load(&layer.pp(0).pp("SelfAttention"), config)?,
            cross_norm: norm(1)?,
            cross_attention: Attention::load(&layer.pp(1).pp("EncDecAttention"), config)?,
            feed_forward: FeedForward::load(&layer.pp(2), config)?,
        })
    }
}

impl Decoder {
    /// From `language_model.decoder.*` and `language_model.lm_head` (else the shared embedding).
    ///
    /// # Errors
    /// Tensors that are missing or misshapen.
    pub fn load(language_model: &Scope, config: &T5Config) -> Result<Self> {
        let scope = language_model.pp("decoder");
        let blocks = scope.pp("block");
        let head = language_model.pp("lm_head");
        let lm_head = if head.has("weight") {
            Linear::load_unbiased(&head, config.d_model, config.vocab_size)?
        } else {
            // Tied to the embedding.
            let size = [config.vocab_size, config.d_model];
            Linear::from_matrix(language_model.pp("shared").matrix_for(&head, &size)?, &head)
        };
        Ok(Self {
            position: PositionBias::load(
                &blocks.pp(0).pp("layer").pp(0).pp("SelfAttention"),
                config,
                false,
            )?,
            blocks: (0..config.num_decoder_layers())
                .map(|n| Block::load(&blocks.pp(n).pp("layer"), config))
                .collect::<Result<_>>()?,
            final_layer_norm: RmsNorm::load(
                &scope.pp("final_layer_norm"),
                config.d_model,
                config.layer_norm_epsilon,
            )?,
            lm_head,
            logit_scale: config.scales_logits().then(|| (config.d_model as f64).powf(-0.5)),
        })
    }

    /// A cache for `rows_per_prompt` sequences of at most `longest` tokens per row of `encoded` [prompts, source, d_model].
    ///
    /// # Errors
    /// Another shape.
    pub fn start(
        &self,
        encoded: &Tensor,
        mask: Option<&Mask>,
        rows_per_prompt: usize,
        longest: usize,
    ) -> Result<Cache> {
        Cache::new(self.beginning(encoded, mask, rows_per_prompt, longest)?)
    }

    fn beginning<'a>(
        &self,
        encoded: &Tensor,
        mask: Option<&'a Mask>,
        rows_per_prompt: usize,
        longest: usize,
    ) -> Result<Beginning<'a>> {
        let (prompts, sources, _) = encoded.dims3()?;
        let encoded = encoded.flatten(0, 1)?;
        let seen = self.blocks.iter().map(|block| block.cross_attention.keys_values(&encoded));
        let seen = seen.collect::<Result<_>>()?;
        let bias = self.position.forward(longest - 1, 1, longest)?;
        let bias = bias.to_dtype(DType::F32)?.flatten_from(1)?.contiguous()?;
        let rounded = |weights: Panels| matches!(weights.form(), Form::Halves | Form::Bytes);
        let form = match self.lm_head.panels().is_ok_and(rounded) {
            true => Form::Halves,
            false => Form::F32,
        };
        Ok(Beginning { prompts, sources, seen, mask, bias, rows_per_prompt, longest, form })
    }

    /// embedded [rows, d_model], the newest token of every row → the logits of each row over the vocabulary.
    ///
    /// # Errors
    /// Another shape; more tokens than the cache was made for.
    pub fn step(&self, embedded: &Tensor, cache: &mut Cache) -> Result<Vec<Vec<f32>>> {
        match &mut cache.0 {
            Kind::Host(cache) => self.step_on_host(embedded, cache),
            Kind::Device(cache) => self.step_on_device(embedded, cache),
        }
    }

    /// The same on a device; in candle's operations the twin that the host's is tested against.
    fn step_on_device(&self, embedded: &Tensor, cache: &mut DeviceCache) -> Result<Vec<Vec<f32>>> {
        let [vocabulary, _] = self.lm_head.weight().0.sizes()?;
        cache.step(embedded, vocabulary, |embedded, cache, logits| {
            let mut x = embedded.copy()?;
            for (at, block) in self.blocks.iter().enumerate() {
                let [q, k, v] = block.self_attention.projections(&block.self_norm.forward(&x)?)?;
                x = block.self_attention.o.forward_onto(&cache.own(at, [&q, &k, &v])?, x)?;
                let q = block.cross_attention.q.forward(&block.cross_norm.forward(&x)?)?;
                x = block.cross_attention.o.forward_onto(&cache.prompt(at, &q)?, x)?;
                x = block.feed_forward.forward(x)?;
            }
            let hidden = self.final_layer_norm.forward(&x)?;
            let hidden = match self.logit_scale {
                Some(scale) => (hidden * scale)?,
                None => hidden,
            };
            self.lm_head.write_to(&hidden, logits)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use candle_core::Device;

    use super::*;
    use crate::{Captioner, LoadOptions};

    fn tensor(shape: &[usize], seed: usize) -> Tensor {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| ((i + 31 * seed) as f32 * 0.731).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    /// Beams that change places, are doubled and leave, on different numbers of threads.
    #[test]
    fn steps_in_host_memory_agree_with_those_of_a_device() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/tiny-blip2/base");
        let captioner = Captioner::load(&fixture, None, LoadOptions::default(), &|_| ()).unwrap();
        let decoder = &captioner.language_model().decoder;
        let width = captioner.config().text_config.d_model;
        let mut mask = vec![0f32; 21];
        mask[6] = f32::NEG_INFINITY;
        let mask = Tensor::from_vec(mask, (3, 7), &Device::Cpu).unwrap();
        let encoded = tensor(&[3, 7, width], 1);
        let begin = || decoder.beginning(&encoded, Some(&mask), 2, 5).unwrap();
        let moves: [&[&[usize]]; 5] = [
            &[&[0, 1], &[1, 0], &[1, 1]],
            &[&[0, 1], &[], &[0, 1]],
            &[&[1], &[1, 0]],
            &[&[0], &[0]],
            &[&[], &[]],
        ];
        let mut device = Cache(Kind::Device(DeviceCache::new(begin()).unwrap()));
        let mut hosts = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            (pool, Cache::new(begin()).unwrap())
        });
        for (step, rows) in moves.iter().enumerate() {
            let embedded = tensor(&[[6, 6, 4, 3, 2][step], width], 7 * step);
            let want = decoder.step(&embedded, &mut device).unwrap();
            let rows: Vec<Vec<usize>> = rows.iter().map(|rows| rows.to_vec()).collect();
            device.go_on(&rows).unwrap();
            let all = hosts.each_mut().map(|(pool, host)| {
                let logits = pool.install(|| decoder.step(&embedded, host).unwrap());
                let both = logits.iter().flatten().zip(want.iter().flatten());
                let apart = both.fold(0f32, |most, (a, b)| most.max((a - b).abs()));
                assert!(apart < 1e-4, "step {step}: {apart}");
                host.go_on(&rows).unwrap();
                logits
            });
            assert_eq!(all[0], all[1], "one thread and three");
        }
        let (_, host) = &mut hosts[0];
        let error = decoder.step(&tensor(&[1, width], 1), host).unwrap_err().to_string();
        assert!(error.contains("1 tokens for the 0 rows"), "{error}");
    }
}
