//! What a record tells of the references, taken out of it: the captions that a contest keeps hidden.

use super::{Record, Results, ScoreResults};

impl Record {
    /// Leaves out the texts of the references wherever captions are quoted. The numbers stay.
    pub fn hide_references(&mut self) {
        let hide = |scores: &mut ScoreResults| {
            let slices = scores.slices.iter_mut().flat_map(|slice| &mut slice.parts);
            let of_slices = slices.flat_map(|part| &mut part.results.worst);
            for worst in of_slices.chain(&mut scores.worst) {
                worst.references.clear();
            }
        };
        if let Some(captions) = &mut self.captions {
            captions.references.clear();
        }
        match &mut self.results {
            Results::Score(results) => hide(results),
            Results::Compare(results) => {
                results.systems.iter_mut().for_each(|system| hide(&mut system.scores));
                results.contrasts.iter_mut().for_each(|contrast| contrast.references.clear());
            }
            Results::Leaderboard(results) => {
                results.standings.iter_mut().for_each(|standing| hide(&mut standing.scores));
            }
            Results::Select(results) => {
                let judged = results.judge.as_mut().map(|judge| &mut judge.quality);
                let qualities = results.quality.as_mut().into_iter().chain(judged);
                qualities
                    .flat_map(|quality| &mut quality.systems)
                    .for_each(|s| hide(&mut s.scores));
            }
            Results::Train(results) => {
                results.examples.iter_mut().for_each(|example| example.reference.clear());
            }
            // What people wrote of images to learn from is a reference as well.
            Results::Curate(results) => results.examples.clear(),
            Results::Agreement(_)
            | Results::Caption(_)
            | Results::Bench(_)
            | Results::Nightly(_) => {}
        }
    }
}
