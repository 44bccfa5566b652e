//! The per-caption table: one row per image, for a data frame.

use fgd_metrics::table::FGD_PAIRED;
use polars::prelude::{Column, DataFrame, PolarsResult};

use super::numbers::PerCaption;
use super::set::EvalSet;

/// Columns `image_id`, `row`, `caption`, `references` (joined by ` | `), `distance`, `influence`,
/// and one per further metric; those that the job could not know are left out.
pub fn table(set: &EvalSet, per_caption: &PerCaption) -> PolarsResult<DataFrame> {
    let mut columns = Vec::new();
    if let Some(texts) = &set.texts {
        columns.push(Column::new("image_id".into(), &texts.ids));
        columns.push(Column::new("row".into(), &texts.rows));
        columns.push(Column::new("caption".into(), &texts.candidates));
        if set.image_of.is_some() {
            let joined: Vec<String> = set
                .references_of()
                .iter()
                .map(|references| references.join(" | "))
                .collect();
            columns.push(Column::new("references".into(), joined));
        }
    } else {
        let rows: Vec<u64> = (1..=set.len() as u64).collect();
        columns.push(Column::new("row".into(), rows));
    }
    if let Some(distance) = per_caption.distance() {
        columns.push(Column::new("distance".into(), distance));
    }
    if let Some(influence) = &per_caption.influence {
        columns.push(Column::new("influence".into(), influence));
    }
    for (&name, statistics) in &per_caption.statistics {
        if name != FGD_PAIRED {
            columns.push(Column::new(name.into(), statistics.per_image()));
        }
    }
    DataFrame::new(set.len(), columns)
}
