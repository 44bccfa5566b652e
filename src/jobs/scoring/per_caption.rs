//! The per-caption table: one row per image, for a data frame.

use fgd_captions::{Cells, Table};
use fgd_metrics::metric::FGD_PAIRED;

use super::numbers::PerCaption;
use super::set::EvalSet;

/// Columns `image_id`, `row`, `caption`, `references` (joined by ` | `), `distance`, `influence`,
/// and one per further metric; those that the job could not know are left out.
pub fn table(set: &EvalSet, per_caption: &PerCaption) -> Table {
    let mut table = Table::default();
    if let Some(texts) = &set.texts {
        table.push("image_id", Cells::text(&texts.ids));
        table.push("row", Cells::counts(texts.rows.iter().copied()));
        table.push("caption", Cells::text(&texts.candidates));
        if set.image_of.is_some() {
            let references = set.references_of();
            let joined = references.iter().map(|references| references.join(" | "));
            table.push("references", Cells::text(joined));
        }
    } else {
        table.push("row", Cells::counts(1..=set.len() as u64));
    }
    let mut push = |name: &str, values: &[f64]| {
        table.push(name, Cells::numbers(values.iter().copied()));
    };
    if let Some(distance) = per_caption.distance() {
        push("distance", &distance);
    }
    if let Some(influence) = &per_caption.influence {
        push("influence", influence);
    }
    for (&name, statistics) in &per_caption.statistics {
        if name != FGD_PAIRED {
            push(name, &statistics.per_image());
        }
    }
    table
}
