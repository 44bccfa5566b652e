//! The pieces that the vision tower, the Q-Former and T5 share.

mod activation;
mod attention;
pub(crate) mod device;
pub mod host;
mod linear;
mod look_up;
mod norm;

pub use activation::Named;
pub use attention::{Mask, attention, self_attention};
pub use device::{Reader, Replay};
pub use linear::Linear;
pub use look_up::{Memory, NOWHERE};
pub use norm::{LayerNorm, RmsNorm};
