//! Two rankings side by side, a line for the way of each row from one to the other.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Canvas, INK, MUTED, SERIES, SIDE, WIDTH, letters, write};
use crate::document::width::clipped;

const TOP: i32 = 40;
/// Height of a rank.
const ROW: i32 = 28;
/// Letters of a name beside its rank.
const NAME: usize = 20;

/// Draws a line per row: blue up, orange down, grey where the rank stays.
pub fn draw(names: &[String; 2], rows: &[(String, [u64; 2])]) -> Option<Canvas> {
    let places = |side: usize| {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&row| (rows[row].1[side], row));
        // Rows of one rank stand below each other.
        let mut place = vec![0; rows.len()];
        for (at, row) in order.into_iter().enumerate() {
            place[row] = at as i32;
        }
        place
    };
    let (left, right) = (places(0), places(1));
    let [x0, x1] = [SIDE as i32 + 34, WIDTH as i32 - 220];
    let height = (TOP + ROW * rows.len() as i32 + 8) as u32;
    (!rows.is_empty()).then_some(())?;
    Canvas::draw(height, |area, marks| {
        let middle = Pos::new(HPos::Center, VPos::Center);
        for (name, x) in names.iter().zip([x0, x1]) {
            area.draw(&Text::new(name.as_str(), (x, 16), letters(&MUTED).pos(middle)))?;
        }
        for (row, (label, ranks)) in rows.iter().enumerate() {
            let y = |place: i32| TOP + ROW * place + ROW / 2;
            let (from, to) = (y(left[row]), y(right[row]));
            let color = match ranks[0].cmp(&ranks[1]) {
                std::cmp::Ordering::Greater => SERIES[0],
                std::cmp::Ordering::Less => SERIES[1],
                std::cmp::Ordering::Equal => MUTED,
            };
            area.draw(&PathElement::new([(x0, from), (x1, to)], color.stroke_width(3)))?;
            for point in [(x0, from), (x1, to)] {
                area.draw(&Circle::new(point, 5, color.filled()))?;
            }
            let rank = letters(&INK).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(ranks[0].to_string(), (x0 - 12, from), rank))?;
            let name = format!("{} {}", ranks[1], clipped(label, NAME));
            write(area, &name, (x1 + 12, to), HPos::Left)?;
            let text = format!("{label}: {} {}, {} {}", names[0], ranks[0], names[1], ranks[1]);
            marks.within((x1 - 10, to - 12), (WIDTH as i32 - 4, to + 12), text);
        }
        Ok(())
    })
}
