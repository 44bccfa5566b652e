//! What all pictures share: size, colours, letters, and the way into a page.

use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::pen::{Pen, Shape};
use super::raster::Pixels;
use crate::document::escaped;
use crate::document::width::clipped;

/// Width of every picture.
pub const WIDTH: u32 = 420;
/// Height that the labels and the name of the x-axis take.
pub const X_AXIS: u32 = 48;
/// Space on both sides of the plot.
pub const SIDE: u32 = 24;

/// Height of a row with a name above and its picture below.
pub const ROW: u32 = 44;
/// Letters of a name that fit beside a value.
const NAME: usize = 28;
/// Height of the lines below a picture that stands alone.
const BELOW: u32 = 64;
/// Letters of a line below it.
const LINE: usize = 42;

/// Lines and letters that matter. The sheet of the page finds every colour by its value here and puts its own for it,
/// light or dark.
pub const INK: RGBColor = RGBColor(0x1F, 0x23, 0x28);
/// Letters of axes.
pub const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6E);
/// Lines of the grid.
pub const GRID: RGBColor = RGBColor(0xD8, 0xDE, 0xE4);
/// Series, of the palette of Okabe & Ito, which the colour-blind can tell apart.
pub const SERIES: [RGBColor; 3] =
    [RGBColor(0x00, 0x72, 0xB2), RGBColor(0xE6, 0x9F, 0x00), RGBColor(0x00, 0x9E, 0x73)];

/// The plane that pictures are drawn on.
pub type Area<'a> = DrawingArea<Pen<'a>, Shift>;

/// Axes and grid on that plane.
pub type Mesh<'a, 'b, 's> = MeshStyle<'a, 'b, RangedCoordf64, RangedCoordf64, Pen<'s>>;

/// A plane with coordinates.
pub type Plane<'r, 'a> = ChartContext<'r, Pen<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// What drawing to memory answers.
pub type Drawn<'a> = Result<(), DrawingAreaErrorKind<<Pen<'a> as DrawingBackend>::ErrorType>>;

/// A finished picture.
pub struct Canvas {
    svg: String,
    shapes: Vec<Shape>,
    height: u32,
    marks: Marks,
}

/// What a reader can point at: places of the picture with what they say.
#[derive(Default)]
pub struct Marks(Vec<([i32; 4], String)>);

impl Marks {
    /// A place about a point.
    pub fn at(&mut self, (x, y): (i32, i32), text: impl Into<String>) {
        self.within((x - 8, y - 8), (x + 8, y + 8), text);
    }

    /// A place between two corners.
    pub fn within(&mut self, (x0, y0): (i32, i32), (x1, y1): (i32, i32), text: impl Into<String>) {
        let corner = [x0.min(x1), y0.min(y1)];
        let size = [(x1 - x0).abs().max(2), (y1 - y0).abs().max(2)];
        self.0.push(([corner[0], corner[1], size[0], size[1]], text.into()));
    }

    fn finish(&self) -> String {
        let mark = |([x, y, width, height], text): &([i32; 4], String)| {
            format!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"><title>{}</title></rect>\n",
                escaped(text)
            )
        };
        format!(
            "<g class=\"marks\" fill=\"none\">{}</g>",
            self.0.iter().map(mark).collect::<String>()
        )
    }
}

/// Letters of the common size.
pub fn letters(color: &RGBColor) -> TextStyle<'_> {
    ("sans-serif", 19).into_font().color(color)
}

/// Writes a text beside a point, at the height of its middle.
pub fn write<'a>(area: &Area<'a>, text: &str, at: (i32, i32), side: HPos) -> Drawn<'a> {
    let style = letters(&INK).pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(text, at, style))
}

/// Writes the name of a tick at a point of its axis.
pub fn label<'a>(area: &Area<'a>, text: &str, at: (i32, i32), pos: Pos) -> Drawn<'a> {
    area.draw(&Text::new(text, at, letters(&MUTED).pos(pos)))
}

/// Writes the name of a row on the left and its value on the right.
pub fn write_row<'a>(area: &Area<'a>, name: &str, value: &str, y: i32) -> Drawn<'a> {
    let strong = ("sans-serif", 19, FontStyle::Bold).into_font().color(&INK);
    let strong = strong.pos(Pos::new(HPos::Right, VPos::Center));
    area.draw(&Text::new(value, ((WIDTH - SIDE) as i32, y), strong))?;
    match name {
        "" => Ok(()),
        name => write(area, &clipped(name, NAME), (SIDE as i32, y), HPos::Left),
    }
}

/// An arrow at the end of an axis: the value lies beyond.
pub fn arrow<'a>(area: &Area<'a>, x: i32, y: i32, to_the_right: bool) -> Drawn<'a> {
    let back = if to_the_right { -12 } else { 12 };
    let head = vec![(x, y), (x + back, y - 6), (x + back, y + 6)];
    area.draw(&Polygon::new(head, SERIES[1].filled()))
}

/// Rows one below the other over one axis, the first on top; `top` above them stays free.
pub fn rows<'r, 'a>(
    area: &'r Area<'a>,
    top: u32,
    count: usize,
    (low, high): (f64, f64),
    axis: &str,
) -> Result<Plane<'r, 'a>, DrawingAreaErrorKind<<Pen<'a> as DrawingBackend>::ErrorType>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(top)
        .margin_left(SIDE)
        .margin_right(SIDE)
        .x_label_area_size(X_AXIS)
        .build_cartesian_2d(low..high, 0.0..count as f64)?;
    quiet(&mut chart.configure_mesh())
        .disable_y_mesh()
        .disable_y_axis()
        .x_labels(5)
        .x_label_formatter(&|x| tick(*x, high - low))
        .x_desc(axis)
        .draw()?;
    Ok(chart)
}

/// Axes and grid as all pictures have them.
pub fn quiet<'m, 'a, 'b, 's>(mesh: &'m mut Mesh<'a, 'b, 's>) -> &'m mut Mesh<'a, 'b, 's> {
    mesh.bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .axis_style(GRID)
        .label_style(letters(&MUTED))
        .axis_desc_style(letters(&MUTED))
}

impl Canvas {
    /// Draws on a new plane. `None` where plotters refuses, which no finite range makes it do.
    pub fn draw(
        height: u32,
        draw: impl for<'a> FnOnce(&Area<'a>, &mut Marks) -> Drawn<'a>,
    ) -> Option<Self> {
        let (mut svg, mut shapes) = (String::new(), Vec::new());
        let mut marks = Marks::default();
        let drawn = {
            let pen = Pen::new(&mut svg, &mut shapes, (WIDTH, height));
            let area = pen.into_drawing_area();
            draw(&area, &mut marks).and_then(|()| area.present())
        };
        drawn.ok().map(|()| Canvas { svg, shapes, height, marks })
    }

    /// The picture as an element of a page, inside one with its name and its description.
    pub fn finish(self, id: &str, title: &str, description: &str) -> String {
        let Canvas { svg, height, marks, .. } = self;
        let marks = marks.finish();
        let (title, description) = (escaped(title), escaped(description));
        format!(
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-desc\">{description}</desc>\n{svg}{marks}</svg>"
        )
    }

    /// The picture with two lines below, for a place that says nothing of it. `None` as for [`Canvas::draw`].
    pub fn with_lines(mut self, strong: &str, quiet: &str) -> Option<Self> {
        let top = self.height as i32;
        self.height += BELOW;
        let below = Canvas::draw(self.height, |area, _| {
            let left = Pos::new(HPos::Left, VPos::Center);
            let bold = ("sans-serif", 19, FontStyle::Bold).into_font().color(&INK).pos(left);
            area.draw(&Text::new(clipped(strong, LINE), (SIDE as i32, top + 20), bold))?;
            label(area, &clipped(quiet, LINE), (SIDE as i32, top + 46), left)
        })?;
        self.svg.push_str(&below.svg);
        self.shapes.extend(below.shapes);
        Some(self)
    }

    /// The picture as the file of a PNG, on white.
    pub fn png(&self) -> Option<Vec<u8>> {
        Pixels::of(&self.shapes, (WIDTH, self.height)).png()
    }
}

/// A range with room around its values. `None` where a value is not finite or there is none.
pub fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let spread = high - low;
    if !spread.is_finite() || low.abs().max(high.abs()) > 1e12 {
        return None;
    }
    let room = if spread > 1e-12 { 0.06 * spread } else { 0.5 * high.abs().max(1e-3) };
    Some((low - room, high + room))
}

/// The text of a tick on an axis of this length.
pub fn tick(value: f64, length: f64) -> String {
    let decimals = (1.0 - (length / 2.0).log10()).ceil().clamp(0.0, 9.0) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    } else {
        text
    };
    if text == "-0" { "0".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sheet_knows_every_colour() {
        let sheet = include_str!("../../assets/site.css");
        for RGBColor(r, g, b) in SERIES.into_iter().chain([INK, MUTED, GRID]) {
            for property in ["fill", "stroke"] {
                let rule = format!("[{property}=\"#{r:02X}{g:02X}{b:02X}\"] {{ {property}: var(");
                assert!(sheet.contains(&rule), "{rule}");
            }
        }
    }

    #[test]
    fn ranges_leave_room_and_refuse_what_is_not_finite() {
        assert_eq!(range([0.0, 1.0].into_iter()), Some((-0.06, 1.06)));
        assert_eq!(range([2.0].into_iter()), Some((1.0, 3.0)));
        assert_eq!(range([f64::NAN, f64::INFINITY].into_iter()), None);
        assert_eq!(range(std::iter::empty()), None);
    }

    #[test]
    fn ticks_have_as_many_digits_as_the_axis_needs() {
        assert_eq!(tick(0.15, 0.4), "0.15");
        assert_eq!(tick(20.0, 100.0), "20");
        assert_eq!(tick(-0.0, 1.0), "0");
    }
}
