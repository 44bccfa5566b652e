//! Between two steps of a run: adapters are kept, and judged by the validation.

use fgd_captioner::train::{Data, Order, Trainer, Turn};
use fgd_record::words::counted;

use super::course::Course;
use super::judge::Against;
use super::metrics::Line;
use super::{BEST, LAST};
use crate::jobs::{Bar, JobError, Session};

impl Course<'_> {
    /// What is due behind the step that was taken last.
    ///
    /// # Errors
    /// A place that cannot be written; what the judge fails at.
    pub fn at_rest(
        &mut self,
        trainer: &Trainer,
        order: &Order,
        bar: &dyn Bar,
        session: &mut Session,
    ) -> Result<(), JobError> {
        let step = trainer.step_count();
        let watching = &self.request.watching;
        if watching.keep_every.is_some_and(|every| step > 0 && step.is_multiple_of(every)) {
            self.write_adapter(trainer, &format!("step-{step}"))?;
        }
        let Some(validation) = &self.material.validation else {
            return Ok(());
        };
        if !self.is_validated(step, order)
            || self.metrics.validations().any(|line| line.step == step)
        {
            return Ok(());
        }
        let stopped = || self.request.stopped(step, order.steps());
        let loss = self.validate(trainer, validation, session)?.ok_or_else(stopped)?;
        if !loss.is_finite() {
            return Err(JobError::usage(format!(
                "step {step}: the loss of the validation is not finite: lower the learning rate, in another run, or look at its captions"
            )));
        }
        let best = self.metrics.best();
        let mut line = Line {
            step,
            epoch: step as f64 / order.steps_per_epoch() as f64,
            eval_loss: Some(loss),
            is_best: Some(best.and_then(|best| best.eval_loss).is_none_or(|best| loss < best)),
            ..Line::default()
        };
        let mut said = format!("step {step}: validation loss {loss:.4}");
        if let Some(judge) = &self.judge {
            let best = best.map(|best| best.step);
            self.write_adapter(trainer, LAST)?;
            let adapter = self.request.output.join(LAST);
            // What drawn captions may not lose is what there was before the first step.
            let held = self.self_critical.as_ref().filter(|_| step > 0).map(|_| 0);
            let against = Against { best, held };
            let judged =
                judge.judge(step, against, &adapter, validation, &mut self.batches, session)?;
            let judged = judged.ok_or_else(stopped)?;
            let fgd = &judged.fgd_paired;
            if let (Some(value), Some(low), Some(high)) = (fgd.value, fgd.low, fgd.high) {
                said += &format!(", fgd_paired {value:.4} (95% {low:.4} to {high:.4})");
            }
            if judged.broken > 0 {
                let broken = counted(judged.broken as u64, "caption");
                said += &format!(", {broken} empty or without end");
            }
            line = Line {
                is_best: Some(judged.is_best),
                fgd_paired: fgd.value,
                fgd_paired_se: fgd.se,
                fgd_paired_low: fgd.low,
                fgd_paired_high: fgd.high,
                fgd_set: judged.fgd_set.value,
                cider_d: judged.cider_d.value,
                p_value: judged.p_value,
                broken: Some(judged.broken),
                distinct_words: Some(judged.distinct_words),
                is_poorer: judged.is_poorer,
                ..line
            };
        }
        if line.is_poorer == Some(true) {
            said += ": ended, since CIDEr-D or the number of different words has fallen";
        }
        if line.is_best == Some(true) {
            self.write_adapter(trainer, BEST)?;
            said += ": the best so far";
        }
        bar.say(&said);
        self.metrics.push(line)
    }

    /// Whether the validation judges the run behind this step.
    pub fn is_validated(&self, step: usize, order: &Order) -> bool {
        let every = self.request.watching.evaluate_every.unwrap_or(order.steps_per_epoch());
        self.material.validation.is_some() && (step.is_multiple_of(every) || step == order.steps())
    }

    /// Mean loss of the tokens, without dropout; nothing where it is interrupted.
    fn validate(
        &mut self,
        trainer: &Trainer,
        data: &Data,
        session: &Session,
    ) -> Result<Option<f64>, JobError> {
        let turns: Vec<Turn> =
            (0..data.captions.len()).map(|example| Turn { example, name: 0 }).collect();
        let mut sum = 0.0;
        for turns in turns.chunks(self.request.order.batch_size) {
            if (session.interrupt)() {
                return Ok(None);
            }
            let micro = self.batches.micro(data, turns)?;
            let losses = trainer.losses(&micro.batch)?;
            sum += losses.iter().map(|loss| f64::from(*loss)).sum::<f64>();
        }
        Ok(Some(sum / data.tokens() as f64))
    }

    /// As [`gives_up`], of the run so far.
    pub fn has_given_up(&self) -> bool {
        let validations = self.metrics.validations();
        let validations = validations.map(|line| (line.step as u64, line.is_poorer));
        let best = self.metrics.best().map(|line| line.step as u64);
        gives_up(self.request.watching.patience, best, validations)
    }
}

/// Whether captions got poorer, or no better than those of the step `best` for as long as patience lasts. `validations` are steps,
/// each with whether its captions were poorer.
pub fn gives_up(
    patience: Option<usize>,
    best: Option<u64>,
    mut validations: impl Iterator<Item = (u64, Option<bool>)> + Clone,
) -> bool {
    let is_out_of_patience = match (patience, best) {
        (Some(patience), Some(best)) => {
            validations.clone().filter(|(step, _)| *step > best).count() >= patience
        }
        _ => false,
    };
    is_out_of_patience || validations.any(|(_, is_poorer)| is_poorer == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poorer_captions_end_a_run_and_so_does_patience() {
        let plain = [(0, None), (2, Some(false)), (4, Some(false))];
        let poorer = [(0, None), (2, Some(true))];
        for (patience, best, validations, ends) in [
            (None, Some(0), &plain[..], false),
            (Some(2), Some(0), &plain, true),
            (Some(3), Some(0), &plain, false),
            (Some(2), Some(2), &plain, false),
            (Some(1), None, &plain, false),
            (None, Some(0), &poorer, true),
        ] {
            assert_eq!(gives_up(patience, best, validations.iter().copied()), ends);
        }
    }
}
