//! The candle engine: the same BERT on candle tensors, on the CPU or a GPU. Captions of one length form a batch, so
//! there is neither padding nor a mask. The state between layers, norms and softmax stay in f32; with bf16 only the
//! products are narrower, which keeps every number finite (a mask of −f32::MAX overflows in half precision).

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::Module;

use super::spec::Activation;
use super::weights::{self, Weights};
use super::{Chunk, EncoderError, Engine, Spec, pooling};

/// Token rows in a chunk on the CPU and on a GPU.
const CHUNK_ROWS: [usize; 2] = [1024, 16_384];

/// A BERT of candle tensors.
pub(super) struct Candle {
    spec: Spec,
    device: Device,
    name: String,
    label: String,
    words: Tensor,
    positions: Tensor,
    token_type: Tensor,
    embedding_norm: candle_nn::LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attention_output: Linear,
    attention_norm: candle_nn::LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: candle_nn::LayerNorm,
}

/// x·Wᵀ + b with the product in the type of the weight and the sum in f32.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = x.to_dtype(self.weight.dtype())?.matmul(&self.weight.t()?)?;
        product.to_dtype(DType::F32)?.broadcast_add(&self.bias)
    }
}

impl Candle {
    /// Loads the model onto `device`: `cpu`, `cuda:N`, or `cuda:N@bf16` for products in bf16.
    pub fn load(spec: &Spec, device: &str) -> std::result::Result<Candle, EncoderError> {
        let (name, dtype) = match device.split_once('@') {
            None | Some((_, "f32")) => (device.trim_end_matches("@f32"), DType::F32),
            Some((name, "bf16")) => (name, DType::BF16),
            Some(_) => return Err(wrong_device(device, "the precision is f32 or bf16".into())),
        };
        let place = open(name)?;
        let weights = Weights::read(spec, |layer| layer)?;
        build(spec, weights, place, dtype, device).map_err(|error| failed(device, &error))
    }

    /// The last layer's tokens, [tokens × dim] in f32, of `count` captions of one length.
    fn forward(&self, ids: &[u32], count: usize) -> Result<Tensor> {
        let (length, dim) = (ids.len() / count, self.spec.dim);
        let ids = Tensor::new(ids, &self.device)?;
        let words = self
            .words
            .index_select(&ids, 0)?
            .reshape((count, length, dim))?;
        let places = self.positions.narrow(0, 0, length)?;
        let x = words
            .broadcast_add(&self.token_type)?
            .broadcast_add(&places)?;
        let mut x = self
            .embedding_norm
            .forward(&x.reshape((count * length, dim))?)?;
        for layer in &self.layers {
            let context = self.attend(layer, &x, count)?;
            let sum = (x + layer.attention_output.forward(&context)?)?;
            let y = layer.attention_norm.forward(&sum)?;
            let hidden = layer.intermediate.forward(&y)?;
            let hidden = match self.spec.activation {
                Activation::Gelu => hidden.gelu_erf()?,
                Activation::GeluTanh => hidden.gelu()?,
                Activation::Relu => hidden.relu()?,
            };
            x = layer
                .output_norm
                .forward(&(y + layer.output.forward(&hidden)?)?)?;
        }
        Ok(x)
    }

    fn attend(&self, layer: &Layer, x: &Tensor, count: usize) -> Result<Tensor> {
        let (rows, dim) = x.dims2()?;
        let (heads, width) = (self.spec.heads, dim / self.spec.heads);
        let dtype = layer.query.weight.dtype();
        let split = |linear: &Linear| -> Result<Tensor> {
            let all = linear.forward(x)?.to_dtype(dtype)?;
            let by_head = all.reshape((count, rows / count, heads, width))?;
            by_head.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) = (
            split(&layer.query)?,
            split(&layer.key)?,
            split(&layer.value)?,
        );
        let scores = query.matmul(&key.transpose(D::Minus2, D::Minus1)?.contiguous()?)?;
        let scores = (scores.to_dtype(DType::F32)? / (width as f64).sqrt())?;
        let shares = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(dtype)?;
        shares.matmul(&value)?.transpose(1, 2)?.reshape((rows, dim))
    }

    fn embed_chunk(&self, chunk: &Chunk) -> Result<Vec<f32>> {
        let captions: Vec<&[u32]> = chunk.captions().collect();
        let mut tokens = Vec::with_capacity(chunk.rows() * self.spec.dim);
        for batch in captions.chunk_by(|a, b| a.len() == b.len()) {
            let states = self.forward(&batch.concat(), batch.len())?;
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
        let tokens = self
            .embed_chunk(chunk)
            .map_err(|error| failed(&self.name, &error))?;
        pooling::pool(&self.spec, chunk, &tokens, self.spec.dim, embeddings);
        Ok(())
    }
}

/// `cpu` or `cuda:N`.
fn open(name: &str) -> std::result::Result<Device, EncoderError> {
    if name == "cpu" {
        return Ok(Device::Cpu);
    }
    let ordinal = match name.split_once(':') {
        None if name == "cuda" => Some(0),
        Some(("cuda", ordinal)) => ordinal.parse().ok(),
        _ => None,
    };
    let Some(ordinal) = ordinal else {
        return Err(wrong_device(name, "the devices are cpu and cuda:N".into()));
    };
    if !candle_core::utils::cuda_is_available() {
        let reason = "this fgd was built without GPU support; build it with `cargo build --release --features cuda`";
        return Err(wrong_device(name, reason.into()));
    }
    Device::new_cuda(ordinal)
        .map_err(|error| wrong_device(name, format!("the GPU cannot be used: {error}")))
}

fn build(
    spec: &Spec,
    weights: Weights<weights::Layer>,
    device: Device,
    dtype: DType,
    name: &str,
) -> Result<Candle> {
    let tensor = |values: Vec<f32>, shape: &[usize]| Tensor::from_vec(values, shape, &device);
    let linear = |linear: weights::Linear| -> Result<Linear> {
        Ok(Linear {
            weight: tensor(linear.weight, &[linear.outputs, linear.inputs])?.to_dtype(dtype)?,
            bias: tensor(linear.bias, &[linear.outputs])?,
        })
    };
    let norm = |norm: weights::Norm| -> Result<candle_nn::LayerNorm> {
        let (scale, shift) = (
            tensor(norm.scale, &[spec.dim])?,
            tensor(norm.shift, &[spec.dim])?,
        );
        Ok(candle_nn::LayerNorm::new(scale, shift, spec.layer_norm_eps))
    };
    let layers = weights.layers.into_iter().map(|layer| {
        Ok(Layer {
            query: linear(layer.query)?,
            key: linear(layer.key)?,
            value: linear(layer.value)?,
            attention_output: linear(layer.attention_output)?,
            attention_norm: norm(layer.attention_norm)?,
            intermediate: linear(layer.intermediate)?,
            output: linear(layer.output)?,
            output_norm: norm(layer.output_norm)?,
        })
    });
    let mut token_type = weights.token_types;
    token_type.truncate(spec.dim);
    Ok(Candle {
        layers: layers.collect::<Result<_>>()?,
        words: tensor(weights.words, &[spec.vocab, spec.dim])?,
        positions: tensor(weights.positions, &[spec.max_positions, spec.dim])?,
        token_type: tensor(token_type, &[spec.dim])?,
        embedding_norm: norm(weights.embedding_norm)?,
        spec: spec.clone(),
        name: name.to_string(),
        label: format!("candle/{name}"),
        device,
    })
}

fn wrong_device(device: &str, reason: String) -> EncoderError {
    EncoderError::Option {
        option: "--device",
        value: device.into(),
        reason,
    }
}

fn failed(device: &str, error: &candle_core::Error) -> EncoderError {
    EncoderError::Candle {
        device: device.into(),
        reason: error.to_string().lines().next().unwrap_or_default().into(),
    }
}
