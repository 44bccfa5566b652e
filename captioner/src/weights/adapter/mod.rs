//! LoRA adapters as PEFT saves them (<https://arxiv.org/abs/2106.09685>): W ← W + s·B·A, merged once while loading.
//!
//! The tensors in `adapter_model.safetensors` say which modules are changed; `adapter_config.json` says how strongly.
//! Variants that would need more than that product are refused by name rather than silently approximated.

mod config;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use fgd_store::digest::Digest;

use super::files::TensorFiles;
use super::matrix::HostMatrix;
use crate::error::{Error, Result};
use config::{AdapterConfig, CONFIG};

const TENSORS: &str = "adapter_model.safetensors";

/// A LoRA adapter read from a directory, not yet merged into anything.
pub struct Adapter {
    files: TensorFiles,
    changes: BTreeMap<String, Change>,
    base: Option<String>,
}

/// The low-rank change of one weight matrix.
pub struct Change {
    a: Tensor,
    b: Tensor,
    scale: f64,
}

impl Adapter {
    /// Reads `adapter_config.json` and maps `adapter_model.safetensors`.
    ///
    /// # Errors
    /// Files that are missing or damaged; an adapter that is not plain LoRA.
    pub fn read(dir: &Path) -> Result<Self> {
        let config = AdapterConfig::read(dir)?;
        let tensors_path = dir.join(TENSORS);
        if !tensors_path.exists() {
            return Err(Error::checkpoint(dir, format!("no {TENSORS} beside {CONFIG}")));
        }
        let files = TensorFiles::open(std::slice::from_ref(&tensors_path))?;
        let changes = read_changes(&files, &config, &tensors_path)?;
        Ok(Self { files, changes, base: config.base })
    }

    /// Whether `dir` holds an adapter and no checkpoint of its own.
    pub fn is_alone_in(dir: &Path) -> bool {
        dir.join(CONFIG).exists() && !dir.join("config.json").exists()
    }

    /// The checkpoint that it was trained on, as its configuration names it.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
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
        let kept = |name: &str| split_name(name).is_some_and(|(module, _)| keep(module));
        let tensors = self.files.digests().combine(kept);
        let changes = self.changes.iter().filter(|(module, _)| keep(module));
        changes
            .fold(Digest::new("adapter", 1).field("tensors", tensors), |all, (module, change)| {
                all.field(module, change.scale.to_le_bytes())
            })
            .finish()
    }
}

impl Change {
    /// Why it does not fit a matrix of this size, if it does not.
    pub fn mismatch(&self, rows: usize, cols: usize) -> Option<String> {
        let (a, b) = (self.a.dims(), self.b.dims());
        (a[1] != cols || b[0] != rows)
            .then(|| format!("B·A is [{}, {}], the weight is [{rows}, {cols}]", b[0], a[1]))
    }

    /// A, B and s; A and B row by row.
    ///
    /// # Errors
    /// A tensor that cannot be read.
    pub fn factors(&self) -> Result<(Vec<f32>, Vec<f32>, f64)> {
        Ok((self.a.flatten_all()?.to_vec1()?, self.b.flatten_all()?.to_vec1()?, self.scale))
    }

    /// Adds s·B·A to row-major values.
    ///
    /// # Errors
    /// Factors that do not fit each other.
    pub fn add_to(&self, values: &mut [f32]) -> Result<()> {
        let product = (self.b.matmul(&self.a)? * self.scale)?.flatten_all()?.to_vec1::<f32>()?;
        values.iter_mut().zip(product).for_each(|(w, d)| *w += d);
        Ok(())
    }
}

/// `base_model.model.MODULE.lora_A.weight` → (MODULE, "lora_A"); a named adapter has its name before `weight`.
fn split_name(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix("base_model.model.").unwrap_or(name).strip_suffix(".weight")?;
    ["lora_A", "lora_B"].into_iter().find_map(|which| {
        let (module, tail) = name.rsplit_once(&format!(".{which}"))?;
        (tail.is_empty() || tail.matches('.').count() == 1 && tail.starts_with('.'))
            .then_some((module, which))
    })
}

fn read_changes(
    files: &TensorFiles,
    config: &AdapterConfig,
    tensors_path: &Path,
) -> Result<BTreeMap<String, Change>> {
    let mut problems = Vec::new();
    let mut pairs: BTreeMap<&str, (Option<Tensor>, Option<Tensor>)> = BTreeMap::new();
    for name in files.names() {
        let Some((module, which)) = split_name(name) else {
            problems.push(format!("{name} is not lora_A or lora_B of a module"));
            continue;
        };
        match factor(files, name)? {
            Ok(tensor) => {
                let pair = pairs.entry(module).or_default();
                *(if which == "lora_A" { &mut pair.0 } else { &mut pair.1 }) = Some(tensor);
            }
            Err(problem) => problems.push(problem),
        }
    }
    let mut changes = BTreeMap::new();
    for (module, pair) in pairs {
        let (Some(a), Some(b)) = pair else {
            problems.push(format!("{module} has only one of lora_A and lora_B"));
            continue;
        };
        let (rank, scale) = config.rank_and_scale(module);
        if a.dims()[0] != rank || b.dims()[1] != rank {
            let (found_a, found_b) = (a.dims(), b.dims());
            problems.push(format!("{module}: lora_A {found_a:?}, lora_B {found_b:?} do not have the configured rank {rank}"));
            continue;
        }
        changes.insert(module.to_owned(), Change { a, b, scale });
    }
    if changes.is_empty() && problems.is_empty() {
        problems.push("no LoRA tensor".into());
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(Error::Tensors { path: tensors_path.into(), problems })
    }
}

fn factor(files: &TensorFiles, name: &str) -> Result<std::result::Result<Tensor, String>> {
    let Some(entry) = files.get(name) else {
        return Ok(Err(format!("missing {name}")));
    };
    let [rows, cols] = entry.shape[..] else {
        return Ok(Err(format!("{name} is {:?}, expected two dimensions", entry.shape)));
    };
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
