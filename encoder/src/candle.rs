//! The candle engine: candle-transformers' BERT in f32, on the CPU or a GPU.
//!
//! It shares nothing with the packed engine but the tokens and the pooling, which makes it the reference that the packed
//! engine is tested against. Captions of one length form a batch, so there is no padding to mask.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config, HiddenAct};

use super::spec::Activation;
use super::weights::without_prefix;
use super::{Chunk, EncoderError, Engine, Spec, pooling};

/// Token rows in a chunk on the CPU and on a GPU.
const CHUNK_ROWS: [usize; 2] = [1024, 16_384];

/// A loaded BERT.
pub(super) struct Candle {
    spec: Spec,
    device: Device,
    label: String,
    model: BertModel,
}

impl Candle {
    /// Loads the model onto `device`: `cpu` or `cuda:N`.
    pub fn load(spec: &Spec, device: &str) -> std::result::Result<Candle, EncoderError> {
        let place = open(device)?;
        let model = read(spec, &place).map_err(|error| EncoderError::Weights {
            path: spec.weight_files[0].clone(),
            problems: vec![first_line(&error)],
        })?;
        Ok(Candle { spec: spec.clone(), device: place, label: format!("candle/{device}"), model })
    }

    /// The last layer's tokens, one after the other, [tokens × dim].
    fn tokens(&self, chunk: &Chunk) -> Result<Vec<f32>> {
        let captions: Vec<&[u32]> = chunk.captions().collect();
        let mut tokens = Vec::with_capacity(chunk.rows() * self.spec.dim);
        for batch in captions.chunk_by(|a, b| a.len() == b.len()) {
            let shape = (batch.len(), batch[0].len());
            let ids = Tensor::from_vec(batch.concat(), shape, &self.device)?;
            let states = self.model.forward(&ids, &ids.zeros_like()?, None)?;
            tokens.append(&mut states.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(tokens)
    }
}

impl Engine for Candle {
    fn label(&self) -> &str {
        &self.label
    }

    fn chunk_rows(&self) -> usize {
        CHUNK_ROWS[usize::from(!self.device.is_cpu())]
    }

    fn embed(
        &self,
        chunk: &Chunk,
        embeddings: &mut [f32],
    ) -> std::result::Result<(), EncoderError> {
        let tokens = self.tokens(chunk).map_err(|error| EncoderError::Candle {
            device: self.label.trim_start_matches("candle/").into(),
            reason: first_line(&error),
        })?;
        pooling::pool(&self.spec, chunk, &tokens, self.spec.dim, embeddings);
        Ok(())
    }
}

fn read(spec: &Spec, device: &Device) -> Result<BertModel> {
    let mut tensors = HashMap::new();
    for file in &spec.weight_files {
        let stored = safetensors::load(file, &Device::Cpu)?.into_iter();
        tensors.extend(stored.map(|(name, tensor)| (without_prefix(&name).to_owned(), tensor)));
    }
    let config = Config {
        vocab_size: spec.vocab,
        hidden_size: spec.dim,
        num_hidden_layers: spec.layers,
        num_attention_heads: spec.heads,
        intermediate_size: spec.intermediate,
        hidden_act: match spec.activation {
            Activation::Gelu => HiddenAct::Gelu,
            Activation::GeluTanh => HiddenAct::GeluApproximate,
            Activation::Relu => HiddenAct::Relu,
        },
        max_position_embeddings: spec.max_positions,
        type_vocab_size: spec.token_types,
        layer_norm_eps: spec.layer_norm_eps,
        ..Config::default()
    };
    BertModel::load(VarBuilder::from_tensors(tensors, DType::F32, device), &config)
}

/// `cpu` or `cuda:N`.
fn open(name: &str) -> std::result::Result<Device, EncoderError> {
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    // One stream for all threads: candle's default has one for each, and none waits for another's.
    Device::new_cuda_with_stream(ordinal(name)?)
        .map_err(|error| wrong(name, format!("the GPU cannot be used: {}", first_line(&error))))
}

fn wrong(name: &str, reason: String) -> EncoderError {
    EncoderError::Option { option: "--device", value: name.into(), reason }
}

/// The number of the GPU that `cuda:N` names, in a build that can use one.
pub(super) fn ordinal(name: &str) -> std::result::Result<usize, EncoderError> {
    let wrong = |reason: String| wrong(name, reason);
    if name.contains('@') {
        return Err(wrong(
            "the candle engine computes in f32; leave out what follows the @".into(),
        ));
    }
    let ordinal = match name.split_once(':') {
        None if name == "cuda" => Some(0),
        Some(("cuda", ordinal)) => ordinal.parse().ok(),
        _ => None,
    };
    let Some(ordinal) = ordinal else {
        return Err(wrong("the devices are cpu and cuda:N".into()));
    };
    if !candle_core::utils::cuda_is_available() {
        return Err(wrong(
            "this fgd was built without GPU support; build it with `cargo build --release --features cuda`".into(),
        ));
    }
    Ok(ordinal)
}

fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().into()
}
