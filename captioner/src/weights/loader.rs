//! Hands out a checkpoint's tensors by name to the layers that are being built.
//!
//! A model is built twice: first as a rehearsal that only checks names, types and shapes and collects every problem, then
//! for real. Nothing heavy happens before the whole account is known to be right.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::adapter::Adapter;
use super::files::{Entry, TensorFiles};
use super::matrix::{HostMatrix, Matrix, Precision};
use super::panels::PanelMatrix;
use crate::error::{Error, Result};

/// How far loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of tensors taken over so far.
    pub done: u64,
    /// Bytes of all tensors.
    pub total: u64,
}

/// Names that a checkpoint may carry although nothing here reads them: aliases of `shared`, buffers, and the text branch
/// of the Q-Former, which captioning does not use.
pub fn is_ignorable(name: &str) -> bool {
    name.ends_with(".embed_tokens.weight")
        || name.ends_with("position_ids")
        || name.ends_with("EncDecAttention.relative_attention_bias.weight")
        || name.starts_with("qformer.embeddings.")
        || name.starts_with("embeddings.")
        || (name.starts_with("qformer.encoder.layer.")
            && (name.contains(".intermediate.dense.") || name.split('.').nth(4) == Some("output")))
}

/// One checkpoint being loaded.
pub struct Loader<'a> {
    files: &'a TensorFiles,
    adapter: Option<&'a Adapter>,
    device: Device,
    progress: &'a dyn Fn(LoadProgress),
    account: RefCell<Account>,
}

#[derive(Default)]
struct Account {
    rehearsing: bool,
    /// Set while only the list of tensors is wanted.
    inventory: Option<Vec<(String, Vec<usize>)>>,
    used: BTreeSet<String>,
    adapted: BTreeSet<String>,
    problems: Vec<String>,
    done: u64,
}

impl<'a> Loader<'a> {
    /// Reads from `files`, merges `adapter` where it applies, and puts the result on `device`.
    pub fn new(
        files: &'a TensorFiles,
        adapter: Option<&'a Adapter>,
        device: Device,
        progress: &'a dyn Fn(LoadProgress),
    ) -> Self {
        Self { files, adapter, device, progress, account: RefCell::default() }
    }

    /// Builds with `build`, after a rehearsal that must end without a missing, misshapen or unexpected tensor.
    ///
    /// # Errors
    /// Every tensor that is missing, misshapen or unexpected; whatever `build` fails at.
    pub fn load<T>(
        &self,
        dir: &Path,
        precision: Precision,
        build: impl Fn(&Scope) -> Result<T>,
    ) -> Result<T> {
        self.rehearse(dir, precision, &build)?;
        *self.account.borrow_mut() = Account::default();
        build(&Scope { loader: self, prefix: String::new(), precision })
    }

    /// Whether `build` would find every tensor that it asks for.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn rehearse<T>(
        &self,
        dir: &Path,
        precision: Precision,
        build: impl Fn(&Scope) -> Result<T>,
    ) -> Result<()> {
        *self.account.borrow_mut() = Account { rehearsing: true, ..Account::default() };
        build(&Scope { loader: self, prefix: String::new(), precision })?;
        let problems = self.problems();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::Tensors { path: dir.into(), problems }),
        }
    }

    /// Names and shapes of all tensors that `build` asks for, whatever the files hold.
    ///
    /// # Errors
    /// Whatever `build` fails at.
    pub fn inventory<T>(
        &self,
        build: impl Fn(&Scope) -> Result<T>,
    ) -> Result<Vec<(String, Vec<usize>)>> {
        *self.account.borrow_mut() =
            Account { rehearsing: true, inventory: Some(Vec::new()), ..Account::default() };
        build(&Scope { loader: self, prefix: String::new(), precision: Precision::F32 })?;
        Ok(self.account.borrow_mut().inventory.take().unwrap_or_default())
    }

    fn problems(&self) -> Vec<String> {
        let account = self.account.borrow();
        let mut problems = account.problems.clone();
        for name in self.files.names() {
            if !account.used.contains(name) && !is_ignorable(name) {
                problems.push(format!("unexpected {name}"));
            }
        }
        if let Some(adapter) = self.adapter {
            for module in adapter.modules() {
                if !account.adapted.contains(module) {
                    problems.push(format!(
                        "the adapter changes {module}, which is no matrix of this checkpoint"
                    ));
                }
            }
        }
        problems
    }

    fn rehearsing(&self) -> bool {
        self.account.borrow().rehearsing
    }

    /// The entry called `name` if it is there, has this shape and holds floating-point numbers.
    fn entry(&self, name: &str, shape: &[usize]) -> Option<&Entry> {
        let mut account = self.account.borrow_mut();
        if let Some(inventory) = &mut account.inventory {
            inventory.push((name.to_owned(), shape.to_vec()));
            return None;
        }
        account.used.insert(name.to_owned());
        let Some(entry) = self.files.get(name) else {
            account.problems.push(format!("missing {name} {shape:?}"));
            return None;
        };
        if entry.shape != shape {
            account.problems.push(format!("{name} is {:?}, expected {shape:?}", entry.shape));
            return None;
        }
        if HostMatrix::from_entry(entry, 1, 1).is_none() {
            account
                .problems
                .push(format!("{name} is {:?}; expected F32, F16 or BF16", entry.dtype));
            return None;
        }
        if !account.rehearsing {
            account.done += entry.bytes().len() as u64;
            (self.progress)(LoadProgress { done: account.done, total: self.files.total_bytes() });
        }
        Some(entry)
    }
}

/// A loader at one place of the module tree: names below are relative to it.
pub struct Scope<'a> {
    loader: &'a Loader<'a>,
    prefix: String,
    precision: Precision,
}

impl<'a> Scope<'a> {
    /// The submodule `name`.
    pub fn pp(&self, name: impl std::fmt::Display) -> Scope<'a> {
        let prefix = if self.prefix.is_empty() {
            name.to_string()
        } else {
            format!("{}.{name}", self.prefix)
        };
        Scope { loader: self.loader, prefix, precision: self.precision }
    }

    /// What matrices are kept in here.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Where tensors are put; a rehearsal puts nothing on a device.
    pub fn device(&self) -> &Device {
        match self.loader.rehearsing() {
            true => &Device::Cpu,
            false => &self.loader.device,
        }
    }

    /// Whether the files have a tensor of this name here; in an inventory everything is there.
    pub fn has(&self, name: &str) -> bool {
        self.loader.account.borrow().inventory.is_some()
            || self.loader.files.get(&format!("{}.{name}", self.prefix)).is_some()
    }

    /// A vector or small table: f32 on the CPU, the compute type on a device.
    ///
    /// # Errors
    /// A device that refuses it.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let full = if self.prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.prefix)
        };
        let count = shape.iter().product();
        let values = match self.loader.entry(&full, shape) {
            Some(entry) if !self.loader.rehearsing() => {
                HostMatrix::from_entry(entry, 1, count).map_or_else(Vec::new, |m| m.to_f32())
            }
            _ => vec![0.0; count],
        };
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        self.to_device(tensor)
    }

    /// The matrix `weight` of this module, read as `[shape[0], product of the rest]`, with the adapter's change merged in.
    ///
    /// # Errors
    /// A file that changed while it was read; a device that refuses the matrix.
    pub fn matrix(&self, shape: &[usize]) -> Result<Matrix> {
        self.matrix_for(self, shape)
    }

    /// The matrix of this module as the `user`'s, which shares it: with the adapter's change of the user.
    ///
    /// # Errors
    /// As [`Self::matrix`].
    pub fn matrix_for(&self, user: &Scope, shape: &[usize]) -> Result<Matrix> {
        let (rows, cols) = (shape[0], shape[1..].iter().product());
        let change = self.loader.adapter.and_then(|a| a.get(&user.prefix));
        if change.is_some() {
            self.loader.account.borrow_mut().adapted.insert(user.prefix.clone());
        }
        let entry = self.loader.entry(&format!("{}.weight", self.prefix), shape);
        if self.loader.rehearsing() {
            if let Some(problem) = change.and_then(|c| c.mismatch(rows, cols)) {
                self.loader
                    .account
                    .borrow_mut()
                    .problems
                    .push(format!("adapter of {}: {problem}", user.prefix));
            }
            return Ok(Matrix::Host(Arc::new(PanelMatrix::empty()?)));
        }
        let stored = self.stored(entry, rows, cols)?;
        let matrix = match change {
            Some(change) => {
                let mut values = stored.to_f32();
                change.apply(&mut values)?;
                HostMatrix::from_f32(values, rows, cols)
            }
            None => stored,
        };
        if self.device().is_cpu() {
            let matrix = PanelMatrix::new(&matrix, user.precision)?;
            entry.iter().for_each(|entry| entry.release());
            return Ok(Matrix::Host(Arc::new(matrix)));
        }
        let tensor = Tensor::from_vec(matrix.to_f32(), (rows, cols), &Device::Cpu)?;
        Ok(Matrix::Device(self.to_device(tensor)?))
    }

    /// The matrix `weight` of this module as it lies on disk, for lookups of its rows; `None` where tensors are put on a device.
    ///
    /// # Errors
    /// A file that changed while it was read.
    pub fn table(&self, shape: [usize; 2]) -> Result<Option<HostMatrix>> {
        if !self.device().is_cpu() {
            return Ok(None);
        }
        let entry = self.loader.entry(&format!("{}.weight", self.prefix), &shape);
        if self.loader.rehearsing() {
            return Ok(Some(HostMatrix::from_f32(Vec::new(), 0, 0)));
        }
        self.stored(entry, shape[0], shape[1]).map(Some)
    }

    fn stored(&self, entry: Option<&Entry>, rows: usize, cols: usize) -> Result<HostMatrix> {
        entry.and_then(|entry| HostMatrix::from_entry(entry, rows, cols)).ok_or_else(|| {
            Error::checkpoint(
                &self.prefix,
                "the tensor files changed while they were being loaded; run again",
            )
        })
    }

    fn to_device(&self, tensor: Tensor) -> Result<Tensor> {
        if self.device().is_cpu() {
            return Ok(tensor);
        }
        let dtype = if self.precision == Precision::Bf16 { DType::BF16 } else { DType::F32 };
        Ok(tensor.to_dtype(dtype)?.to_device(self.device())?)
    }
}
