//! Distances between sets of caption embeddings, with their uncertainty: numbers in, numbers out.
//!
//! Everything here is a pure function of arrays. Embeddings are `f32` matrices with one caption per row
//! (`[N, d]`); all arithmetic is `f64`. Nothing reads a file, loads a model or prints.
//!
//! The two numbers that carry the name FGD are kept apart:
//!
//! - [`paired::fgd_paired`], the mean squared distance between each candidate and its own references
//!   (the score of the OBSS captioning competition), and
//! - [`frechet::fgd_set`], the Fréchet distance between the two sets as wholes, which does not see which
//!   caption belongs to which image.
//!
//! [`decomposition`] shows how the first contains the second. Reading order: [`moments`] (mean and
//! covariance), [`linalg`] (factors and singular values), [`frechet`], [`paired`], [`decomposition`];
//! then how far the set distance can be trusted: [`units`], [`transport`], [`influence`] and [`inference`], put together in
//! [`statistics`]. [`mmd`], [`sliced`], [`prdc`] and [`vendi`] are other distances between the same two sets; [`text`] compares
//! the words of captions.
//!
//! [`agreement`] holds metrics of single captions against judgements of people.
//!
//! All of them stand in one [`table`] as a [`metric`] with its name and direction. What a metric keeps of each image, its
//! [`sufficient`] statistics, is what [`compare`] needs to set two systems side by side. [`series`] stands apart: it tells noise
//! from regression in figures measured night after night, and so does [`choice`], which keeps one of several captions of an image.

pub mod agreement;
pub mod choice;
pub mod compare;
pub mod decomposition;
mod distances;
pub mod error;
pub mod estimate;
pub mod frechet;
pub mod inference;
pub mod infinity;
pub mod influence;
pub mod linalg;
pub mod metric;
pub mod mmd;
pub mod moments;
pub mod pair_sums;
pub mod paired;
mod pairwise;
pub mod prdc;
pub mod samples;
pub mod series;
pub mod sliced;
pub mod statistics;
pub mod student;
pub mod sufficient;
pub mod table;
pub mod text;
pub mod transport;
mod unit_pairs;
pub mod units;
pub mod vendi;

pub use error::MetricError;
