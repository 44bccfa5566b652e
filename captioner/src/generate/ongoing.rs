//! The searches of some prompts that share the steps of one decoder: prompts join between two steps, and leave as soon as their
//! captions have ended.

use rayon::prelude::*;

use super::awake::awake;
use super::beam::Beams;
use super::greedy::Lines;
use super::{GenerationConfig, Sequence, Step};
use crate::error::Result;
use crate::special_tokens::SpecialTokens;

/// The search for the captions of one prompt.
pub(super) trait Search: Send {
    /// The newest token of each of its rows.
    fn newest(&self) -> Vec<u32>;

    /// Takes a token out of each row's logits; answers which of the rows each further row continues. None: it has ended.
    fn advance(
        &mut self,
        logits: Vec<Vec<f32>>,
        config: &GenerationConfig,
        special: &SpecialTokens,
    ) -> Result<Vec<usize>>;

    /// The captions, when it has ended.
    fn result(&mut self, config: &GenerationConfig) -> Vec<Sequence>;
}

/// The searches that have not ended.
pub struct Ongoing<'a> {
    config: &'a GenerationConfig,
    special: &'a SpecialTokens,
    /// Each with the number of its prompt.
    searches: Vec<(usize, Box<dyn Search>)>,
    joined: usize,
    steps: usize,
}

impl<'a> Ongoing<'a> {
    /// None yet.
    pub fn new(config: &'a GenerationConfig, special: &'a SpecialTokens) -> Self {
        Self { config, special, searches: Vec::new(), joined: 0, steps: 0 }
    }

    /// A prompt joins, after those that are there; one seed for each of its captions, which matter to sampling only. Answers
    /// its number, counted from 0.
    pub fn join(&mut self, seeds: &[u64]) -> usize {
        let search: Box<dyn Search> = match self.config.num_beams > 1 {
            true => Box::new(Beams::new(self.config, self.special)),
            false => Box::new(Lines::new(seeds, self.config, self.special)),
        };
        self.searches.push((self.joined, search));
        self.joined += 1;
        self.joined - 1
    }

    /// Prompts whose captions have not ended.
    pub fn len(&self) -> usize {
        self.searches.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.searches.is_empty()
    }

    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps of `model`, which has the prompts that joined, until some prompts have ended: their numbers and captions.
    ///
    /// # Errors
    /// What the decoder fails at; logits that are not numbers, where tokens are drawn.
    pub fn advance(
        &mut self,
        model: &mut (impl Step + Send),
    ) -> Result<Vec<(usize, Vec<Sequence>)>> {
        let is_on_host = model.is_on_host();
        let mut steps = || {
            while !self.is_empty() {
                let done = self.step(model)?;
                if !done.is_empty() {
                    return Ok(done);
                }
            }
            Ok(Vec::new())
        };
        if is_on_host { awake(steps) } else { steps() }
    }

    fn step(&mut self, model: &mut impl Step) -> Result<Vec<(usize, Vec<Sequence>)>> {
        self.steps += 1;
        let newest: Vec<Vec<u32>> = self.searches.iter().map(|(_, s)| s.newest()).collect();
        let mut logits = model.step(&newest.concat())?.into_iter();
        let logits: Vec<Vec<Vec<f32>>> =
            newest.iter().map(|own| logits.by_ref().take(own.len()).collect()).collect();
        let (config, special) = (self.config, self.special);
        let searches = self.searches.par_iter_mut().zip(logits);
        let rows: Vec<Vec<usize>> = searches
            .map(|((_, search), logits)| search.advance(logits, config, special))
            .collect::<Result<_>>()?;
        model.go_on(&rows)?;
        let mut rows = rows.iter();
        let ended = self.searches.extract_if(.., |_| rows.next().is_some_and(Vec::is_empty));
        Ok(ended.map(|(prompt, mut search)| (prompt, search.result(config))).collect())
    }
}
