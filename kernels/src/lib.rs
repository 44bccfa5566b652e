//! Dense arithmetic on a CPU for everybody in the house: products with packed weights (f32, f16, bf16, and integers
//! of 12 and 8 bits), attention, norms, activations, the gradients that training needs,
//! and the f64 rank-k update under the moments.
//!
//! A [`Kernel`] is written once over the lanes of an [`Isa`] and compiled for each instruction set; [`Level`] is the proof
//! that the CPU has one, and the choice among them. The portable lanes are the twin that the others are held to, in tests
//! and once more at first use.
//!
//! Weights are packed for a level and multiplied on the same:
//!
//! ```
//! use fgd_kernels::{Finish, Level, Matrix, Product};
//!
//! let level = Level::current();
//! // Two outputs of three inputs, padded to whole vectors: y = (x₀ + 2x₁ + 3x₂ + 10, 4x₀ + 5x₁ + 6x₂ + 20).
//! let w = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
//! let weights = Matrix::pack(
//!     [2, 3],
//!     level.panel(),
//!     |output, input| if output < 2 && input < 3 { w[output][input] } else { 0.0 },
//!     |output| if output < 2 { [10.0, 20.0][output] } else { 0.0 },
//! );
//! let x = [1.0, 0.0, -1.0, 2.0, 2.0, 2.0];
//! let stride = weights.shape.outputs;
//! let mut y = vec![0.0; 2 * stride];
//! level.product(Product {
//!     input: &x,
//!     input_stride: 3,
//!     rows: 2,
//!     weights: &weights,
//!     columns: 0..stride,
//!     inner: 0..3,
//!     output: &mut y,
//!     output_stride: stride,
//!     proceed: false,
//!     finish: Finish::Bias,
//! });
//! assert_eq!(y[..2], [8.0, 18.0]);
//! assert_eq!(y[stride..][..2], [22.0, 50.0]);
//! ```

mod activation;
mod activation_gradient;
mod agreement;
mod amx;
mod attention;
mod choice;
mod cross_entropy;
mod head;
mod integer;
mod lanes;
mod level;
mod lookup;
mod matrix;
mod norm;
mod panels;
mod peak;
mod product;
pub mod rank_k;
mod rms_norm;
mod row;
mod softmax;
mod tile;
mod transpose;

pub use activation::Activation;
pub use attention::{Attention, Scratch};
pub use choice::NoSuchKernels;
pub use head::{Head, Strided};
pub use integer::{Codes, DEPTH, Inputs};
pub use lanes::{Doubles, Isa, LANES_F64};
pub use level::{Kernel, Level};
pub use lookup::Lookup;
pub use matrix::{Buffer, Matrix, Shape, round_up};
pub use norm::Norm;
pub use panels::{Form, PANEL, PanelProduct, Panels};
pub use product::Product;
pub use tile::Finish;
