//! How good are these captions? The Fréchet GTE Distance with its uncertainty.

pub mod captions;
pub mod encoder;
//! a
pub mod captioner;
