//! LoRA adapters as PEFT saves them (<https://arxiv.org/abs/2106.09685>): W ← W + s·B·A, merged once while loading.
//!
//! The tensors in `adapter_model.safetensors` say which modules are changed, [`names`] what each is; `adapter_config.json` says
//! how strongly. Where PEFT saved a module's own weight beside its factors, as it does for output layers, that replaces the
//! checkpoint's first. Variants that would need more are refused by name rather than silently approximated.

mod config;
mod names;
mod targets;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use fgd_store::digest::Digest;
use fgd_store::hub;

use super::files::TensorFiles;
use super::matrix::HostMatrix;
use crate::error::{Error, Result};
use config::AdapterConfig;
pub use config::CONFIG;
use names::{Part, split_name};
pub use targets::Targets;

/// The file of an adapter's weights, as PEFT calls it.
pub const TENSORS: &str = "adapter_model.safetensors";

/// Parts of a checkpoint that are models of their own, so that adapters are trained on them alone; the names in these lack the
/// prefix.
const PARTS: [&str; 4] = ["", "language_model.", "qformer.", "vision_model."];

/// The output layer, which a checkpoint may share with the embedding and an adapter changes all the same.
const HEAD: &str = "language_model.lm_head";

/// A LoRA adapter read from a directory, not yet merged into anything.
pub struct Adapter {
    files: TensorFiles,
    changes: BTreeMap<String, Change>,
    /// What precedes the adapter's names of modules in the checkpoint's.
    part: &'static str,
}

/// The change of one weight matrix.
#[derive(Default)]
pub struct Change {
    /// What the weight is before the product is added, if not the checkpoint's.
    weight: Option<Tensor>,
    /// The product.
    product: Option<Product>,
}

/// A and B row by row, and s.
pub type Factors = (Vec<f32>, Vec<f32>, f64);

/// s·B·A.
struct Product {
    a: Tensor,
    b: Tensor,
    scale: f64,
}

impl Adapter {
    /// Reads `adapter_config.json` and maps `adapter_model.safetensors`, for the checkpoint that holds `checkpoint`.
    ///
    /// # Errors
    /// Files that are missing or damaged; an adapter that is not plain LoRA.
    pub fn read(dir: &Path, checkpoint: &TensorFiles) -> Result<Self> {
        let config = AdapterConfig::read(dir)?;
        let tensors_path = dir.join(TENSORS);
        if !tensors_path.exists() {
            let advice = hub::pickle_advice(dir, hub::Kind::Adapter).unwrap_or_default();
            return Err(Error::checkpoint(dir, format!("no {TENSORS} beside {CONFIG}{advice}")));
        }
        let files = TensorFiles::open(std::slice::from_ref(&tensors_path))?;
        let changes = read_changes(&files, &config, &tensors_path)?;
        config.holds_targets(&changes, &tensors_path)?;
        let is_there = |part: &str, module: &str| {
            let name = format!("{part}{module}");
            name == HEAD || checkpoint.get(&format!("{name}.weight")).is_some()
        };
        let part = PARTS.into_iter().find(|part| changes.keys().any(|m| is_there(part, m)));
        let part = part.unwrap_or_default();
        let changes =
            changes.into_iter().map(|(module, change)| (format!("{part}{module}"), change));
        Ok(Self { files, changes: changes.collect(), part })
    }

    /// Whether there is an adapter in `dir`, be it beside a checkpoint's weights.
    pub fn is_in(dir: &Path) -> bool {
        dir.join(CONFIG).is_file()
    }

    /// The checkpoint that the adapter in `dir` was trained on, as its configuration names it.
    ///
    /// # Errors
    /// As [`Self::read`], for the configuration.
    pub fn base_of(dir: &Path) -> Result<Option<String>> {
        Ok(AdapterConfig::read(dir)?.base)
    }

    /// Paths of the changed modules.
    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.changes.keys().map(String::as_str)
    }

    /// The change of one module's weight.
    pub fn get(&self, module: &str) -> Option<&Change> {
        self.changes.get(module)
    }

    /// Identity of what it does to the modules that `keep` selects; empty when it leaves all of them alone.
    pub fn sha256(&self, keep: impl Fn(&str) -> bool) -> String {
        if !self.modules().any(&keep) {
            return String::new();
        }
        let kept = |name: &str| {
            split_name(name).is_some_and(|(module, _)| keep(&format!("{}{module}", self.part)))
        };
        let tensors = self.files.digests().combine(kept);
        let changes = self.changes.iter().filter(|(module, _)| keep(module));
        changes
            .fold(Digest::new("adapter", 1).field("tensors", tensors), |all, (module, change)| {
                let scale = change.product.as_ref().map_or(0.0, |product| product.scale);
                all.field(module, scale.to_le_bytes())
            })
            .finish()
    }
}

impl Change {
    /// Why it does not fit a matrix of this size, if it does not.
    pub fn mismatch(&self, rows: usize, cols: usize) -> Option<String> {
        let of_weight = self.weight.as_ref().map(|weight| ("its own weight", weight.dims().into()));
        let of_product = self.product.as_ref().map(|p| ("B·A", vec![p.b.dims()[0], p.a.dims()[1]]));
        [of_weight, of_product].into_iter().flatten().find(|(_, size)| *size != [rows, cols]).map(
            |(what, size): (&str, Vec<usize>)| {
                format!("{what} is {size:?}, the weight is [{rows}, {cols}]")
            },
        )
    }

    /// What is multiplied here; `None` where the adapter has a weight of its own there.
    ///
    /// # Errors
    /// A tensor that cannot be read.
    pub fn factors(&self) -> Result<Option<Factors>> {
        match (&self.weight, &self.product) {
            (None, Some(Product { a, b, scale })) => {
                Ok(Some((a.flatten_all()?.to_vec1()?, b.flatten_all()?.to_vec1()?, *scale)))
            }
            _ => Ok(None),
        }
    }

    /// Makes the change in row-major values.
    ///
    /// # Errors
    /// Factors that do not fit each other.
    pub fn apply(&self, values: &mut [f32]) -> Result<()> {
        if let Some(weight) = &self.weight {
            values.copy_from_slice(&weight.flatten_all()?.to_vec1()?);
        }
        if let Some(Product { a, b, scale }) = &self.product {
            let product = (b.matmul(a)? * *scale)?.flatten_all()?.to_vec1::<f32>()?;
            values.iter_mut().zip(product).for_each(|(w, d)| *w += d);
        }
        Ok(())
    }
}

fn read_changes(
    files: &TensorFiles,
    config: &AdapterConfig,
    tensors_path: &Path,
) -> Result<BTreeMap<String, Change>> {
    let mut problems = Vec::new();
    let mut modules: BTreeMap<&str, BTreeMap<Part, Tensor>> = BTreeMap::new();
    for name in files.names() {
        let Some((module, part)) = split_name(name) else {
            // PEFT's own result with an adapted embedding depends on whether it was merged: the decoder's embedding is the same
            // matrix and not the same module.
            problems.push(match name.contains(".lora_embedding_") {
                true => format!("{name} changes an embedding, which is not supported; merge it with PEFT's merge_and_unload"),
                false => format!("{name} is not lora_A or lora_B of a module"),
            });
            continue;
        };
        match matrix(files, name)? {
            Ok(tensor) => drop(modules.entry(module).or_default().insert(part, tensor)),
            Err(problem) => problems.push(problem),
        }
    }
    let mut changes = BTreeMap::new();
    for (module, mut parts) in modules {
        let mut change = Change { weight: parts.remove(&Part::Weight), product: None };
        let (a, b) = (parts.remove(&Part::A), parts.remove(&Part::B));
        match (a, b) {
            (None, None) => {}
            (Some(a), Some(b)) => {
                let (rank, scale) = config.rank_and_scale(module);
                if a.dims()[0] != rank || b.dims()[1] != rank {
                    let (found_a, found_b) = (a.dims(), b.dims());
                    problems.push(format!("{module}: lora_A {found_a:?}, lora_B {found_b:?} do not have the configured rank {rank}"));
                    continue;
                }
                change.product = Some(Product { a, b, scale });
            }
            _ => {
                problems.push(format!("{module} has only one of lora_A and lora_B"));
                continue;
            }
        }
        changes.insert(module.to_owned(), change);
    }
    if changes.values().all(|change| change.product.is_none()) && problems.is_empty() {
        problems.push("no LoRA tensor".into());
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(Error::Tensors { path: tensors_path.into(), problems })
    }
}

fn matrix(files: &TensorFiles, name: &str) -> Result<std::result::Result<Tensor, String>> {
    let Some(entry) = files.get(name) else {
        return Ok(Err(format!("missing {name}")));
    };
    let [rows, cols] = entry.shape[..] else {
        return Ok(Err(format!("{name} is {:?}, expected two dimensions", entry.shape)));
    };
    if !entry.is_finite() {
        return Ok(Err(format!("{name} holds NaN or infinite numbers")));
    }
    match HostMatrix::from_entry(entry, rows, cols) {
        Some(matrix) if rows > 0 => {
            Ok(Ok(Tensor::from_vec(matrix.to_f32(), (rows, cols), &Device::Cpu)?))
        }
        _ => Ok(Err(format!(
            "{name} is {:?} {:?}; expected F32, F16 or BF16",
            entry.dtype, entry.shape
        ))),
    }
}
