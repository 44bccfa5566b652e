//! How good are these captions? The Fréchet GTE Distance with its uncertainty.

pub mod captioner;
pub mod captions;
pub mod encoder;
