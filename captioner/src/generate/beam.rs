//! Beam search as transformers does it (`GenerationMixin._beam_search`, 5.23), one independent search per image.
//!
//! Every step looks at the 2·beams best continuations (more with several end tokens), so that enough of them are alive
//! after the finished ones are set aside. Only finished ones among the best `beams` may enter the result.

use super::ongoing::Search;
use super::{EarlyStopping, GenerationConfig, Sequence, log_softmax, penalties};
use crate::error::Result;
use crate::special_tokens::SpecialTokens;

/// transformers' "impossible": added where a beam must not be chosen.
const NEVER: f32 = -1.0e9;

#[derive(Clone)]
struct Beam {
    ids: Vec<u32>,
    score: f32,
    log_probability: f64,
    finished: bool,
}

/// One image's search.
pub struct Beams {
    running: Vec<Beam>,
    finished: Vec<Beam>,
    improvable: bool,
    /// Tokens so far.
    step: usize,
}

/// A continuation of running beam `parent`.
struct Candidate {
    parent: usize,
    id: u32,
    score: f32,
    log_probability: f64,
}

impl Search for Beams {
    fn newest(&self) -> Vec<u32> {
        self.running.iter().filter_map(|beam| beam.ids.last().copied()).collect()
    }

    fn advance(
        &mut self,
        logits: Vec<Vec<f32>>,
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Result<Vec<usize>> {
        self.step += 1;
        let candidates = self.candidates(logits, config, special)?;
        let parents = self.take(&candidates, config, special);
        let ended = self.step == config.max_new_tokens || self.is_settled(config);
        Ok(if ended { Vec::new() } else { parents })
    }

    /// The best finished beams, best first; an empty caption stands for what is missing.
    fn result(&mut self, config: &GenerationConfig) -> Vec<Sequence> {
        let finished = self.finished.iter().filter(|beam| beam.finished);
        let found = finished.map(|beam| Sequence {
            ids: beam.ids[1..].to_vec(),
            score: Some(f64::from(beam.score)),
            log_probability: beam.log_probability,
        });
        let nothing = Sequence { ids: Vec::new(), score: None, log_probability: f64::NEG_INFINITY };
        found.chain(std::iter::repeat(nothing)).take(config.num_return_sequences).collect()
    }
}

impl Beams {
    /// The search of one prompt.
    pub fn new(config: &GenerationConfig, special: &SpecialTokens) -> Self {
        let beam = |score| Beam {
            ids: vec![special.decoder_start],
            score,
            log_probability: 0.0,
            finished: false,
        };
        let beams = config.num_beams;
        Self {
            // Only the first beam counts at first: all start alike.
            running: (0..beams).map(|i| beam(if i == 0 { 0.0 } else { NEVER })).collect(),
            finished: vec![beam(NEVER); beams],
            improvable: true,
            step: 0,
        }
    }

    /// The best continuations of all beams together, best first.
    fn candidates(
        &self,
        rows: Vec<Vec<f32>>,
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Result<Vec<Candidate>> {
        let count = (1 + special.eos.len()).max(2) * config.num_beams;
        let mut best: Vec<Candidate> = Vec::with_capacity(count + 1);
        for (parent, (beam, mut scores)) in self.running.iter().zip(rows).enumerate() {
            log_softmax(&mut scores)?;
            let plain = scores.clone();
            penalties::apply(config, &special.eos, &beam.ids, &mut scores);
            for (id, score) in scores.into_iter().enumerate() {
                let score = score + beam.score;
                if best.len() == count && best.last().is_some_and(|worst| score <= worst.score) {
                    continue;
                }
                let at = best.partition_point(|c| c.score >= score);
                let log_probability = beam.log_probability + f64::from(plain[id]);
                best.insert(at, Candidate { parent, id: id as u32, score, log_probability });
                best.truncate(count);
            }
        }
        Ok(best)
    }

    /// Takes over the candidates; returns the parent of every new running beam.
    fn take(
        &mut self,
        candidates: &[Candidate],
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Vec<usize> {
        let (beams, step) = (config.num_beams, self.step);
        let ends = |c: &Candidate| special.eos.contains(&c.id) || step == config.max_new_tokens;
        let extended = |c: &Candidate, score: f32, finished: bool| {
            let mut ids = self.running[c.parent].ids.clone();
            ids.push(c.id);
            Beam { ids, score, log_probability: c.log_probability, finished }
        };

        let mut alive: Vec<(&Candidate, f32)> = candidates
            .iter()
            .map(|c| (c, if ends(c) { c.score + NEVER } else { c.score }))
            .collect();
        alive.sort_by(|a, b| b.1.total_cmp(&a.1));
        alive.truncate(beams);
        let running: Vec<Beam> =
            alive.iter().map(|(c, score)| extended(c, *score, false)).collect();

        let full = self.is_full() && config.early_stopping == EarlyStopping::Always;
        if self.improvable && !full {
            let length = (step as f64).powf(config.length_penalty) as f32;
            let new = candidates
                .iter()
                .take(beams)
                .filter(|c| ends(c))
                .map(|c| extended(c, c.score / length, true));
            let mut finished: Vec<Beam> =
                std::mem::take(&mut self.finished).into_iter().chain(new).collect();
            finished.sort_by(|a, b| b.score.total_cmp(&a.score));
            finished.truncate(beams);
            self.finished = finished;
        }
        self.running = running;
        self.improvable &= self.can_improve(config);
        alive.into_iter().map(|(c, _)| c.parent).collect()
    }

    fn is_full(&self) -> bool {
        self.finished.iter().all(|beam| beam.finished)
    }

    /// `_check_early_stop_heuristic`: could the best running beam still beat the worst finished one?
    fn can_improve(&self, config: &GenerationConfig) -> bool {
        let length = match config.early_stopping {
            EarlyStopping::Never if config.length_penalty > 0.0 => config.max_new_tokens,
            _ => self.step,
        };
        let reachable = self.running[0].score / (length as f64).powf(config.length_penalty) as f32;
        let worst = self.finished.iter().map(|beam| beam.score).fold(f32::INFINITY, f32::min);
        self.finished.iter().any(|beam| reachable > if beam.finished { worst } else { NEVER })
    }

    fn is_settled(&self, config: &GenerationConfig) -> bool {
        !self.improvable || (self.is_full() && config.early_stopping == EarlyStopping::Always)
    }
}
