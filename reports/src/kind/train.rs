//! What a training record says: what was learned from what, how the loss went, and what it cost.

use fgd_record::{Record, TrainResults, TrainValidation};

use super::numbers::{Number, Numbers};
use super::{IndexEntry, Kind, Listing, provenance, verdict};
use crate::document::number::{
    MISSING, bytes, count, counted, duration, interval, p_value, significant, value,
};
use crate::document::{
    Axis, Cell, Document, Figure, Interval, Plot, Series, Table, Tidy, Tone, plain,
};

impl Kind for TrainResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&format!("Training of {}", record.system_name()));
        verdict::train(&mut document, self);
        document.line(format!(
            "{} of {}, seen {:.2} times · {} with {} parameters",
            counted(self.captions, "caption"),
            counted(self.images, "image"),
            self.epochs,
            counted(self.modules, "layer"),
            count(self.parameters),
        ));
        if !self.sources.is_empty() {
            let sources = self.sources.iter().map(|(source, n)| format!("{} {source}", count(*n)));
            document
                .line(format!("captions by source: {}", sources.collect::<Vec<_>>().join(", ")));
        }
        if self.steps < self.planned_steps {
            let why = match self.validation.iter().any(|point| point.is_poorer == Some(true)) {
                true => "CIDEr-D or the number of different words has fallen",
                false => "the validation got no better",
            };
            let (steps, planned) = (count(self.steps), count(self.planned_steps));
            let text = format!("ended after step {steps} of {planned}: {why}");
            document.notice(Tone::Warning, text);
        }
        let is_drawn =
            record.settings.get("objective").is_some_and(|objective| objective == "scst");
        let loss = match is_drawn {
            true => {
                "of drawn captions, each weighed by its advantage: no cross-entropy, and near 0"
            }
            false => "per token, natural logarithm",
        };
        if best(self).is_some_and(|best| best.fgd_paired.is_some()) {
            provenance::encoder_notices(&mut document, record);
        }
        document.table(figures(self, loss));
        document.table(validations(self));
        document.table(examples(self));
        if let Some(reason) = &self.tokens_per_second.reason {
            let text = format!("{MISSING} tokens/s, s per step: {reason}");
            document.notice(Tone::Plain, text);
        }
        document.figures(curves(self, is_drawn));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, record: &Record) -> Tidy {
        let mut rows = Numbers::new();
        let system = record.system_name();
        let (learnt, judged) = (Some(self.captions), self.validation_captions);
        let mut of = |metric: &str, n: Option<u64>, measure: &fgd_record::Measure| {
            rows.push(Number::of(&system).n(n).measure(metric, measure));
        };
        of("train_loss", learnt, &plain(self.curve.last().map(|point| point.loss)));
        of("eval_loss", judged, &plain(best(self).map(|best| best.loss)));
        if let Some(fgd) = best(self).and_then(|best| best.fgd_paired.as_ref()) {
            // One caption of each image is judged by its captions; how many images these are of is not kept.
            of("fgd_paired", None, fgd);
        }
        let mut push = |metric: &str, measure: &fgd_record::Measure| of(metric, None, measure);
        push("steps", &plain(self.steps as f64));
        push("epochs", &plain(self.epochs));
        push("parameters", &plain(self.parameters as f64));
        push("seconds", &plain(self.seconds));
        push("seconds_per_step", &self.seconds_per_step);
        push("tokens_per_second", &self.tokens_per_second);
        push("peak_memory_bytes", &plain(self.peak_memory_bytes.map(|bytes| bytes as f64)));
        for (source, loss) in self.curve.last().into_iter().flat_map(|point| &point.sources) {
            let row = Number::of(&system).within("source", source);
            rows.push(row.measure("train_loss", &plain(*loss)));
        }
        for point in &self.curve {
            let step = point.step.to_string();
            let row = Number::of(&system).within("step", &step);
            rows.push(row.measure("train_loss", &plain(point.loss)));
        }
        for point in &self.validation {
            let step = point.step.to_string();
            let row = Number::of(&system).within("step", &step);
            rows.push(row.clone().measure("eval_loss", &plain(point.loss)));
            if let Some(fgd) = &point.fgd_paired {
                rows.push(row.measure("fgd_paired", fgd));
            }
        }
        rows.finish()
    }

    fn listing(&self, record: &Record) -> Listing {
        Listing {
            page: Some(format!("training of {}", record.system_name())),
            entry: IndexEntry::Run,
        }
    }
}

/// The validation of the best adapter.
fn best(results: &TrainResults) -> Option<&TrainValidation> {
    results.validation.iter().find(|point| Some(point.step) == results.best_step)
}

fn figures(results: &TrainResults, of_loss: &str) -> Table {
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
        row("loss at the beginning", Cell::significant(first.loss), of_loss);
    }
    if let Some(last) = results.curve.last() {
        row("loss at the end", Cell::significant(last.loss).strong(), "");
        for (source, loss) in &last.sources {
            let meaning = format!("of captions whose source is {source}");
            row("  by source", Cell::significant(*loss), &meaning);
        }
    }
    if let Some(best) = best(results) {
        let meaning = format!("at step {}: the adapter in best", count(best.step));
        row("validation loss", Cell::significant(best.loss).strong(), &meaning);
        if let Some(fgd) = &best.fgd_paired {
            let interval = interval(fgd);
            let meaning = format!("95% {interval}; chosen by the paired test");
            row("fgd_paired", Cell::new(value(fgd.value, fgd.se), fgd.value).strong(), &meaning);
        }
    }
    row("tokens/s", Cell::significant(results.tokens_per_second.value).strong(), "label tokens");
    let meaning = format!("{} GFLOP each, estimated", significant(results.step_gflop));
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
    Table::of("Validation", &results.validation)
        .number("step", |point| {
            let cell = Cell::count(point.step);
            if Some(point.step) == results.best_step { cell.strong() } else { cell }
        })
        .number("loss", |point| Cell::significant(point.loss))
        .number("fgd_paired", |point| {
            let (number, se) = point.fgd_paired.as_ref().map_or((None, None), |m| (m.value, m.se));
            Cell::new(value(number, se), number)
        })
        .optional()
        .text("95% interval", |point| point.fgd_paired.as_ref().map_or_else(String::new, interval))
        .optional()
        .number("fgd_set", |point| match point.fgd_set {
            // A validation keeps it as it is defined, with its bias.
            Some(raw) => Cell::new(format!("{} raw", significant(raw)), Some(raw)),
            None => MISSING.into(),
        })
        .optional()
        .number("CIDEr-D", |point| Cell::significant(point.cider_d))
        .optional()
        .number("words", |point| match point.distinct_words {
            Some(words) => Cell::new(count(words), Some(words as f64)),
            None => MISSING.into(),
        })
        .optional()
        .text("p beside the best", |point| {
            point.p_value.map_or_else(String::new, |p| p_value(Some(p)))
        })
        .optional()
        .number("broken", |point| match point.broken_captions {
            Some(broken) => Cell::new(count(broken), Some(broken as f64)),
            None => MISSING.into(),
        })
        .optional()
        .into()
}

fn examples(results: &TrainResults) -> Table {
    Table::of("Captions before and now", &results.examples)
        .text("image", |example| &example.image_id)
        .text("before", |example| &example.before)
        .text("now", |example| &example.now)
        .text("reference", |example| &example.reference)
        .into()
}

fn curves(results: &TrainResults, is_drawn: bool) -> Vec<Figure> {
    let points = |of: fn(&fgd_record::TrainPoint) -> f64| -> Vec<(f64, f64)> {
        results.curve.iter().map(|point| (point.step as f64, of(point))).collect()
    };
    let step = || Axis::linear("step");
    let mut loss = vec![Series::line("training", points(|point| point.loss))];
    for source in results.sources.keys() {
        let points = results.curve.iter();
        let points = points.filter_map(|p| Some((p.step as f64, *p.sources.get(source)?)));
        loss.push(Series::line(source, points.collect()));
    }
    let validation: Vec<(f64, f64)> =
        results.validation.iter().map(|point| (point.step as f64, point.loss)).collect();
    if !validation.is_empty() {
        loss.push(Series::line("validation", validation));
    }
    let figure = |title: &str, caption: &str, series: Vec<Series>, y: &str| {
        Figure::new(title, caption, Plot::Curves { series, x: step(), y: Axis::linear(y) })
    };
    let judged: Vec<Interval> = results.validation.iter().filter_map(judged).collect();
    let judged = (!judged.is_empty()).then(|| {
        let caption =
            "Points are values at the validations, lines their 95% intervals; lower is better.";
        let axis = "fgd_paired".to_owned();
        Figure::new("fgd_paired", caption, Plot::Intervals { rows: judged, with_zero: false, axis })
    });
    let mut figures = vec![
        figure(
            "Loss",
            match is_drawn {
                true => {
                    "Loss of the drawn captions over the steps, weighed by their advantages; near 0."
                }
                false => "Cross-entropy per token over the steps; lower is better.",
            },
            loss,
            "loss",
        ),
        figure(
            "Gradient norm",
            "Norm of the gradient before clipping; one that grows means a rate that is too high.",
            vec![Series::line("norm", points(|point| point.grad_norm))],
            "norm",
        ),
        figure(
            "Learning rate",
            "The rate over the steps, in millionths.",
            vec![Series::line("rate", points(|point| point.learning_rate * 1e6))],
            "rate × 10⁶",
        ),
    ];
    figures.extend(judged);
    figures
}

fn judged(point: &TrainValidation) -> Option<Interval> {
    let fgd = point.fgd_paired.as_ref()?;
    Some(Interval {
        label: format!("step {}", point.step),
        text: value(fgd.value, fgd.se),
        value: fgd.value?,
        interval: fgd.interval(),
    })
}
