//! One token at a time: the best one, or one drawn at random.

use fgd_kernels::Level;
use rayon::prelude::*;

use super::ongoing::Search;
use super::sample::Sampler;
use super::{GenerationConfig, Sequence, numbers, penalties};
use crate::error::Result;
use crate::special_tokens::SpecialTokens;

/// The captions of one prompt, each by itself.
pub struct Lines {
    /// Those that have not ended.
    rows: Vec<Row>,
    done: Vec<Option<Sequence>>,
}

/// One caption in the making.
struct Row {
    /// Its place in the result.
    place: usize,
    ids: Vec<u32>,
    log_probability: f64,
    sampler: Option<Sampler>,
}

impl Lines {
    /// A caption for each seed.
    pub fn new(seeds: &[u64], config: &GenerationConfig, special: &SpecialTokens) -> Self {
        let row = |(place, seed): (usize, &u64)| Row {
            place,
            ids: vec![special.decoder_start],
            log_probability: 0.0,
            sampler: config.sampling.as_ref().map(|s| Sampler::new(s, *seed)),
        };
        Self { rows: seeds.iter().enumerate().map(row).collect(), done: vec![None; seeds.len()] }
    }
}

impl Search for Lines {
    fn newest(&self) -> Vec<u32> {
        self.rows.iter().filter_map(|row| row.ids.last().copied()).collect()
    }

    fn advance(
        &mut self,
        logits: Vec<Vec<f32>>,
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Result<Vec<usize>> {
        let rows = self.rows.par_iter_mut().zip(logits);
        rows.try_for_each(|(row, scores)| row.extend(scores, config, special))?;
        let open = |row: &Row| {
            let newest = row.ids.last().copied().unwrap_or_default();
            row.ids.len() <= config.max_new_tokens && !special.eos.contains(&newest)
        };
        let places = (0..).zip(&self.rows).filter(|(_, row)| open(row)).map(|(at, _)| at).collect();
        for ended in self.rows.extract_if(.., |row| !open(row)) {
            self.done[ended.place] = Some(Sequence {
                ids: ended.ids[1..].to_vec(),
                score: None,
                log_probability: ended.log_probability,
            });
        }
        Ok(places)
    }

    fn result(&mut self, _: &GenerationConfig) -> Vec<Sequence> {
        self.done.drain(..).flatten().collect()
    }
}

impl Row {
    /// Takes the next token out of its logits.
    fn extend(
        &mut self,
        mut scores: Vec<f32>,
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Result<()> {
        let (plain, normaliser) = (scores.clone(), Level::current().log_sum_exp(&scores));
        numbers(normaliser)?;
        penalties::apply(config, &special.eos, &self.ids, &mut scores);
        let id = match &mut self.sampler {
            Some(sampler) => sampler.draw(&scores)?,
            None => argmax(&scores),
        };
        self.log_probability += f64::from(plain[id as usize] - normaliser);
        self.ids.push(id);
        Ok(())
    }
}

/// The first of the largest, as torch's argmax on a CPU.
fn argmax(scores: &[f32]) -> u32 {
    let largest = Level::current().largest(scores);
    scores.iter().position(|score| *score == largest).unwrap_or_default() as u32
}
