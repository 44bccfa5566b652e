//! What several systems have beside their distances: further metrics as columns, groups of images as tables.

use std::collections::BTreeMap;

use fgd_record::{Metric, ScoreResults};

use crate::document::number::MISSING;
use crate::document::{Cell, Columns, Document, Table, grouped};

/// A column for each further metric that one of the systems has.
pub fn metrics<'a, T: Copy>(
    mut table: Columns<T>,
    systems: impl Iterator<Item = &'a ScoreResults>,
    scores: impl Fn(T) -> &'a ScoreResults,
) -> Columns<T> {
    let metrics = systems.flat_map(|scores| &scores.metrics);
    for (name, labels) in grouped(metrics.map(|(name, metric)| (name, &metric.label))) {
        let cell = |system: T| match scores(system).metrics.get(name) {
            Some(metric) => Cell::metric(metric).followed_by_interval(&metric.measure),
            None => MISSING.into(),
        };
        table = table.number(labels[0], cell).optional();
    }
    table
}

/// Further metrics by name, for what is said of differences in them.
pub type Further<'a> = BTreeMap<&'a str, &'a Metric>;

/// The further metrics that one of the systems has.
pub fn further<'a>(systems: impl Iterator<Item = &'a ScoreResults>) -> Further<'a> {
    let metrics = systems.flat_map(|scores| &scores.metrics);
    metrics.map(|(name, metric)| (name.as_str(), metric)).collect()
}

/// One table per way of grouping: a row per group, a column per system.
pub fn slices(document: &mut Document, systems: &[(&str, &ScoreResults)]) {
    let slices = systems.iter().flat_map(|(_, scores)| &scores.slices);
    let parts = slices.flat_map(|s| s.parts.iter().map(|part| (&s.column, part)));
    for (column, parts) in grouped(parts) {
        let groups = grouped(parts.into_iter().map(|part| (&part.value, part.results.n)));
        let groups = groups.iter().map(|(value, n)| (*value, n[0]));
        let mut table = Table::of(&format!("fgd_paired by {column}"), groups)
            .text(column, |(value, _)| value)
            .number("images", |(_, n)| Cell::count(n));
        for (name, scores) in systems {
            let slice = scores.slices.iter().find(|s| s.column == *column);
            table = table.number(name, |(value, _)| {
                let part = slice.and_then(|s| s.parts.iter().find(|p| p.value == *value));
                part.map_or(MISSING.into(), |part| Cell::with_interval(&part.results.fgd_paired))
            });
        }
        document.table(table);
    }
}
