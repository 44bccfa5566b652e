//! Shapes as the pixels of a PNG, on white: for places that show no SVG. The letters are those of DejaVu Sans, which is part of the
//! program, so that a picture is the same on every machine; what it has no letter for is a box.

use plotters::style::text_anchor::{HPos, Pos, VPos};
use ttf_parser::{Face, OutlineBuilder};
use zeno::{
    Angle, Cap, Command, Fill, Join, Mask, PathBuilder, PathData, Placement, Stroke, Style,
    Transform,
};

use super::pen::{Form, Shape};

/// Pixels per unit of the picture.
const SCALE: u32 = 3;
/// Width of what keeps lines away from letters, half of it outside of them.
const HALO: f32 = 5.0;
/// Height of a small letter of the font, in parts of its size.
const X_HEIGHT: f32 = 0.547;

/// The pixels of a picture of this size in units.
pub struct Pixels {
    width: u32,
    height: u32,
    /// Red, green and blue of every pixel, row by row.
    rgb: Vec<u8>,
}

impl Pixels {
    /// Draws the shapes one over the other.
    pub fn of(shapes: &[Shape], (width, height): (u32, u32)) -> Self {
        let (width, height) = (SCALE * width, SCALE * height);
        let mut pixels =
            Self { width, height, rgb: vec![255; 3 * width as usize * height as usize] };
        for shape in shapes {
            pixels.draw(shape);
        }
        pixels
    }

    /// The picture as a file.
    pub fn png(&self) -> Option<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().ok()?.write_image_data(&self.rgb).ok()?;
        Some(file)
    }

    fn draw(&mut self, shape: &Shape) {
        match &shape.form {
            Form::Filled(path) => self.cover(shape, path.as_str(), Fill::NonZero, scaled()),
            Form::Line(path, width) => {
                let mut line = Stroke::new(*width);
                self.cover(shape, path.as_str(), *line.join(Join::Round).cap(Cap::Butt), scaled());
            }
            Form::Text { text, at, size, bold, anchor, quarters } => {
                let Some(letters) = Letters::of(text, *bold, *size, anchor) else { return };
                let turned = Transform::rotation(Angle::from_degrees(90.0 * f32::from(*quarters)));
                let placed = turned.then_translate(at.0 as f32, at.1 as f32);
                let placed = placed.then_scale(SCALE as f32, SCALE as f32);
                // As in a page: no line of the grid runs through letters.
                let halo = Shape { form: Form::Filled(String::new()), color: [255; 3], alpha: 1.0 };
                let mut about = Stroke::new(HALO);
                self.cover(&halo, &letters.0, *about.join(Join::Round), placed);
                self.cover(shape, &letters.0, Fill::NonZero, placed);
            }
        }
    }

    /// Colours what a path covers.
    fn cover<'s>(
        &mut self,
        shape: &Shape,
        path: impl PathData,
        style: impl Into<Style<'s>>,
        placed: Transform,
    ) {
        let (mask, Placement { left, top, width, height }) =
            Mask::new(path).style(style).transform(Some(placed)).render();
        for (at, covered) in mask.into_iter().enumerate().filter(|(_, covered)| *covered > 0) {
            let x = left + (at as u32 % width) as i32;
            let y = top + (at as u32 / width) as i32;
            debug_assert!(at as u32 / width < height);
            if x < 0 || y < 0 || x >= self.width as i32 || y >= self.height as i32 {
                continue;
            }
            let share = f32::from(covered) / 255.0 * shape.alpha;
            let first = 3 * (y as usize * self.width as usize + x as usize);
            for (pixel, color) in self.rgb[first..first + 3].iter_mut().zip(shape.color) {
                let mixed = f32::from(*pixel) + share * (f32::from(color) - f32::from(*pixel));
                *pixel = mixed.round() as u8;
            }
        }
    }
}

fn scaled() -> Transform {
    Transform::scale(SCALE as f32, SCALE as f32)
}

/// The outlines of a text about the point 0.
struct Letters(Vec<Command>);

impl Letters {
    /// `None` without the font, which is part of the program.
    fn of(text: &str, bold: bool, size: f32, anchor: &Pos) -> Option<Self> {
        let font = if bold { dejavu::sans::bold() } else { dejavu::sans::regular() };
        let face = Face::parse(font, 0).ok()?;
        let unit = size / f32::from(face.units_per_em());
        let glyphs = text.chars().map(|c| face.glyph_index(c).unwrap_or_default());
        let glyphs: Vec<_> = glyphs
            .map(|id| (id, f32::from(face.glyph_hor_advance(id).unwrap_or(0)) * unit))
            .collect();
        let length: f32 = glyphs.iter().map(|(_, width)| width).sum();
        let start = match anchor.h_pos {
            HPos::Left => 0.0,
            HPos::Center => -length / 2.0,
            HPos::Right => -length,
        };
        let base = match anchor.v_pos {
            VPos::Top => 0.76 * size,
            VPos::Center => 0.5 * X_HEIGHT * size,
            VPos::Bottom => -0.5 * X_HEIGHT * size,
        };
        let mut outline = Outline { path: Vec::new(), from: (start, base), unit };
        for (id, width) in glyphs {
            face.outline_glyph(id, &mut outline);
            outline.from.0 += width;
        }
        Some(Self(outline.path))
    }
}

/// Takes the outline of one letter after the other.
struct Outline {
    path: Vec<Command>,
    /// Where the letter stands on its line.
    from: (f32, f32),
    /// Size of a unit of the font.
    unit: f32,
}

impl Outline {
    /// A point of the font, whose y grows upwards.
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        [self.from.0 + self.unit * x, self.from.1 - self.unit * y]
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.path.move_to(to);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let to = self.at(x, y);
        self.path.line_to(to);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let (by, to) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(by, to);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let (by, then, to) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.curve_to(by, then, to);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(pixels: &Pixels, x: u32, y: u32) -> [u8; 3] {
        let first = 3 * (y * pixels.width + x) as usize;
        [0, 1, 2].map(|part| pixels.rgb[first + part])
    }

    #[test]
    fn shapes_lie_where_they_were_drawn_and_letters_about_their_point() {
        let shape = |form, alpha| Shape { form, color: [0, 0, 200], alpha };
        let text = |at, quarters| Form::Text {
            text: "II".into(),
            at,
            size: 20.0,
            bold: true,
            anchor: Pos::new(HPos::Center, VPos::Center),
            quarters,
        };
        let pixels = Pixels::of(
            &[
                shape(Form::Filled("M0 0H10V10H0Z".into()), 0.5),
                shape(Form::Line("M20 5L40 5".into(), 2.0), 1.0),
                shape(text((60, 20), 0), 1.0),
                shape(text((20, 25), 1), 1.0),
            ],
            (80, 40),
        );
        assert_eq!((pixels.width, pixels.height), (240, 120));
        assert_eq!((at(&pixels, 15, 15), at(&pixels, 45, 45)), ([128, 128, 228], [255; 3]));
        assert_eq!((at(&pixels, 90, 15), at(&pixels, 90, 24)), ([0, 0, 200], [255; 3]));
        let inked = |xs: std::ops::Range<u32>, ys: std::ops::Range<u32>| {
            let places: Vec<(u32, u32)> = xs
                .flat_map(|x| ys.clone().map(move |y| (x, y)))
                .filter(|(x, y)| at(&pixels, *x, *y) != [255; 3])
                .collect();
            let ends = |of: fn(&(u32, u32)) -> u32| {
                let (low, high) = (places.iter().map(of).min(), places.iter().map(of).max());
                low.zip(high).expect("ink")
            };
            (ends(|place| place.0), ends(|place| place.1))
        };
        // Two upright strokes: higher than the pair is wide, their middle at the point; turned by a quarter the other way round.
        let ((left, right), (top, bottom)) = inked(120..240, 0..120);
        assert!((179..=182).contains(&((left + right) / 2)), "{left} {right}");
        assert!(bottom - top > 35 && right - left < 45, "{left} {right} {top} {bottom}");
        let ((left, right), (top, bottom)) = inked(0..110, 35..120);
        assert!(right - left > 35 && bottom - top < 45, "{left} {right} {top} {bottom}");
    }

    #[test]
    fn a_letter_that_the_font_lacks_is_a_box() {
        let anchor = Pos::new(HPos::Left, VPos::Top);
        assert!(!Letters::of("\u{4e2d}", false, 20.0, &anchor).unwrap().0.is_empty());
        assert!(Letters::of(" ", false, 20.0, &anchor).unwrap().0.is_empty());
    }
}
