//! Drawing a token: temperature, then each cut-off in turn, one random stream per caption.
//!
//! Order and meaning are transformers' (`TemperatureLogitsWarper`, `TopK…`, `TopP…`, `Typical…`, `EpsilonLogitsWarper`, 5.24):
//! every cut-off sees the probabilities of the tokens that the one before it left, made to sum to one.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Sampling;
use crate::error::Result;

/// The random stream of one caption.
pub struct Sampler {
    sampling: Sampling,
    stream: ChaCha8Rng,
}

impl Sampler {
    /// A stream for `seed`, already mixed with the image and the number of its caption.
    pub fn new(sampling: &Sampling, seed: u64) -> Self {
        Self { sampling: sampling.clone(), stream: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// One token from these logits.
    ///
    /// # Errors
    /// No logit is a number.
    pub fn draw(&mut self, logits: &[f32]) -> Result<u32> {
        let tokens = weights(&self.sampling, logits);
        let Some((last, _)) = tokens.last() else {
            let message = "no token can be drawn: none of the scores is a number";
            return Err(candle_core::Error::Msg(message.into()).into());
        };
        let mut left = self.stream.random::<f64>() * total(&tokens);
        let drawn = tokens.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        // Rounding may leave a rest behind the last token.
        Ok(drawn.map_or(*last, |(id, _)| *id))
    }
}

/// The tokens that may be drawn, with weights proportional to their probabilities.
fn weights(sampling: &Sampling, logits: &[f32]) -> Vec<(u32, f64)> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight =
        |logit: f32| ((f64::from(logit) - f64::from(largest)) / sampling.temperature).exp();
    let mut tokens: Vec<(u32, f64)> = (0..)
        .zip(logits)
        .filter(|(_, logit)| **logit > f32::NEG_INFINITY)
        .map(|(id, logit)| (id, weight(*logit)))
        .collect();
    if let Some(k) = sampling.top_k {
        likeliest(&mut tokens, k);
    }
    if let Some(p) = sampling.top_p.filter(|p| *p < 1.0) {
        nucleus(&mut tokens, p);
    }
    if let Some(p) = sampling.typical_p.filter(|p| *p < 1.0) {
        typical(&mut tokens, p);
    }
    if let Some(epsilon) = sampling.epsilon_cutoff {
        likely_enough(&mut tokens, epsilon);
    }
    tokens
}

/// The k likeliest, and those as likely as the k-th.
fn likeliest(tokens: &mut Vec<(u32, f64)>, k: usize) {
    if k < tokens.len() {
        // Of a large vocabulary few are left, so only those are sorted.
        let mut weights: Vec<f64> = tokens.iter().map(|(_, weight)| *weight).collect();
        let (_, least, _) = weights.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        let least = *least;
        tokens.retain(|(_, weight)| *weight >= least);
    }
    sort(tokens);
}

/// The likeliest until they reach the share `p`.
fn nucleus(tokens: &mut Vec<(u32, f64)>, p: f64) {
    sort(tokens);
    let enough = p * total(tokens);
    let mut reached = 0.0;
    let missing = |(_, weight): &&(u32, f64)| {
        let is_missing = reached < enough;
        reached += weight;
        is_missing
    };
    tokens.truncate(tokens.iter().take_while(missing).count());
}

/// Those whose surprise, −ln p, is nearest the entropy, until they reach the share `mass`; those as near as the last stay.
fn typical(tokens: &mut Vec<(u32, f64)>, mass: f64) {
    let all = total(tokens);
    let entropy: f64 = (tokens.iter().map(|(_, weight)| weight / all))
        .filter(|p| *p > 0.0)
        .map(|p| -p * p.ln())
        .sum();
    let distance = |weight: f64| (-(weight / all).ln() - entropy).abs();
    tokens.sort_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    let mut reached = 0.0;
    let before = tokens.iter().take_while(|(_, weight)| {
        reached += weight / all;
        reached < mass
    });
    let last = before.count().min(tokens.len().saturating_sub(1));
    if let Some(farthest) = tokens.get(last).map(|(_, weight)| distance(*weight)) {
        tokens.retain(|(_, weight)| distance(*weight) <= farthest);
    }
}

/// Those of at least the probability `epsilon`, and the likeliest whatever it has.
fn likely_enough(tokens: &mut Vec<(u32, f64)>, epsilon: f64) {
    let largest = tokens.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
    let enough = (epsilon * total(tokens)).min(largest);
    tokens.retain(|(_, weight)| *weight >= enough);
}

/// Likeliest first; stable, so that of equal tokens the first stands first.
fn sort(tokens: &mut [(u32, f64)]) {
    tokens.sort_by(|a, b| b.1.total_cmp(&a.1));
}

fn total(tokens: &[(u32, f64)]) -> f64 {
    tokens.iter().map(|(_, weight)| weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities 0.4, 0.2, 0.15, 0.1, 0.1, 0.05 in another order, and a banned token.
    const PROBABILITIES: [f64; 7] = [0.1, 0.4, 0.0, 0.15, 0.1, 0.05, 0.2];

    fn logits() -> Vec<f32> {
        PROBABILITIES.iter().map(|p| p.ln() as f32 + 3.0).collect()
    }

    fn sampling(temperature: f64, top_k: Option<usize>, top_p: Option<f64>) -> Sampling {
        Sampling { temperature, top_k, top_p, ..Sampling::default() }
    }

    /// What the definition gives, by hand: the probabilities of these tokens at this temperature, made to sum to one.
    fn expected(tokens: &[usize], temperature: f64) -> Vec<f64> {
        let mut found = vec![0.0; PROBABILITIES.len()];
        for token in tokens {
            found[*token] = PROBABILITIES[*token].powf(1.0 / temperature);
        }
        let sum: f64 = found.iter().sum();
        found.iter().map(|p| p / sum).collect()
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_likely() {
        let cases: [(Sampling, &[usize]); 8] = [
            (sampling(1.0, None, None), &[0, 1, 3, 4, 5, 6]),
            (sampling(0.7, None, None), &[0, 1, 3, 4, 5, 6]),
            (sampling(1.0, Some(2), None), &[1, 6]),
            // The fourth and the fifth are equally likely: both stay.
            (sampling(1.5, Some(4), None), &[0, 1, 3, 4, 6]),
            (sampling(1.0, None, Some(0.7)), &[1, 6, 3]),
            // Of the three likeliest, 0.4 and 0.2 are 0.8 of 0.75; of all tokens they would be too few.
            (sampling(1.0, Some(3), Some(0.75)), &[1, 6]),
            (sampling(2.0, Some(3), Some(0.75)), &[1, 6, 3]),
            (sampling(1.0, Some(100), Some(1e-9)), &[1]),
        ];
        const DRAWS: usize = 20_000;
        for (sampling, tokens) in cases {
            let mut sampler = Sampler::new(&sampling, 7);
            let mut counts = [0usize; PROBABILITIES.len()];
            for _ in 0..DRAWS {
                counts[sampler.draw(&logits()).unwrap() as usize] += 1;
            }
            for (id, p) in expected(tokens, sampling.temperature).into_iter().enumerate() {
                let found = counts[id] as f64 / DRAWS as f64;
                let error = (p * (1.0 - p) / DRAWS as f64).sqrt();
                assert!(
                    (found - p).abs() <= 4.5 * error,
                    "{sampling:?}: token {id} in {found} of the draws, not {p}"
                );
            }
        }
    }

    #[derive(serde::Deserialize)]
    struct Golden {
        settings: Sampling,
        /// Null where the token is banned.
        logits: Vec<Option<f32>>,
        /// Probability of every token after transformers' processors.
        probabilities: Vec<f64>,
    }

    #[test]
    fn the_tokens_left_and_their_probabilities_are_those_of_transformers() {
        let text = include_str!("../../../fixtures/captioner/sampling.json");
        let cases: Vec<Golden> = serde_json::from_str(text).unwrap();
        assert!(cases.len() > 100);
        for case in cases {
            let logits: Vec<f32> =
                case.logits.iter().map(|logit| logit.unwrap_or(f32::NEG_INFINITY)).collect();
            let tokens = weights(&case.settings, &logits);
            let mut found = vec![0.0; logits.len()];
            for (id, weight) in &tokens {
                found[*id as usize] = weight / total(&tokens);
            }
            for (id, (found, expected)) in found.iter().zip(&case.probabilities).enumerate() {
                let settings = &case.settings;
                assert!(
                    (found - expected).abs() < 1e-6 && (*found > 0.0) == (*expected > 0.0),
                    "{settings:?}: token {id} has {found}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn a_stream_is_its_seeds() {
        let draws = |seed| {
            let mut sampler = Sampler::new(&sampling(1.0, None, None), seed);
            (0..50).map(|_| sampler.draw(&logits()).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn scores_that_are_no_numbers_are_an_error() {
        let mut sampler = Sampler::new(&sampling(1.0, Some(3), Some(0.5)), 0);
        assert!(sampler.draw(&[f32::NAN, f32::NEG_INFINITY]).is_err());
        assert_eq!(sampler.draw(&[f32::NAN, -1e30]).unwrap(), 1);
    }
}
