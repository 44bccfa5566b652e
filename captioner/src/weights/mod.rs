//! From tensor files on disk to the matrices the layers multiply with.
//!
//! `files` memory-maps the safetensors shards; `adapter` reads LoRA's change of them; `loader` hands out tensors by name,
//! checks every shape, applies the adapter and keeps the account of what was missing or left over; `matrix` is what lies on
//! disk, `panels` what products read (in `words`), `product` multiplies with it on the CPU, with the loops of [`fgd_kernels`];
//! `write` and `merge` go the other way.

mod adapter;
mod files;
mod loader;
mod matrix;
mod merge;
mod panels;
mod product;
#[cfg(test)]
mod tests;
mod words;
mod write;

pub use adapter::{Adapter, CONFIG, Change, Factors, TENSORS, Targets};
pub use files::{Digests, Entry, TensorFiles};
pub(crate) use loader::is_ignorable;
pub use loader::{LoadProgress, Loader, Scope};
pub use matrix::{HostMatrix, Matrix, Precision};
pub use merge::merge;
pub use panels::PanelMatrix;
pub(crate) use product::Arithmetic;
pub use product::Room;
pub(super) use product::{
    After, With, product, product_back, product_with, products, products_into,
};
pub(crate) use write::{Header, put_f32, write_tensors};
