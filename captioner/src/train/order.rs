//! Which examples make up a step: every epoch is a permutation of its own, a function of seed and epoch, so that a run that goes
//! on needs to know its step alone.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Streams of the seed before these are those of the factors' first values.
const STREAM: u64 = 1 << 40;

/// How examples become steps; the defaults are those of the published checkpoint's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderConfig {
    /// Captions that are computed together.
    pub batch_size: usize,
    /// Batches that make one step.
    pub accumulation: usize,
    /// Times that every caption is seen.
    pub epochs: f64,
    /// The last step, wherever in an epoch it falls.
    pub max_steps: Option<usize>,
    /// Captions of one image follow one another, so that they share its pass through the encoder: cheaper, and batches are of fewer
    /// images.
    pub group_images: bool,
}

impl Default for OrderConfig {
    fn default() -> Self {
        Self { batch_size: 32, accumulation: 2, epochs: 4.0, max_steps: None, group_images: false }
    }
}

impl OrderConfig {
    /// # Errors
    /// Settings without a meaning.
    pub fn check(&self) -> Result<()> {
        let refuse = |reason: &str| Err(Error::Setting(reason.to_owned()));
        if self.batch_size == 0 || self.accumulation == 0 {
            return refuse("batch size and accumulation must be at least 1");
        }
        if !(self.epochs > 0.0 && self.epochs < 1e6) {
            return refuse("epochs: give a number above 0 and below a million");
        }
        if self.max_steps == Some(0) {
            return refuse("max steps: give at least one");
        }
        Ok(())
    }
}

/// One example of a step: its place in the data, and a number that it has only this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Place in the data.
    pub example: usize,
    /// Never given twice in a training.
    pub name: u64,
}

/// The steps of a training.
pub struct Order<'a> {
    config: &'a OrderConfig,
    /// The image of each example.
    images: Vec<usize>,
    seed: u64,
    epoch: Option<(usize, Vec<usize>)>,
}

impl<'a> Order<'a> {
    /// `images` has the image of each example.
    ///
    /// # Errors
    /// Settings without a meaning; no example.
    pub fn new(config: &'a OrderConfig, images: Vec<usize>, seed: u64) -> Result<Self> {
        config.check()?;
        if images.is_empty() {
            return Err(Error::Setting("there is no caption to train on".into()));
        }
        Ok(Self { config, images, seed, epoch: None })
    }

    /// Steps of one epoch; the last one may have fewer batches.
    pub fn steps_per_epoch(&self) -> usize {
        self.images.len().div_ceil(self.config.batch_size).div_ceil(self.config.accumulation)
    }

    /// Steps in all.
    pub fn steps(&self) -> usize {
        let steps = (self.config.epochs * self.steps_per_epoch() as f64).ceil() as usize;
        self.config.max_steps.unwrap_or(steps).min(steps)
    }

    /// The batches of step `step` (from 0).
    pub fn step(&mut self, step: usize) -> Vec<Vec<Turn>> {
        let (per_epoch, count) = (self.steps_per_epoch(), self.images.len());
        let (epoch, within) = (step / per_epoch, step % per_epoch);
        let batch = self.config.batch_size;
        let examples = batch.saturating_mul(self.config.accumulation);
        let range = within * examples..((within + 1) * examples).min(count);
        let turns: Vec<Turn> = range
            .clone()
            .zip(&self.permutation(epoch)[range])
            .map(|(place, example)| Turn {
                example: *example,
                name: (epoch * count + place) as u64,
            })
            .collect();
        turns.chunks(batch).map(<[Turn]>::to_vec).collect()
    }

    fn permutation(&mut self, epoch: usize) -> &[usize] {
        let known = matches!(&self.epoch, Some((known, _)) if *known == epoch);
        if !known {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream(STREAM + epoch as u64);
            let mut all: Vec<usize> = (0..self.images.len()).collect();
            if self.config.group_images {
                let images = self.images.iter().max().map_or(0, |last| last + 1);
                let mut places: Vec<usize> = (0..images).collect();
                places.shuffle(&mut random);
                all.sort_by_key(|example| places[self.images[*example]]);
            } else {
                all.shuffle(&mut random);
            }
            self.epoch = Some((epoch, all));
        }
        self.epoch.as_ref().map_or(&[], |(_, permutation)| permutation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(batch_size: usize, accumulation: usize, epochs: f64) -> OrderConfig {
        OrderConfig { batch_size, accumulation, epochs, ..OrderConfig::default() }
    }

    #[test]
    fn every_epoch_sees_every_example_once_in_an_order_of_its_own() {
        let config = config(3, 2, 2.5);
        let mut order = Order::new(&config, vec![0; 13], 5).unwrap();
        // 5 batches: 2 + 2 + 1.
        assert_eq!((order.steps_per_epoch(), order.steps()), (3, 8));
        let sizes: Vec<usize> = order.step(2).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1]);
        let mut epochs = Vec::new();
        let mut names = Vec::new();
        for epoch in 0..2 {
            let turns: Vec<Turn> =
                (0..3).flat_map(|s| order.step(3 * epoch + s)).flatten().collect();
            names.extend(turns.iter().map(|turn| turn.name));
            let mut seen: Vec<usize> = turns.iter().map(|turn| turn.example).collect();
            epochs.push(seen.clone());
            seen.sort_unstable();
            assert_eq!(seen, (0..13).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 26);
        let again = Order::new(&config, vec![0; 13], 5).unwrap().step(4);
        assert_eq!(again, order.step(4));
    }

    #[test]
    fn captions_of_an_image_can_stand_together() {
        let mut config = config(100, 1, 1.0);
        config.group_images = true;
        let images: Vec<usize> = (0..60).map(|i| i % 12).collect();
        let turns = Order::new(&config, images.clone(), 1).unwrap().step(0).remove(0);
        let seen: Vec<usize> = turns.iter().map(|turn| images[turn.example]).collect();
        assert_eq!(seen.chunk_by(|a, b| a == b).count(), 12);
        assert!(!seen.is_sorted());
    }

    #[test]
    fn a_step_may_be_the_last() {
        let mut config = config(4, 1, 3.0);
        config.max_steps = Some(2);
        assert_eq!(Order::new(&config, vec![0; 9], 0).unwrap().steps(), 2);
        config.max_steps = Some(100);
        assert_eq!(Order::new(&config, vec![0; 9], 0).unwrap().steps(), 9);
        assert!(Order::new(&config, vec![], 0).is_err());
    }
}
