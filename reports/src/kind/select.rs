//! What a select record says: which files the captions come from, how far these agree, and what the choice is worth.

use fgd_record::{CompareResults, Judged, Record, SelectResults};

use super::{
    IndexEntry, Kind, Listing, Subject, captions, compare, differences, figures, numbers,
    provenance, set, verdict,
};
use crate::document::number::{MISSING, counted, percent, value};
use crate::document::{Cell, Document, Table, Tidy, Tone, plain};

impl Kind for SelectResults {
    fn document(&self, record: &Record) -> Document {
        let mut document = Document::new(&title(self));
        if let Some(quality) = &self.quality {
            verdict::compare(&mut document, quality);
        }
        document.line(format!(
            "{} for {} out of {} · {}",
            counted(self.images, "caption"),
            counted(self.images, "image"),
            counted(self.candidates, "candidate"),
            provenance::encoder_name(record)
        ));
        document.line(agreement(self));
        for warning in &self.warnings {
            document.notice(Tone::Warning, warning);
        }
        provenance::encoder_notices(&mut document, record);
        document.table(sources(self));
        if let Some(quality) = &self.quality {
            if let Some(bound) = self.oracle.as_ref().filter(|bound| bound.value.is_some()) {
                document.line(format!(
                    "Upper bound: the best candidate of each image would have fgd_paired {}.",
                    value(bound.value, bound.se)
                ));
            }
            worth(&mut document, quality);
        }
        if let Some(Judged { encoder, quality }) = &self.judge {
            document.line(format!("The same by {encoder}, which had no part in the choice:"));
            worth(&mut document, quality);
        }
        if let Some(quality) = &self.quality {
            let scores = quality.systems.iter().map(|s| (s.name.as_str(), &s.scores));
            let pictures = figures::systems(scores).into_iter();
            let further = compare::further(quality);
            let differences = figures::differences(&quality.differences, &further);
            document.figures(pictures.chain(differences));
        }
        document.table(captions::findings(&record.findings));
        document.signed(record, provenance::tables(record, None))
    }

    fn numbers(&self, _record: &Record) -> Tidy {
        let mut rows = numbers::Numbers::new();
        for source in &self.sources {
            let row = || numbers::Number::of(&source.name).n(self.images);
            rows.push(row().measure("chosen", &plain(source.chosen as f64)));
            if source.weight.is_some() {
                rows.push(row().measure("weight", &plain(source.weight)));
            }
        }
        rows.push(numbers::Number::of("").n(self.images).measure("agreement", &self.agreement));
        if let Some(bound) = &self.oracle {
            rows.push(numbers::Number::of("oracle").n(self.images).measure("fgd_paired", bound));
        }
        let judged = self.judge.iter().map(|judge| &judge.quality);
        for quality in self.quality.iter().chain(judged) {
            for system in &quality.systems {
                rows.scores(&system.name, &system.scores);
            }
            rows.differences(&quality.differences, quality.n);
        }
        rows.finish()
    }

    fn listing(&self, _record: &Record) -> Listing {
        Listing { page: Some(title(self)), entry: IndexEntry::Run }
    }

    fn subjects(&self, _record: &Record) -> Vec<Subject<'_>> {
        let systems = self.quality.iter().flat_map(|quality| &quality.systems);
        systems
            .map(|system| Subject {
                name: system.name.clone(),
                scores: Some(&system.scores),
                ..Subject::default()
            })
            .collect()
    }
}

fn title(results: &SelectResults) -> String {
    let by = match &results.metric {
        Some(metric) => format!("{} by {metric}", results.by),
        None => results.by.clone(),
    };
    let names: Vec<&str> = results.sources.iter().map(|s| s.name.as_str()).collect();
    format!("Chosen by {by}: {}", names.join(", "))
}

fn agreement(results: &SelectResults) -> String {
    let identical = match results.identical {
        Some(share) => format!("; in {} of the images all candidates are one text", percent(share)),
        None => String::new(),
    };
    match (&results.agreement.value, &results.agreement.reason) {
        (Some(_), _) => format!(
            "Agreement: two candidates of an image have a mean cosine of {}{identical}.",
            value(results.agreement.value, results.agreement.se)
        ),
        (None, reason) => {
            format!("{MISSING} agreement: {}", reason.as_deref().unwrap_or("not known"))
        }
    }
}

fn sources(results: &SelectResults) -> Table {
    let images = results.images;
    let share = move |chosen: u64| (images > 0).then(|| chosen as f64 / images as f64);
    Table::of("Where the captions come from", &results.sources)
        .text("file", |source| Cell::subject(&source.name))
        .number("chosen", |source| Cell::count(source.chosen).strong())
        .number("share", |source| Cell::percent(share(source.chosen)))
        .when(results.sources.iter().any(|source| source.weight.is_some()), |table| {
            table.number("weight", |source| Cell::value(source.weight, None))
        })
        .number("images", |source| Cell::count(source.images))
        .number("captions", |source| Cell::count(source.captions))
        .remark("Of captions that are the same text the first file's is counted.")
        .explain("weight", "weight: how much a file is listened to, learned from the references; each image was chosen for with weights that had not seen its references.")
        .sortable()
        .into()
}

fn worth(document: &mut Document, quality: &CompareResults) {
    document.table(compare::systems(quality));
    let sets = quality.systems.iter().map(|s| (s.name.as_str(), &s.scores.fgd_set));
    set::notices(document, sets);
    let further = compare::further(quality);
    differences::table(document, &quality.differences, &further);
    document.table(differences::by_group(&quality.differences, &further));
}
