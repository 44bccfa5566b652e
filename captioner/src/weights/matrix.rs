//! A weight matrix as it lies on disk, memory-mapped: f16 and bf16 widen to f32 exactly. Only what an adapter has changed is
//! owned.

use std::ops::Deref;
use std::sync::Arc;

use candle_core::Tensor;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::Dtype;

use super::files::Entry;
use super::panels::PanelMatrix;
use super::product::Arithmetic;
use crate::error::Result;

/// What weights are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Nothing is rounded: weights as on disk, arithmetic in f32.
    F32,
    /// Weights rounded to bf16, and what is multiplied with them too: on a GPU, and on CPUs that multiply bf16. Other CPUs
    /// compute in f32.
    Bf16,
    /// Weights in 8 bits (blocks of 128 with one scale), and what is multiplied with them too. CPU only.
    Q8,
}

impl Precision {
    /// What products on a CPU are made of.
    pub(crate) fn arithmetic(self) -> Arithmetic {
        match self {
            Precision::F32 => Arithmetic::Exact,
            Precision::Bf16 | Precision::Q8 => Arithmetic::Rounded,
        }
    }
}

/// Elements in a mapped file or in memory.
pub enum Buffer<T> {
    Mapped { map: Arc<Mmap>, start: usize, len: usize },
    Owned(Vec<T>),
}

/// Plain little-endian numbers: any bit pattern is a value.
///
/// # Safety
/// Implementors have no padding and no invalid bit pattern.
pub unsafe trait Element: Copy {}
// SAFETY: plain numbers.
unsafe impl Element for f32 {}
// SAFETY: a transparent u16.
unsafe impl Element for f16 {}
// SAFETY: a transparent u16.
unsafe impl Element for bf16 {}

impl<T: Element> Buffer<T> {
    /// The tensor in place when its position is aligned, else a copy.
    fn from_entry(entry: &Entry) -> Self {
        let bytes = entry.bytes();
        let len = bytes.len() / size_of::<T>();
        if (bytes.as_ptr() as usize).is_multiple_of(align_of::<T>()) {
            return Self::Mapped { map: entry.map.clone(), start: entry.start, len };
        }
        let mut owned = Vec::<T>::with_capacity(len);
        // SAFETY: `owned` has room for `len` elements of T and any bit pattern is a T.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                owned.as_mut_ptr().cast(),
                len * size_of::<T>(),
            );
            owned.set_len(len);
        }
        Self::Owned(owned)
    }
}

impl<T: Element> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            // SAFETY: `from_entry` checked alignment and length, the map lives as long as `self`, and any bits are a T.
            Self::Mapped { map, start, len } => unsafe {
                std::slice::from_raw_parts(map.as_ptr().add(*start).cast(), *len)
            },
            Self::Owned(v) => v,
        }
    }
}

/// The storage of a [`HostMatrix`].
pub enum Data {
    /// As on disk.
    F32(Buffer<f32>),
    /// As on disk.
    F16(Buffer<f16>),
    /// As on disk.
    Bf16(Buffer<bf16>),
}

/// A row-major matrix [rows = outputs, cols = inputs] in host memory.
pub struct HostMatrix {
    rows: usize,
    cols: usize,
    data: Data,
}

impl HostMatrix {
    /// The tensor as it lies on disk; `None` when it does not hold floating-point numbers of 16 or 32 bits.
    pub fn from_entry(entry: &Entry, rows: usize, cols: usize) -> Option<Self> {
        let data = match entry.dtype {
            Dtype::F32 => Data::F32(Buffer::from_entry(entry)),
            Dtype::F16 => Data::F16(Buffer::from_entry(entry)),
            Dtype::BF16 => Data::Bf16(Buffer::from_entry(entry)),
            _ => return None,
        };
        Some(Self { rows, cols, data })
    }

    /// Owned f32 values; `values.len()` is `rows * cols`.
    pub fn from_f32(values: Vec<f32>, rows: usize, cols: usize) -> Self {
        debug_assert_eq!(values.len(), rows * cols);
        Self { rows, cols, data: Data::F32(Buffer::Owned(values)) }
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// How the elements are kept.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// Writes the elements of `row` from column `from` on as f32 into `out`.
    pub fn widen(&self, row: usize, from: usize, out: &mut [f32]) {
        let start = row * self.cols + from;
        let range = start..start + out.len();
        match &self.data {
            Data::F32(w) => out.copy_from_slice(&w[range]),
            Data::F16(w) => w[range].convert_to_f32_slice(out),
            Data::Bf16(w) => out
                .iter_mut()
                .zip(&w[range])
                .for_each(|(out, w)| *out = f32::from_bits(u32::from(w.to_bits()) << 16)),
        }
    }

    /// All of it as f32.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut out = vec![0f32; self.rows * self.cols];
        for (row, out) in out.chunks_mut(self.cols.max(1)).enumerate() {
            self.widen(row, 0, out);
        }
        out
    }
}

/// A weight matrix [outputs, inputs], on the host or on a GPU.
#[derive(Clone)]
pub enum Matrix {
    /// In host memory, multiplied by `product`.
    Host(Arc<PanelMatrix>),
    /// On a device, multiplied as `layers::device` does.
    Device(Tensor),
}

impl Matrix {
    /// Outputs and inputs.
    ///
    /// # Errors
    /// A tensor of another shape.
    pub fn sizes(&self) -> Result<[usize; 2]> {
        Ok(match self {
            Self::Host(weight) => [weight.rows(), weight.cols()],
            Self::Device(weight) => weight.dims2()?.into(),
        })
    }
}
