//! Dense kernels for transformers on a CPU: products with packed weights, attention, LayerNorm and activations on sixteen
//! lanes, compiled for each instruction set and chosen at run time.
//!
//! Everything is written once over [`lanes`], and the portable lanes are the twin that the others are held to, in tests and
//! once more at start. The packed engine of the [`encoder`] is made of these kernels, and the products of the
//! [`captioner`] with many rows are.

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
pub use attention::{Attention, Scratch};
pub use integer::{Codes, DEPTH, Inputs, IntegerKernels};
pub use lanes::LANES;
pub use matrix::{Buffer, Matrix, Shape, round_up};
pub use norm::Norm;
pub use product::{Finish, Product};
pub use select::NoSuchKernels;
pub use select::{integer_kernels, kernels};
pub use table::{Kernels, portable};
