//! One token at a time: the best one, or one drawn at random. A finished row leaves the batch.

use super::sample::Sampler;
use super::{GenerationConfig, Sequence, Step, penalties, rows_of};
use crate::error::Result;
use crate::special_tokens::SpecialTokens;

struct Row {
    prompt: usize,
    ids: Vec<u32>,
    sampler: Option<Sampler>,
}

/// Greedy search or sampling over all prompts at once.
pub fn search(
    model: &mut impl Step,
    seeds: &[u64],
    config: &GenerationConfig,
    special: &SpecialTokens,
) -> Result<Vec<Sequence>> {
    let row = |(prompt, seed): (usize, &u64)| Row {
        prompt,
        ids: vec![special.decoder_start],
        sampler: config.sampling.as_ref().map(|s| Sampler::new(s, *seed)),
    };
    let mut rows: Vec<Row> = seeds.iter().enumerate().map(row).collect();
    let mut done = vec![Vec::new(); seeds.len()];
    let mut newest = vec![special.decoder_start; rows.len()];
    for step in 1..=config.max_new_tokens {
        let logits = rows_of(&model.step(&newest)?)?;
        for (row, mut scores) in rows.iter_mut().zip(logits) {
            penalties::apply(config, &special.eos, &row.ids, &mut scores);
            let id = match &mut row.sampler {
                Some(sampler) => sampler.draw(&scores)?,
                None => argmax(&scores),
            };
            row.ids.push(id);
        }
        let before = rows.len();
        let mut kept = Vec::new();
        let mut running = Vec::new();
        for (index, row) in rows.into_iter().enumerate() {
            let ended = row.ids.last().is_some_and(|id| special.eos.contains(id));
            if ended || step == config.max_new_tokens {
                done[row.prompt] = row.ids[1..].to_vec();
            } else {
                kept.push(index as u32);
                running.push(row);
            }
        }
        rows = running;
        if rows.is_empty() {
            break;
        }
        if rows.len() < before {
            model.keep_prompts(&kept)?;
        }
        newest = rows.iter().filter_map(|row| row.ids.last().copied()).collect();
    }
    Ok(done.into_iter().map(|ids| Sequence { ids, score: None }).collect())
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
