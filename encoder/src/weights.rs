//! The tensors of a BERT, found in safetensors files and converted to f32. Each tensor is mapped into memory while it is
//! read and let go at once, and each layer is handed on before the next is read: loading takes little more memory than
//! the loaded encoder.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::{Mmap, MmapOptions};
use rayon::prelude::*;
use safetensors::tensor::TensorInfo;
use safetensors::{Dtype, SafeTensors};

use super::{EncoderError, Spec};

/// A linear layer as PyTorch stores it: `weight` is [outputs × inputs], row-major.
#[derive(Default)]
pub(super) struct Linear {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub outputs: usize,
    pub inputs: usize,
}

/// Scale and shift of a LayerNorm.
#[derive(Default)]
pub(super) struct Norm {
    pub scale: Vec<f32>,
    pub shift: Vec<f32>,
}

/// One transformer layer.
#[derive(Default)]
pub(super) struct Layer {
    pub query: Linear,
    pub key: Linear,
    pub value: Linear,
    pub attention_output: Linear,
    pub attention_norm: Norm,
    pub intermediate: Linear,
    pub output: Linear,
    pub output_norm: Norm,
}

/// All that is in the files, as f32, with layers as an engine wants them.
pub(super) struct Weights<L> {
    /// [vocab × dim]
    pub words: Vec<f32>,
    /// [max_positions × dim]
    pub positions: Vec<f32>,
    /// [token_types × dim]
    pub token_types: Vec<f32>,
    pub embedding_norm: Norm,
    pub layers: Vec<L>,
}

/// Prefixes under which published checkpoints keep a BERT.
const PREFIXES: [&str; 3] = ["", "bert.", "model."];

/// The name of a tensor without such a prefix.
#[cfg(feature = "candle")]
pub(super) fn without_prefix(name: &str) -> &str {
    PREFIXES.iter().rev().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

impl<L: Send> Weights<L> {
    /// Reads every tensor that `spec` needs; every layer goes through `prepare` as soon as it is read.
    ///
    /// # Errors
    /// Unreadable files, or [`EncoderError::Weights`] with every tensor that is missing, has the wrong shape, an
    /// unknown type or values that are not finite.
    pub fn read(
        spec: &Spec,
        prepare: impl Fn(Layer) -> L + Sync,
    ) -> Result<Weights<L>, EncoderError> {
        let mut tensors = HashMap::new();
        for path in &spec.weight_files {
            Stored::list(path, &mut tensors)?;
        }
        let prefix = PREFIXES
            .into_iter()
            .find(|prefix| {
                tensors.contains_key(&format!("{prefix}embeddings.word_embeddings.weight"))
            })
            .unwrap_or_default();
        let reader = Reader { tensors, prefix };
        reader.bert(spec, prepare).map_err(|problems| EncoderError::Weights {
            path: spec.weight_files[0].clone(),
            problems,
        })
    }
}

/// Where a tensor lies.
struct Stored {
    info: TensorInfo,
    file: Arc<File>,
    /// First byte in the file.
    offset: usize,
}

impl Stored {
    /// Adds the tensors that the header of a file lists; the header is checked against the length of the file.
    fn list(path: &Path, tensors: &mut HashMap<String, Stored>) -> Result<(), EncoderError> {
        let io = |source| EncoderError::Io { path: path.to_path_buf(), source };
        let corrupt = |reason: String| EncoderError::Corrupt { path: path.to_path_buf(), reason };
        let file = Arc::new(File::open(path).map_err(io)?);
        let whole = map(&MmapOptions::new(), &file).map_err(io)?;
        let (header, metadata) =
            SafeTensors::read_metadata(&whole).map_err(|error| corrupt(error.to_string()))?;
        // Eight bytes of length stand before the header; `read_metadata` has compared the rest with the file.
        let begin = header + 8;
        for (name, info) in metadata.tensors() {
            let stored = Stored {
                info: info.clone(),
                file: Arc::clone(&file),
                offset: begin + info.data_offsets.0,
            };
            tensors.insert(name, stored);
        }
        Ok(())
    }

    fn bytes(&self) -> io::Result<Mmap> {
        let (begin, end) = self.info.data_offsets;
        let mut options = MmapOptions::new();
        options.offset(self.offset as u64).len(end - begin);
        map(&options, &self.file)
    }
}

fn map(options: &MmapOptions, file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is private and read-only; a file that another process truncates while it is being read would
    // end this process, as with every reader of memory-mapped checkpoints. Maps live only while a tensor is read.
    unsafe { options.map(file) }
}

struct Reader {
    tensors: HashMap<String, Stored>,
    prefix: &'static str,
}

type Read<T> = Result<T, Vec<String>>;

impl Reader {
    fn bert<L: Send>(&self, spec: &Spec, prepare: impl Fn(Layer) -> L + Sync) -> Read<Weights<L>> {
        let dim = spec.dim;
        let words = self.tensor("embeddings.word_embeddings.weight", &[spec.vocab, dim]);
        let positions =
            self.tensor("embeddings.position_embeddings.weight", &[spec.max_positions, dim]);
        let types =
            self.tensor("embeddings.token_type_embeddings.weight", &[spec.token_types, dim]);
        let norm = self.norm("embeddings.LayerNorm", dim);
        let layers: Vec<Read<L>> = (0..spec.layers)
            .into_par_iter()
            .map(|index| self.layer(index, spec).map(&prepare))
            .collect();
        let mut problems = Vec::new();
        let weights = Weights {
            words: keep(words, &mut problems),
            positions: keep(positions, &mut problems),
            token_types: keep(types, &mut problems),
            embedding_norm: keep(norm, &mut problems),
            layers: layers
                .into_iter()
                .filter_map(|layer| layer.map_err(|mut found| problems.append(&mut found)).ok())
                .collect(),
        };
        finish(weights, problems)
    }

    fn layer(&self, index: usize, spec: &Spec) -> Read<Layer> {
        let (dim, wide) = (spec.dim, spec.intermediate);
        let mut problems = Vec::new();
        let mut linear = |name: &str, outputs, inputs| {
            let name = format!("encoder.layer.{index}.{name}");
            keep(self.linear(&name, outputs, inputs), &mut problems)
        };
        let query = linear("attention.self.query", dim, dim);
        let key = linear("attention.self.key", dim, dim);
        let value = linear("attention.self.value", dim, dim);
        let attention_output = linear("attention.output.dense", dim, dim);
        let intermediate = linear("intermediate.dense", wide, dim);
        let output = linear("output.dense", dim, wide);
        let mut norm = |name: &str| {
            let name = format!("encoder.layer.{index}.{name}");
            keep(self.norm(&name, dim), &mut problems)
        };
        let attention_norm = norm("attention.output.LayerNorm");
        let output_norm = norm("output.LayerNorm");
        let layer = Layer {
            query,
            key,
            value,
            attention_output,
            attention_norm,
            intermediate,
            output,
            output_norm,
        };
        finish(layer, problems)
    }

    fn linear(&self, name: &str, outputs: usize, inputs: usize) -> Read<Linear> {
        let weight = self.tensor(&format!("{name}.weight"), &[outputs, inputs]);
        let bias = self.tensor(&format!("{name}.bias"), &[outputs]);
        let mut problems = Vec::new();
        let linear = Linear {
            weight: keep(weight, &mut problems),
            bias: keep(bias, &mut problems),
            outputs,
            inputs,
        };
        finish(linear, problems)
    }

    fn norm(&self, name: &str, width: usize) -> Read<Norm> {
        let scale = self.tensor(&format!("{name}.weight"), &[width]);
        let shift = self.tensor(&format!("{name}.bias"), &[width]);
        let mut problems = Vec::new();
        let norm = Norm { scale: keep(scale, &mut problems), shift: keep(shift, &mut problems) };
        finish(norm, problems)
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Read<Vec<f32>> {
        let name = format!("{}{name}", self.prefix);
        let problem = |text: String| Err(vec![text]);
        let Some(stored) = self.tensors.get(&name) else {
            return problem(format!("{name} is missing"));
        };
        if stored.info.shape != shape {
            return problem(format!(
                "{name} has shape {:?}, config.json asks for {shape:?}",
                stored.info.shape
            ));
        }
        let bytes = match stored.bytes() {
            Ok(bytes) => bytes,
            Err(error) => return problem(format!("{name} cannot be read: {error}")),
        };
        let values: Vec<f32> = match stored.info.dtype {
            Dtype::F32 => convert(&bytes, f32::from_le_bytes),
            Dtype::F16 => convert(&bytes, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::BF16 => convert(&bytes, |b| bf16::from_le_bytes(b).to_f32()),
            other => {
                return problem(format!(
                    "{name} is stored as {other:?}; F32, F16 and BF16 are read"
                ));
            }
        };
        if !values.iter().all(|value| value.is_finite()) {
            return problem(format!("{name} holds values that are not finite"));
        }
        Ok(values)
    }
}

fn convert<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}

/// The value, or its default with the problems noted: reading goes on so that all problems are reported at once.
fn keep<T: Default>(value: Read<T>, problems: &mut Vec<String>) -> T {
    value.unwrap_or_else(|mut found| {
        problems.append(&mut found);
        T::default()
    })
}

fn finish<T>(value: T, problems: Vec<String>) -> Read<T> {
    match problems.is_empty() {
        true => Ok(value),
        false => Err(problems),
    }
}
