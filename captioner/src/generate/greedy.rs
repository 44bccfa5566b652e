//! One token at a time: the best one, or one drawn at random. Rows that ended leave the batch.

use rayon::prelude::*;

use super::sample::Sampler;
use super::{GenerationConfig, Sequence, Step, log_softmax, penalties, rows_of};
use crate::error::Result;
use crate::special_tokens::SpecialTokens;

/// Where a prompt has this share of ended rows, they leave: moving the others costs as much as a few steps of an idle one.
const IDLE: usize = 4;

/// One caption in the making.
struct Row {
    prompt: usize,
    /// Its place in the result.
    place: usize,
    ids: Vec<u32>,
    log_probability: f64,
    ended: bool,
    sampler: Option<Sampler>,
}

/// Greedy search or sampling over all prompts at once; `seeds` has one entry per caption, those of a prompt together.
pub fn search(
    model: &mut impl Step,
    seeds: &[u64],
    config: &GenerationConfig,
    special: &SpecialTokens,
) -> Result<Vec<Sequence>> {
    let row = |(place, seed): (usize, &u64)| Row {
        prompt: place / config.num_return_sequences,
        place,
        ids: vec![special.decoder_start],
        log_probability: 0.0,
        ended: false,
        sampler: config.sampling.as_ref().map(|s| Sampler::new(s, *seed)),
    };
    let mut rows: Vec<Row> = seeds.iter().enumerate().map(row).collect();
    let mut done = vec![None; rows.len()];
    for step in 1..=config.max_new_tokens {
        let newest: Vec<u32> = rows.iter().filter_map(|row| row.ids.last().copied()).collect();
        let logits = rows_of(&model.step(&newest)?)?;
        let open = rows.par_iter_mut().zip(logits).filter(|(row, _)| !row.ended);
        open.try_for_each(|(row, scores)| row.extend(scores, config, special))?;
        for row in rows.iter_mut().filter(|row| row.ended || step == config.max_new_tokens) {
            row.ended = true;
            done[row.place].get_or_insert_with(|| Sequence {
                ids: row.ids[1..].to_vec(),
                score: None,
                log_probability: row.log_probability,
            });
        }
        if rows.iter().all(|row| row.ended) {
            break;
        }
        let kept = worth_keeping(&rows);
        if kept.contains(&false) {
            let places: Vec<u32> =
                (0..).zip(&kept).filter(|(_, kept)| **kept).map(|(at, _)| at).collect();
            model.keep_rows(&places)?;
            let mut kept = kept.into_iter();
            rows.retain(|_| kept.next().unwrap_or(false));
        }
    }
    Ok(done.into_iter().flatten().collect())
}

impl Row {
    /// Takes the next token out of its logits.
    fn extend(
        &mut self,
        mut scores: Vec<f32>,
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Result<()> {
        let mut plain = scores.clone();
        log_softmax(&mut plain);
        penalties::apply(config, &special.eos, &self.ids, &mut scores);
        let id = match &mut self.sampler {
            Some(sampler) => sampler.draw(&scores)?,
            None => argmax(&scores),
        };
        self.log_probability += f64::from(plain[id as usize]);
        self.ids.push(id);
        self.ended = special.eos.contains(&id);
        Ok(())
    }
}

/// Which rows stay: those that go on, and those that ended while too few of their own prompt's have.
fn worth_keeping(rows: &[Row]) -> Vec<bool> {
    rows.chunk_by(|a, b| a.prompt == b.prompt)
        .flat_map(|rows| {
            let ended = rows.iter().filter(|row| row.ended).count();
            let leave = ended * IDLE >= rows.len();
            rows.iter().map(move |row| !(row.ended && leave))
        })
        .collect()
}

/// The first of the largest, as torch's argmax on a CPU.
fn argmax(scores: &[f32]) -> u32 {
    let mut best = 0;
    for (id, score) in scores.iter().enumerate() {
        if *score > scores[best] {
            best = id;
        }
    }
    best as u32
}
