//! Dense kernels for transformers on a CPU: products with packed weights, attention, LayerNorm and activations on sixteen
//! lanes, compiled for each instruction set and chosen at run time.
//!
//! Everything is written once over [`lanes`], and the portable lanes are the twin that the others are held to, in tests and
//! once more at start. The packed engine of the [`encoder`](crate::encoder) is made of these kernels, and the products of the
//! [`captioner`](crate::captioner) with many rows are.

mod activation;
mod attention;
mod integer;
mod lanes;
mod matrix;
mod norm;
mod product;
mod select;
mod table;

pub use activation::Activation;
pub(crate) use attention::{Attention, Scratch};
pub(crate) use integer::{Codes, DEPTH, Inputs, IntegerKernels};
pub(crate) use lanes::LANES;
pub(crate) use matrix::{Buffer, Matrix, Shape, round_up};
pub(crate) use norm::Norm;
pub(crate) use product::{Finish, Product};
pub use select::NoSuchKernels;
pub(crate) use select::{integer_kernels, kernels};
pub(crate) use table::{Kernels, portable};
