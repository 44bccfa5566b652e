//! What a run will cost, said before its first step.

use fgd_captioner::Captioner;
use fgd_captioner::train::cost::{self, Cost, Rows};
use fgd_captioner::train::{Order, Trainer};
use fgd_record::Host;
use fgd_record::words::counted;

use super::course::Course;
use crate::host::{memory, room};
use crate::jobs::{JobError, Session};

impl Course<'_> {
    /// Says what is about to happen, and refuses what memory does not suffice for.
    ///
    /// # Errors
    /// Too little memory.
    pub fn announce(
        &self,
        trainer: &Trainer,
        order: &Order,
        captioner: &Captioner,
        host: &Host,
        session: &Session,
    ) -> Result<Cost, JobError> {
        let (data, config) = (&self.material.train, &self.request.order);
        let captions = data.captions.len();
        // A caption and as many draws of about its length.
        let drawn = self.self_critical.as_ref().map_or(1.0, |s| 1.0 + s.scst.samples as f64);
        let in_batch = captions.min(config.batch_size) as f64;
        let prompt = captioner.tokenizer().encode(&self.request.prompt)?.len();
        let rows = Rows {
            encoder: in_batch * (captioner.config().num_query_tokens + prompt) as f64,
            decoder: in_batch * data.tokens() as f64 / captions as f64 * drawn,
            batches: (captions as f64 / in_batch).ceil().min(config.accumulation as f64),
        };
        let text = &captioner.config().text_config;
        let factors = &self.request.learning.lora;
        let cost =
            cost::estimate(trainer.model(), text, factors, rows, room(host).unwrap_or(0) as f64);
        let steps = order.steps() - trainer.step_count().min(order.steps());
        let lora = trainer.lora();
        session.progress.say(&format!(
            "{} of {}, {}; {} with {}; {} of {} GFLOP: {} PFLOP; memory beside the frozen weights {} GB",
            counted(captions as u64, "caption"),
            counted(data.images.len() as u64, "image"),
            counted(data.tokens() as u64, "token"),
            counted(lora.modules().len() as u64, "layer"),
            counted(lora.parameters() as u64, "parameter"),
            counted(steps as u64, "step"),
            short(cost.step_flop / 1e9),
            short(cost.step_flop * steps as f64 / 1e15),
            short((cost.factors_bytes + cost.rows_bytes) / 1e9),
        ));
        let (warmup, total) =
            (self.request.learning.optimizer.warmup(order.steps()), order.steps());
        if warmup >= total as f64 {
            session.progress.say(&format!(
                "warning: the rate rises over {warmup} steps and there are {total}, so it never is what was asked; lower --warmup-steps"
            ));
        }
        if let Some(most) = memory(host)
            && cost.factors_bytes + cost.rows_bytes > most as f64
        {
            return Err(JobError::usage(format!(
                "this needs {} GB beside the frozen weights, and the machine has {}; lower --batch-size (and raise \
                 --accumulation), or --rank",
                short((cost.factors_bytes + cost.rows_bytes) / 1e9),
                short(most as f64 / 1e9)
            )));
        }
        Ok(cost)
    }
}

/// A time in the unit that suits it.
pub fn lasting(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => counted(s.round() as u64, "second"),
        s if s < 6000.0 => format!("{:.0} minutes", s / 60.0),
        s => format!("{} hours", short(s / 3600.0)),
    }
}

/// Three significant digits.
pub fn short(number: f64) -> String {
    let digits = match number.abs() {
        0.0 => 0,
        size => (2 - size.log10().floor() as i32).max(0) as usize,
    };
    format!("{number:.digits$}")
}
