//! What a training record says: what was learned from what, how the loss went, and what it cost.

use fgd_record::{Record, TrainResults};

use super::numbers::{Number, Numbers};
use super::{IndexEntry, Kind, Listing, provenance};
use crate::document::number::{MISSING, bytes, count, counted, duration};
use crate::document::{Axis, Cell, Document, Figure, Plot, Series, Table, Tidy, Tone, plain};

impl Kind for TrainResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&format!("Training of {}", record.system_name()));
        document.line(format!(
            "{} of {}, seen {:.2} times · {} with {} parameters",
            counted(self.captions, "caption"),
            counted(self.images, "image"),
            self.epochs,
            counted(self.modules, "layer"),
            count(self.parameters),
        ));
        if self.steps < self.planned_steps {
            let text = format!(
                "ended after step {} of {}: the validation loss no longer fell",
                count(self.steps),
                count(self.planned_steps)
            );
            document.notice(Tone::Warning, text);
        }
        document.table(figures(self));
        document.table(validations(self));
        if let Some(reason) = &self.tokens_per_second.reason {
            let text = format!("{MISSING} tokens/s, s per step: {reason}");
            document.notice(Tone::Plain, text);
        }
        document.figures(curves(self));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, record: &Record) -> Tidy {
        let mut rows = Numbers::new();
        let system = record.system_name();
        let mut push = |metric: &str, measure: &fgd_record::Measure| {
            rows.push(Number::of(&system).n(self.captions).measure(metric, measure));
        };
        push("steps", &plain(self.steps as f64));
        push("epochs", &plain(self.epochs));
        push("parameters", &plain(self.parameters as f64));
        push("train_loss", &plain(self.curve.last().map(|point| point.loss)));
        push("eval_loss", &plain(lowest(self).map(|(_, loss)| loss)));
        push("seconds", &plain(self.seconds));
        push("seconds_per_step", &self.seconds_per_step);
        push("tokens_per_second", &self.tokens_per_second);
        push("peak_memory_bytes", &plain(self.peak_memory_bytes.map(|bytes| bytes as f64)));
        for point in &self.curve {
            let step = point.step.to_string();
            let row = Number::of(&system).within("step", &step);
            rows.push(row.measure("train_loss", &plain(point.loss)));
        }
        for point in &self.validation {
            let step = point.step.to_string();
            let row = Number::of(&system).within("step", &step);
            rows.push(row.measure("eval_loss", &plain(point.loss)));
        }
        rows.finish()
    }

    fn listing(&self, record: &Record) -> Listing {
        Listing {
            page: Some(format!("training of {}", record.system_name())),
            entry: IndexEntry::Link { heading: "Trainings", subject: counted(self.steps, "step") },
        }
    }
}

/// Step and loss of the lowest validation.
fn lowest(results: &TrainResults) -> Option<(u64, f64)> {
    let all = results.validation.iter().map(|point| (point.step, point.loss));
    all.min_by(|a, b| a.1.total_cmp(&b.1))
}

fn figures(results: &TrainResults) -> Table {
    let mut rows: Vec<(&str, Cell, String)> = Vec::new();
    let mut row = |what, number: Cell, meaning: &str| rows.push((what, number, meaning.into()));
    row("steps", Cell::count(results.steps).strong(), "");
    if results.resumed_steps > 0 {
        row(
            "  of earlier processes",
            Cell::count(results.resumed_steps),
            "gone on from their state",
        );
    }
    if let Some(first) = results.curve.first() {
        row("loss at the beginning", Cell::significant(first.loss), "per token, natural logarithm");
    }
    if let Some(last) = results.curve.last() {
        row("loss at the end", Cell::significant(last.loss).strong(), "");
    }
    if let Some((step, loss)) = lowest(results) {
        let meaning = format!("at step {}: the adapter in best", count(step));
        row("lowest validation loss", Cell::significant(loss).strong(), &meaning);
    }
    row("tokens/s", Cell::significant(results.tokens_per_second.value).strong(), "label tokens");
    let meaning = format!("{} GFLOP each, estimated", count(results.step_gflop.round() as u64));
    row("s per step", Cell::significant(results.seconds_per_step.value), &meaning);
    row("seconds", Cell::significant(results.seconds), &duration(results.seconds));
    row("seconds to load", Cell::significant(results.load_seconds), "");
    let memory = results.peak_memory_bytes;
    let gibibytes = memory.map(|bytes| bytes as f64 / f64::from(1 << 30));
    let meaning = memory.map_or_else(String::new, |size| bytes(size as f64));
    row("peak memory, GiB", Cell::significant(gibibytes), &meaning);
    Table::of("Training", &rows)
        .text("what", |(what, number, _)| Cell::from(*what).tone(number.tone))
        .number("value", |(_, number, _)| number.clone())
        .text("how to read it", |(_, _, meaning)| Cell::from(meaning).tone(Tone::Dim))
        .optional()
        .into()
}

fn validations(results: &TrainResults) -> Table {
    let best = lowest(results).map(|(step, _)| step);
    Table::of("Validation", &results.validation)
        .number("step", |point| Cell::count(point.step))
        .number("loss", |point| {
            let cell = Cell::significant(point.loss);
            if Some(point.step) == best { cell.strong() } else { cell }
        })
        .into()
}

fn curves(results: &TrainResults) -> Vec<Figure> {
    let points = |of: fn(&fgd_record::TrainPoint) -> f64| -> Vec<(f64, f64)> {
        results.curve.iter().map(|point| (point.step as f64, of(point))).collect()
    };
    let step = || Axis::linear("step");
    let mut loss = vec![Series::line("training", points(|point| point.loss))];
    let validation: Vec<(f64, f64)> =
        results.validation.iter().map(|point| (point.step as f64, point.loss)).collect();
    if !validation.is_empty() {
        loss.push(Series::line("validation", validation));
    }
    let figure = |title: &str, caption: &str, series: Vec<Series>, y: &str| {
        Figure::new(title, caption, Plot::Curves { series, x: step(), y: Axis::linear(y) })
    };
    vec![
        figure("Loss", "Cross-entropy per token over the steps; lower is better.", loss, "loss"),
        figure(
            "Gradient norm",
            "Norm of the gradient before clipping; one that grows means a rate that is too high.",
            vec![Series::line("norm", points(|point| point.grad_norm))],
            "norm",
        ),
        figure(
            "Learning rate",
            "The rate over the steps.",
            vec![Series::line("rate", points(|point| point.learning_rate))],
            "rate",
        ),
    ]
}
