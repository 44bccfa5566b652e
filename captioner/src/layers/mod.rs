//! The pieces that the vision tower, the Q-Former and T5 share.

mod activation;
mod attention;
pub mod host;
mod linear;
mod norm;

pub use activation::Named;
pub use attention::{Mask, attention, heads, self_attention};
pub use linear::Linear;
pub use norm::{LayerNorm, RmsNorm};
