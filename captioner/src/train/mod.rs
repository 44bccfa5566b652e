//! LoRA training of the language model, by hand: no graph of operations is recorded, five rules go back through T5.
//!
//! [`model`] puts the layers of a loaded checkpoint together for both ways; `stack`, `attention`, `feed_forward`, `layer`, `norm` and
//! `head` are its pieces, from the outside in, over the kernels and [`crate::weights`]. [`lora`] are the factors that
//! change and [`optimizer`] what changes them, [`batch`] packs examples into rows, [`order`] says which, [`dropout`] is a function of the
//! place. [`Trainer`] takes the steps, and [`saved`] keeps what they change;
//! [`features`] are made once and for all, [`data`] has them with the captions, and [`cost`] says beforehand what it will take.
//!
//! Nothing frozen has a gradient; every sum has one order, so a step has the same bits for any number of threads.

mod attention;
pub mod batch;
pub mod cost;
pub mod data;
pub mod dropout;
pub mod features;
mod feed_forward;
mod frozen;
mod head;
mod layer;
pub mod lora;
pub mod model;
mod multiply;
mod norm;
pub mod optimizer;
pub mod order;
mod packed_attention;
pub mod saved;
mod stack;
mod trainer;

pub use crate::weights::Targets;
pub use batch::{Batch, Example};
pub use data::{Batches, Data};
pub use dropout::Dropout;
pub use layer::Pass;
pub use lora::{Gradients, Lora, LoraConfig, Module};
pub use model::Model;
pub use optimizer::{AdamW, OptimizerConfig};
pub use order::{Order, OrderConfig, Turn};
pub use trainer::{Learning, LossMean, Micro, Step, Trainer};
