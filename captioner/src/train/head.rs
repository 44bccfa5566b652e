//! The output layer and the cross-entropy, some rows at a time: the logits of a whole batch are never there together.

use fgd_kernels::Level;
use rayon::prelude::*;

use super::layer::{Layer, Pass};
use super::lora::Gradients;
use crate::error::Result;

/// Rows whose logits are there together: 33 MB of them for T5's vocabulary.
const ROWS: usize = 256;

pub struct Head {
    pub layer: Layer,
    pub width: usize,
    pub vocabulary: usize,
    /// Hidden states are scaled by this first.
    pub scale: f32,
}

/// The rows that have a next token, and what becomes of their gradient.
pub struct Targets<'a> {
    /// The next tokens, one for each row.
    pub labels: &'a [u32],
    /// Names of the rows for dropout.
    pub keys: &'a [u64],
    /// What each row's loss counts; as many as rows where there is a gradient.
    pub weights: &'a [f32],
}

impl Head {
    /// −ln p(label) of every row of `hidden` [rows, width].
    pub fn losses(&self, pass: Pass, hidden: &[f32], targets: &Targets) -> Result<Vec<f32>> {
        let mut losses = Vec::with_capacity(targets.labels.len());
        let targeted = targets.labels.chunks(ROWS).zip(targets.keys.chunks(ROWS));
        for (hidden, (labels, keys)) in hidden.chunks(ROWS * self.width).zip(targeted) {
            let mut logits = self.layer.forward(pass, &self.scaled(hidden), keys)?;
            losses.extend(self.cross_entropy(&mut logits, labels, &[0.0; ROWS]));
        }
        Ok(losses)
    }

    /// The same; `hidden` becomes the gradient of Σ weight · loss.
    pub fn gradient(
        &self,
        pass: Pass,
        hidden: &mut [f32],
        targets: &Targets,
        gradients: &mut Gradients,
    ) -> Result<Vec<f32>> {
        let mut losses = Vec::with_capacity(targets.labels.len());
        let pieces = hidden.chunks_mut(ROWS * self.width);
        let targeted = targets.labels.chunks(ROWS).zip(targets.keys.chunks(ROWS));
        let targeted = targeted.zip(targets.weights.chunks(ROWS));
        for (hidden, ((labels, keys), weights)) in pieces.zip(targeted) {
            let scaled = self.scaled(hidden);
            let mut logits = self.layer.forward(pass, &scaled, keys)?;
            losses.extend(self.cross_entropy(&mut logits, labels, weights));
            let dhidden = self.layer.backward(pass, &scaled, keys, &logits, gradients)?;
            hidden.iter_mut().zip(dhidden).for_each(|(to, from)| *to = from * self.scale);
        }
        Ok(losses)
    }

    fn scaled(&self, hidden: &[f32]) -> Vec<f32> {
        hidden.iter().map(|x| x * self.scale).collect()
    }

    fn cross_entropy(&self, logits: &mut [f32], labels: &[u32], weights: &[f32]) -> Vec<f32> {
        logits
            .par_chunks_mut(self.vocabulary)
            .zip(labels.par_iter().zip(&weights[..labels.len()]))
            .map(|(row, (label, weight))| {
                Level::current().cross_entropy(row, *label as usize, *weight)
            })
            .collect()
    }
}
