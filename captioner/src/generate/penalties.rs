//! Changes made to a row of scores before a token is chosen, in transformers' order: repetition, n-grams, least length.

use super::GenerationConfig;

/// Applies the configured penalties. `ids` is the row so far, start token included; `scores` are logits in greedy search
/// and log-probabilities in beam search, as in transformers.
pub fn apply(config: &GenerationConfig, eos: &[u32], ids: &[u32], scores: &mut [f32]) {
    if config.repetition_penalty != 1.0 {
        repetition(ids, config.repetition_penalty as f32, scores);
    }
    if config.no_repeat_ngram_size > 0 {
        no_repeat_ngram(ids, config.no_repeat_ngram_size, scores);
    }
    if config.ignore_eos || ids.len() <= config.min_new_tokens {
        eos.iter().for_each(|id| ban(scores, *id));
    }
}

fn ban(scores: &mut [f32], id: u32) {
    if let Some(score) = scores.get_mut(id as usize) {
        *score = f32::NEG_INFINITY;
    }
}

/// `RepetitionPenaltyLogitsProcessor`: each token counts once, however often it occurred.
fn repetition(ids: &[u32], penalty: f32, scores: &mut [f32]) {
    let mut seen = ids.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for id in seen {
        if let Some(score) = scores.get_mut(id as usize) {
            *score = if *score < 0.0 { *score * penalty } else { *score / penalty };
        }
    }
}

/// `NoRepeatNGramLogitsProcessor`: bans every token that would complete an n-gram already there.
fn no_repeat_ngram(ids: &[u32], size: usize, scores: &mut [f32]) {
    let Some(start) = (ids.len() + 1).checked_sub(size) else {
        return;
    };
    let tail = &ids[start..];
    for ngram in ids.windows(size) {
        if let Some((last, head)) = ngram.split_last()
            && head == tail
        {
            ban(scores, *last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_divides_positive_and_multiplies_negative_once() {
        let mut scores = [2.0, -2.0, 3.0];
        repetition(&[0, 1, 1, 0], 2.0, &mut scores);
        assert_eq!(scores, [1.0, -4.0, 3.0]);
    }

    /// `MinNewTokensLengthLogitsProcessor`: the start token does not count.
    #[test]
    fn no_caption_ends_before_its_least_length() {
        let config = GenerationConfig { min_new_tokens: 2, ..GenerationConfig::default() };
        let ends = |ids: &[u32]| {
            let mut scores = [0.0; 4];
            apply(&config, &[1], ids, &mut scores);
            scores[1].is_finite()
        };
        assert_eq!([ends(&[0]), ends(&[0, 3]), ends(&[0, 3, 2])], [false, false, true]);
    }

    #[test]
    fn ngram_bans_what_followed_the_same_words() {
        let mut scores = [0.0; 6];
        no_repeat_ngram(&[1, 2, 3, 1, 2], 3, &mut scores);
        assert_eq!(scores.map(f32::is_finite), [true, true, true, false, true, true]);
        let mut scores = [0.0; 4];
        no_repeat_ngram(&[1, 2], 1, &mut scores);
        assert_eq!(scores.map(f32::is_finite), [true, false, false, true]);
        let mut scores = [0.0; 4];
        no_repeat_ngram(&[1], 3, &mut scores);
        assert!(scores.iter().all(|s| s.is_finite()));
    }
}
