//! Self-critical training (<https://arxiv.org/abs/1612.00563>): captions are drawn from the model as it is, and those that mean
//! what the references mean more than the others of their image do become likelier.
//!
//! The reward of a caption p is −½‖g−p‖² = g·p − 1 under the sentence encoder, averaged over its image's references g: the mean reward
//! of the captions of many images is −½ fgd_paired. A caption counts by its advantage over the mean of the other draws
//! (<https://arxiv.org/abs/2003.09971>), divided by the advantages' spread in the step, so that it does not matter how far apart an
//! encoder's vectors are. The reference is learned beside it with a small weight, which keeps the language whole.

use std::path::PathBuf;

use fgd_captioner::generate::Sampling;
use fgd_captioner::train::data::Caption;
use fgd_captioner::train::{Batches, Data, Micro, Trainer, Turn, saved};
use fgd_captioner::{Captioner, GenerationConfig, LoadOptions};
use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::jobs::caption::Checkpoint;
use crate::jobs::embedding::Embedding;
use crate::jobs::options::Encoding;
use crate::jobs::{JobError, Session};

/// How captions are drawn and weighed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scst {
    /// Captions drawn of each image, 2 at least.
    pub samples: usize,
    /// What a reference's loss counts, per token, beside the draws' loss.
    pub ce_weight: f64,
    /// Longest draw in tokens.
    pub max_new_tokens: usize,
}

impl Default for Scst {
    fn default() -> Self {
        Self { samples: 5, ce_weight: 0.2, max_new_tokens: 40 }
    }
}

impl Scst {
    /// The draws of the model itself: a cut-off would make them another one's.
    pub fn generation(&self) -> GenerationConfig {
        GenerationConfig {
            max_new_tokens: self.max_new_tokens,
            num_return_sequences: self.samples,
            sampling: Some(Sampling { temperature: 1.0, top_k: None, ..Sampling::default() }),
            ..GenerationConfig::default()
        }
    }
}

/// Draws captions and weighs them.
pub struct SelfCritical<'a> {
    pub scst: &'a Scst,
    pub checkpoint: &'a Checkpoint,
    pub options: LoadOptions,
    pub encoding: &'a Encoding,
    pub prompt: Vec<u32>,
    pub seed: u64,
    /// Where the adapter is written that draws.
    pub adapter: PathBuf,
    /// The mean of the embeddings of each image's references [images, d].
    pub references: Array2<f32>,
}

/// Batches of a step with what each row's loss counts.
pub struct Weighed {
    pub micros: Vec<Micro>,
    pub weights: Vec<Vec<f32>>,
    /// Mean reward of the draws.
    pub reward: f64,
}

/// Means of the embeddings of the captions of each image [images, d].
///
/// # Errors
/// As [`Embedding::embed`].
pub fn references(
    texts: &[&str],
    data: &Data,
    encoding: &Encoding,
    session: &mut Session,
) -> Result<Array2<f32>, JobError> {
    let rows = Embedding::new(session, encoding, texts.len() as u64).embed(texts)?;
    let mut means = Array2::zeros((data.images.len(), rows.ncols()));
    let mut counts = vec![0.0_f32; data.images.len()];
    for (caption, row) in data.captions.iter().zip(rows.rows()) {
        let mut mean = means.row_mut(caption.image);
        mean += &row;
        counts[caption.image] += 1.0;
    }
    means.rows_mut().into_iter().zip(counts).for_each(|(mut mean, count)| mean /= count);
    Ok(means)
}

impl SelfCritical<'_> {
    /// Draws captions of the turns' images with the factors as they are now.
    ///
    /// # Errors
    /// A place that cannot be written, a checkpoint that cannot be loaded, an encoder that fails.
    pub fn step(
        &self,
        trainer: &Trainer,
        turns: &[Vec<Turn>],
        data: &Data,
        batches: &mut Batches,
        base: &str,
        session: &mut Session,
    ) -> Result<Weighed, JobError> {
        saved::write_adapter(&self.adapter, trainer.lora(), &trainer.config().lora, base)?;
        let dir = &self.checkpoint.base.dir;
        let captioner = Captioner::load(dir, Some(&*self.adapter), self.options.clone(), &|_| {})?
            .without_eyes();
        let mut drawn = Vec::new();
        for turns in turns {
            drawn.push(self.draw(&captioner, turns, data, batches)?);
        }
        let texts: Vec<&str> = drawn.iter().flatten().map(|(_, text)| text.as_str()).collect();
        let embedded = Embedding::silent(session, self.encoding).embed(&texts)?;
        let images = turns.iter().flatten().map(|turn| data.captions[turn.example].image);
        let each = self.scst.samples;
        let rewards: Vec<f64> = images
            .flat_map(|image| std::iter::repeat_n(self.references.row(image), each))
            .zip(embedded.rows())
            .map(|(reference, row)| reward(reference, row))
            .collect();
        let mut advantages = advantages(&rewards, each).into_iter();
        let tokens = |labels: &[u32]| labels.len() as f64;
        let sampled: f64 = drawn.iter().flatten().map(|(labels, _)| tokens(labels)).sum();
        let own = turns.iter().flatten().map(|turn| tokens(&data.captions[turn.example].labels));
        let ce = self.scst.ce_weight / own.sum::<f64>();
        let (mut micros, mut weights) = (Vec::new(), Vec::new());
        for (turns, drawn) in turns.iter().zip(drawn) {
            let mut mixed = Data { images: data.images.clone(), ..Data::default() };
            let mut counts = Vec::new();
            let mut drawn = drawn.into_iter();
            for turn in turns {
                let caption = &data.captions[turn.example];
                mixed.captions.push(caption.clone());
                counts.push(ce);
                for (labels, _) in drawn.by_ref().take(each) {
                    mixed.captions.push(Caption { labels, ..*caption });
                    counts.push(advantages.next().unwrap_or_default() / sampled);
                }
            }
            let names = turns.iter().flat_map(|turn| {
                let first = turn.name * (each as u64 + 1);
                first..=first + each as u64
            });
            let mixed_turns: Vec<Turn> =
                names.enumerate().map(|(example, name)| Turn { example, name }).collect();
            let micro = batches.micro(&mixed, &mixed_turns)?;
            let rows = micro.batch.order.iter().flat_map(|at| {
                std::iter::repeat_n(counts[*at] as f32, mixed.captions[*at].labels.len())
            });
            weights.push(rows.collect());
            micros.push(micro);
        }
        let reward = rewards.iter().sum::<f64>() / rewards.len() as f64;
        Ok(Weighed { micros, weights, reward })
    }

    /// Tokens and text of the draws, those of one turn together.
    fn draw(
        &self,
        captioner: &Captioner,
        turns: &[Turn],
        data: &Data,
        batches: &mut Batches,
    ) -> Result<Vec<(Vec<u32>, String)>, JobError> {
        let images = turns.iter().map(|turn| &data.images[data.captions[turn.example].image]);
        let queries = batches.queries(images)?;
        let each = self.scst.samples;
        let seed = |turn: &Turn| {
            let first = turn.name.wrapping_mul(each as u64).wrapping_add(self.seed.rotate_left(40));
            (0..each as u64).map(move |draw| first.wrapping_add(draw))
        };
        let seeds: Vec<u64> = turns.iter().flat_map(seed).collect();
        let prompts = vec![self.prompt.clone(); turns.len()];
        let captions = captioner.caption(&queries, &prompts, &seeds, &self.scst.generation())?;
        Ok(captions.into_iter().map(|caption| (caption.sequence.ids, caption.text)).collect())
    }
}

/// −½‖g−p‖², averaged over unit vectors g, of which `reference` is the mean; longer ones only shift it.
fn reward(reference: ArrayView1<f32>, caption: ArrayView1<f32>) -> f64 {
    let wide = |(a, b): (&f32, &f32)| f64::from(*a) * f64::from(*b);
    let product: f64 = reference.iter().zip(caption).map(wide).sum();
    let square: f64 = caption.iter().zip(caption).map(wide).sum();
    product - 0.5 * (square + 1.0)
}

/// What each draw has over the mean of the others of its group of `each`, in spreads of the step.
fn advantages(rewards: &[f64], each: usize) -> Vec<f64> {
    let over = rewards.chunks(each).flat_map(|group| {
        let sum: f64 = group.iter().sum();
        let others = (group.len() - 1) as f64;
        group.iter().map(move |reward| reward - (sum - reward) / others)
    });
    let over: Vec<f64> = over.collect();
    let spread = (over.iter().map(|a| a * a).sum::<f64>() / over.len() as f64).sqrt();
    // Draws that are all alike teach nothing.
    over.iter().map(|a| if spread > 1e-9 { a / spread } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advantages_are_over_the_others_and_have_a_spread_of_one() {
        let found = advantages(&[-0.1, -0.3, -0.2, -0.2], 2);
        let wanted = [2.0_f64.sqrt(), -(2.0_f64.sqrt()), 0.0, 0.0];
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(advantages(&[-0.5; 4], 4), [0.0; 4]);
    }

    #[test]
    fn the_reward_is_minus_half_the_squared_distance() {
        let (g, p) = (ndarray::arr1(&[0.6_f32, 0.8]), ndarray::arr1(&[1.0_f32, 0.0]));
        let distance: f64 = g.iter().zip(&p).map(|(g, p)| f64::from(g - p).powi(2)).sum();
        assert!((reward(g.view(), p.view()) + distance / 2.0).abs() < 1e-6);
    }
}
