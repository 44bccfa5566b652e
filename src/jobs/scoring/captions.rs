//! Every caption of the systems beside each other, for reports: what [`Scorer`](super::Scorer) found, image by image.

use std::collections::{BTreeMap, HashMap};

use fgd_captions::Finding;
use fgd_record::{CaptionNumbers, CaptionTable, ScoreResults, SystemCaptions};
use rayon::prelude::*;

use super::ImageScores;
use super::slices::Grouping;
use crate::jobs::images::Images;

/// Captions that are kept at most, of all systems together: some 200 bytes each.
pub const MOST: usize = 2_000_000;

/// Bytes of a page with all captions, less those of everything else in it.
const PAGE: usize = 7_500_000;
/// Bytes of pictures that even the page of too many captions has.
const LEAST: usize = 1_000_000;
/// Room that no picture fits into.
const FEW: usize = 4_000;
/// Pictures that are made at a time.
const AT_ONCE: usize = 64;

/// Digits of a number of a caption.
const DIGITS: i32 = 6;

/// Gathers the captions of one system after the other.
#[derive(Debug, Default)]
pub struct Gathered {
    table: CaptionTable,
    places: HashMap<String, usize>,
    kept: usize,
}

impl Gathered {
    /// Adds a system. One without texts or of other images than the first has no place beside it, and one beyond
    /// [`MOST`] captions has no room.
    pub fn add(
        &mut self,
        name: &str,
        images: &ImageScores,
        results: &ScoreResults,
        findings: &[Finding],
    ) {
        let Some(texts) = &images.set.texts else { return };
        if self.kept + texts.ids.len() > MOST {
            return;
        }
        if self.table.ids.is_empty() {
            self.begin(images);
        }
        // Where each image of the table stands in the system's own order.
        let mut order = vec![None; self.table.ids.len()];
        for (own, id) in texts.ids.iter().enumerate() {
            match self.places.get(id) {
                Some(&place) => order[place] = Some(own),
                None => return,
            }
        }
        let Some(order) = order.into_iter().collect::<Option<Vec<usize>>>() else { return };
        let mut numbers = Vec::new();
        let mut push = |name: &str, label: &str, higher_is_better, values: Vec<f64>| {
            let known = |own: &usize| values[*own].is_finite().then(|| rounded(values[*own]));
            let values = order.iter().map(known).collect();
            let (name, label) = (name.to_owned(), label.to_owned());
            numbers.push(CaptionNumbers { name, label, higher_is_better, values });
        };
        if let Some(distance) = images.per_caption.distance() {
            push("distance", "distance", Some(false), distance);
        }
        if let Some(influence) = &images.per_caption.influence {
            push("influence", "influence", Some(false), influence.clone());
        }
        for (name, statistics) in &images.per_caption.statistics {
            if let Some(metric) = results.metrics.get(*name) {
                push(name, &metric.label, metric.higher_is_better, statistics.per_image());
            }
        }
        let rows: Vec<u64> = order.iter().map(|&own| texts.rows[own]).collect();
        self.kept += order.len();
        self.table.systems.push(SystemCaptions {
            name: name.to_owned(),
            findings: places_of(findings, &rows),
            rows,
            captions: order.iter().map(|&own| texts.candidates[own].clone()).collect(),
            numbers,
        });
    }

    /// The images of the first system, with what does not depend on the system.
    fn begin(&mut self, images: &ImageScores) {
        let Some(texts) = &images.set.texts else { return };
        self.table.ids.clone_from(&texts.ids);
        self.places =
            (texts.ids.iter().cloned().enumerate()).map(|(place, id)| (id, place)).collect();
        if images.set.image_of.is_some() {
            let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
            self.table.references = images.set.references_of().into_iter().map(owned).collect();
        }
        for grouping in &images.groupings {
            self.group_by(grouping);
        }
    }

    /// Adds a column that groups the images of the first system.
    pub fn group_by(&mut self, grouping: &Grouping) {
        let mut column = vec![String::new(); self.table.ids.len()];
        for (value, places) in &grouping.groups {
            for place in places {
                if let Some(cell) = column.get_mut(*place) {
                    cell.clone_from(value);
                }
            }
        }
        self.table.groups.insert(grouping.column.clone(), column);
    }

    /// Puts the systems in the order of these names.
    pub fn order_by<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let names: Vec<&str> = names.collect();
        let place = |system: &SystemCaptions| names.iter().position(|name| *name == system.name);
        self.table.systems.sort_by_key(place);
    }

    /// The table, with small pictures of the `thumbnails` images that a reader looks at first, or of as many as a page has room
    /// for; `None` where no system has captions.
    pub fn finish(
        self,
        images: Option<&Images>,
        thumbnails: Option<usize>,
    ) -> Option<CaptionTable> {
        let mut table = self.table;
        if let Some(images) = images {
            let first = looked_at_first(&table, thumbnails.unwrap_or(usize::MAX));
            let mut room = thumbnails.map_or_else(|| room_for_pictures(&table), |_| usize::MAX);
            for places in first.chunks(AT_ONCE) {
                let pictures = places.par_iter().filter_map(|place| {
                    let id = &table.ids[*place];
                    Some((id.clone(), images.thumbnail(id)?))
                });
                for (id, jpeg) in pictures.collect::<Vec<_>>() {
                    if let Some(left) = room.checked_sub(id.len() + jpeg.len()) {
                        room = left;
                        table.thumbnails.insert(id, jpeg);
                    }
                }
                if room < FEW {
                    break;
                }
            }
        }
        (!table.systems.is_empty()).then_some(table)
    }
}

/// Bytes that a page has left for pictures: its captions are packed to less than this part of their JSON.
fn room_for_pictures(table: &CaptionTable) -> usize {
    let json = serde_json::to_vec(table).map_or(0, |json| json.len());
    PAGE.saturating_sub(json * 3 / 5).max(LEAST)
}

fn rounded(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let decimals = DIGITS - 1 - value.abs().log10().floor() as i32;
    format!("{value:.*}", decimals.clamp(0, 17) as usize).parse().unwrap_or(value)
}

/// By kind of finding, where in the table it stands.
fn places_of(findings: &[Finding], rows: &[u64]) -> BTreeMap<String, Vec<u64>> {
    let places: HashMap<u64, u64> = (0..).zip(rows).map(|(place, row)| (*row, place)).collect();
    let mut found: BTreeMap<String, Vec<u64>> = Default::default();
    for finding in findings {
        if let Some(place) = finding.row.and_then(|row| places.get(&row)) {
            let places = found.entry(finding.kind.name().to_owned()).or_default();
            if places.last() != Some(place) {
                places.push(*place);
            }
        }
    }
    found
}

/// The images with the largest numbers, with the smallest, and those that the systems tell apart most, in turns.
fn looked_at_first(table: &CaptionTable, count: usize) -> Vec<usize> {
    let columns: Vec<&[Option<f64>]> =
        table.systems.iter().filter_map(|s| Some(s.numbers.first()?.values.as_slice())).collect();
    let at = |place: usize| columns.iter().filter_map(move |column| column[place]);
    let by = |key: &dyn Fn(usize) -> f64| {
        let mut places: Vec<usize> = (0..table.ids.len()).collect();
        places.sort_by(|a, b| key(*b).total_cmp(&key(*a)));
        places
    };
    let high = |place| at(place).fold(f64::NEG_INFINITY, f64::max);
    let low = |place| at(place).fold(f64::INFINITY, f64::min);
    let orders = [by(&high), by(&|place| high(place) - low(place)), by(&|place| -low(place))];
    let mut chosen = Vec::new();
    let mut seen = vec![false; table.ids.len()];
    for rank in 0..table.ids.len() {
        for place in orders.iter().map(|order| order[rank]) {
            if chosen.len() < count && !std::mem::replace(&mut seen[place], true) {
                chosen.push(place);
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_six_digits() {
        assert_eq!(rounded(0.123_456_789), 0.123_457);
        assert_eq!(rounded(-1_234_567.8), -1_234_568.0);
        assert_eq!(rounded(0.0), 0.0);
    }

    #[test]
    fn the_worst_the_best_and_the_contrasts_are_looked_at_first() {
        let system = |values: [f64; 4]| SystemCaptions {
            numbers: vec![CaptionNumbers {
                values: values.map(Some).to_vec(),
                ..CaptionNumbers::default()
            }],
            ..SystemCaptions::default()
        };
        let table = CaptionTable {
            ids: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            systems: vec![system([0.8, 0.1, 0.3, 0.4]), system([0.9, 0.2, 0.9, 0.4])],
            ..CaptionTable::default()
        };
        assert_eq!(looked_at_first(&table, 3), [0, 2, 1]);
        assert_eq!(looked_at_first(&table, 9).len(), 4);
    }
}
