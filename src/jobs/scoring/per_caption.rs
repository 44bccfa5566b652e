//! The per-caption table: one row per image, for a data frame.

use fgd_captions::{Cells, Table};
use fgd_metrics::metric::FGD_PAIRED;

use super::numbers::PerCaption;
use super::set::EvalSet;

/// Columns `image_id`, `row`, `caption`, `references` (joined by ` | `), `distance`, `influence`,
/// and one per further metric; those that the job could not know are left out, and the references where they are hidden.
pub fn table(set: &EvalSet, per_caption: &PerCaption, hide_references: bool) -> Table {
    let mut table = Table::default();
    if let Some(texts) = &set.texts {
        table.push("image_id", ids(&texts.ids, texts.ids_are_text));
        table.push("row", Cells::counts(texts.rows.iter().copied()));
        table.push("caption", Cells::text(&texts.candidates));
        if set.image_of.is_some() && !hide_references {
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

/// Image ids in the type that they have in the submission, so that the table joins with it: numbers where all of them are
/// numbers as they are written and the file does not say that they are text.
fn ids(ids: &[String], are_text: bool) -> Cells {
    let number = |id: &String| id.parse::<u64>().ok().filter(|number| number.to_string() == *id);
    match ids.iter().map(number).collect::<Option<Vec<u64>>>() {
        Some(numbers) if !are_text => Cells::counts(numbers),
        _ => Cells::text(ids),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_where_nothing_is_lost_by_it() {
        let owned = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        let of = |texts: &[&str]| ids(&owned(texts), false);
        assert_eq!(ids(&owned(&["1", "20"]), true), Cells::text(["1", "20"]));
        assert_eq!(of(&["1", "20"]), Cells::counts([1, 20]));
        for texts in
            [["1", "007"], ["1", "+2"], ["1", "2.0"], ["1", "a"], ["1", "99999999999999999999"]]
        {
            assert_eq!(of(&texts), Cells::text(texts), "{texts:?}");
        }
    }
}
