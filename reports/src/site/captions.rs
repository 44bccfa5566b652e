//! The captions of a page: packed for the script that searches them, and the worst and the best as plain tables for readers
//! without one.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fgd_record::{CaptionNumbers, CaptionTable, SystemCaptions};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use minijinja::{Value, context};

use super::images;
use super::section::is_base64;
use crate::document::number::value;
use crate::document::{Cell, Table, visible};

/// Rows of a plain table.
const PLAIN: usize = 50;
/// Systems side by side at most; the others have pages of their own.
const MOST_BESIDE: usize = 8;

/// What the template takes. `id` makes names unique in the page.
pub fn view(table: &CaptionTable, id: &str) -> Value {
    let mut table = shown(table);
    let left_out = table.systems.len().saturating_sub(MOST_BESIDE);
    table.systems.truncate(MOST_BESIDE);
    let thumbnails = std::mem::take(&mut table.thumbnails);
    // Inside a script element only this character could end it.
    let thumbnails = serde_json::to_string(&thumbnails).unwrap_or_default().replace('<', "\\u003c");
    context! {
        block => "captions",
        title => "Captions",
        id,
        left_out,
        packed => Value::from_safe_string(packed(&table)),
        thumbnails => Value::from_safe_string(thumbnails),
        plain => plain(&table),
    }
}

/// The table with all its texts fit to be shown.
fn shown(table: &CaptionTable) -> CaptionTable {
    let all = |texts: &Vec<String>| texts.iter().map(|text| visible(text)).collect();
    let system = |system: &SystemCaptions| SystemCaptions {
        name: visible(&system.name),
        captions: all(&system.captions),
        ..system.clone()
    };
    let groups = table.groups.iter();
    let thumbnails = table.thumbnails.iter();
    CaptionTable {
        ids: all(&table.ids),
        references: table.references.iter().map(all).collect(),
        groups: groups.map(|(name, column)| (visible(name), all(column))).collect(),
        systems: table.systems.iter().map(system).collect(),
        thumbnails: thumbnails
            .filter_map(|(id, picture)| Some((visible(id), address(picture)?)))
            .collect(),
    }
}

/// Where a picture is found: in the page itself, or in a file beside it.
fn address(picture: &str) -> Option<String> {
    match picture {
        jpeg if is_base64(jpeg) => Some(format!("data:image/jpeg;base64,{jpeg}")),
        file if images::is_file(file) => Some(file.to_owned()),
        _ => None,
    }
}

/// Base64 of deflated JSON.
fn packed(table: &CaptionTable) -> String {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::new(7));
    let json = serde_json::to_vec(table).unwrap_or_default();
    // Memory takes every write.
    let written = deflated.write_all(&json).and_then(|()| deflated.finish());
    STANDARD.encode(written.unwrap_or_default())
}

/// The worst and the best captions of a system; of several, where the second is ahead of the first by most and the reverse.
fn plain(table: &CaptionTable) -> Vec<Table> {
    let mut places: Vec<usize> = (0..table.ids.len()).collect();
    match table.systems.as_slice() {
        [] => Vec::new(),
        [system] => {
            let Some(column) = system.numbers.first() else {
                places.truncate(PLAIN);
                return vec![of_one(table, system, "The first captions", &places)];
            };
            let sign = if column.higher_is_better == Some(true) { -1.0 } else { 1.0 };
            by(&mut places, |place| Some(-sign * column.values[place]?));
            let worst = of_one(table, system, "The worst", first(&places));
            places.reverse();
            vec![worst, of_one(table, system, "The best", first(&places))]
        }
        [one, other, ..] => {
            let Some((a, b)) = one.numbers.first().zip(other.numbers.first()) else {
                places.truncate(PLAIN);
                return vec![of_two(table, [one, other], "The first captions", &places)];
            };
            let sign = if a.higher_is_better == Some(true) { -1.0 } else { 1.0 };
            by(&mut places, |place| Some(-sign * (a.values[place]? - b.values[place]?)));
            let title = format!("Where {} beats {} by most", other.name, one.name);
            let ahead = of_two(table, [one, other], &title, first(&places));
            places.reverse();
            let title = format!("Where {} beats {} by most", one.name, other.name);
            vec![ahead, of_two(table, [one, other], &title, first(&places))]
        }
    }
}

/// Orders the places that have a number; the others are left out.
fn by(places: &mut Vec<usize>, key: impl Fn(usize) -> Option<f64>) {
    let mut known: Vec<(f64, usize)> =
        places.iter().filter_map(|place| Some((key(*place)?, *place))).collect();
    known.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    *places = known.into_iter().map(|(_, place)| place).collect();
}

fn first(places: &[usize]) -> &[usize] {
    &places[..places.len().min(PLAIN)]
}

fn number(column: Option<&CaptionNumbers>, place: usize) -> Cell {
    let number = column.and_then(|column| column.values[place]);
    Cell::new(value(number, Some(0.01)), number)
}

fn references(table: &CaptionTable, place: usize) -> String {
    table.references.get(place).map(|texts| texts.join(" | ")).unwrap_or_default()
}

fn of_one(table: &CaptionTable, system: &SystemCaptions, title: &str, places: &[usize]) -> Table {
    let mut columns = Table::of(title, places.iter().copied())
        .text("id", |place| &table.ids[place])
        .text("caption", |place| &system.captions[place])
        .text("references", |place| references(table, place));
    for column in system.numbers.iter().take(2) {
        columns = columns.number(&column.label, |place| number(Some(column), place));
    }
    columns.into()
}

fn of_two(
    table: &CaptionTable,
    systems: [&SystemCaptions; 2],
    title: &str,
    places: &[usize],
) -> Table {
    let mut columns =
        Table::of(title, places.iter().copied()).text("id", |place| &table.ids[place]);
    for system in systems {
        let column = system.numbers.first();
        columns = columns
            .text(&system.name, |place| &system.captions[place])
            .number(column.map_or("", |column| &column.label), |place| number(column, place));
    }
    columns.text("references", |place| references(table, place)).into()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::DeflateDecoder;

    use super::*;

    fn table(images: usize, systems: usize) -> CaptionTable {
        let ids = || (0..images).map(|image| format!("{image:06}.jpg"));
        let system = |system: usize| SystemCaptions {
            name: format!("system {system}"),
            rows: (1..=images as u64).collect(),
            captions: ids().map(|id| format!("a \u{202e} caption of {id}")).collect(),
            numbers: vec![CaptionNumbers {
                name: "distance".into(),
                label: "distance".into(),
                higher_is_better: Some(false),
                values: (0..images)
                    .map(|image| Some((image * (system + 1)) as f64 / 1e4))
                    .collect(),
            }],
            ..SystemCaptions::default()
        };
        CaptionTable {
            ids: ids().collect(),
            systems: (0..systems).map(system).collect(),
            thumbnails: [("</script>".to_owned(), "QUJD".to_owned())].into(),
            ..CaptionTable::default()
        }
    }

    #[test]
    fn what_is_packed_is_read_again_with_its_texts_made_visible() {
        let table = table(300, 2);
        let deflated = STANDARD.decode(packed(&shown(&table))).unwrap();
        let mut json = String::new();
        DeflateDecoder::new(deflated.as_slice()).read_to_string(&mut json).unwrap();
        let read: CaptionTable = serde_json::from_str(&json).unwrap();
        assert_eq!(read.systems[1].captions[7], "a \\u{202e} caption of 000007.jpg");
        assert_eq!(read.systems[1].numbers, table.systems[1].numbers);
    }

    #[test]
    fn plain_tables_hold_the_worst_and_the_best() {
        let ids =
            |table: &Table| [&table.rows[0][0].text, &table.rows[49][0].text].map(String::clone);
        let [worst, best] = plain(&table(300, 1)).try_into().unwrap();
        assert_eq!((worst.rows.len(), best.rows.len()), (50, 50));
        assert_eq!(ids(&worst), ["000299.jpg", "000250.jpg"]);
        assert_eq!(ids(&best), ["000000.jpg", "000049.jpg"]);
        let [second, first] = plain(&table(300, 3)).try_into().unwrap();
        assert_eq!(first.title, "Where system 0 beats system 1 by most");
        assert_eq!(ids(&first), ["000299.jpg", "000250.jpg"]);
        assert_eq!(ids(&second)[0], "000000.jpg");
        assert_eq!(plain(&table(3, 1))[0].rows.len(), 3);
    }

    #[test]
    fn captions_without_the_number_are_neither_the_worst_nor_the_best() {
        let mut table = table(3, 2);
        table.systems[1].numbers[0].values[2] = None;
        for plain in plain(&table) {
            let ids = plain.rows.iter().map(|row| row[0].text.as_str());
            assert!(!ids.clone().any(|id| id == "000002.jpg") && ids.count() == 2);
        }
        table.systems.remove(0);
        assert!(plain(&table).iter().all(|plain| plain.rows.len() == 2));
    }

    #[test]
    fn more_systems_than_fit_beside_each_other_are_counted() {
        let view = view(&table(2, 11), "c");
        assert_eq!(view.get_attr("left_out").unwrap().as_usize(), Some(3));
        assert!(!view.get_attr("thumbnails").unwrap().to_string().contains('<'));
    }
}
