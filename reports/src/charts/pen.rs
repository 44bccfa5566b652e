//! What plotters draws with: it writes SVG, and keeps the shapes themselves beside it, of which [`raster`](super::raster) makes
//! pixels.

use plotters::backend::SVGBackend;
use plotters::prelude::*;
use plotters::style::text_anchor::Pos;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform,
};

/// A shape as it was drawn, in units of the picture.
pub struct Shape {
    pub form: Form,
    /// Red, green and blue.
    pub color: [u8; 3],
    /// 0: nothing is seen, 1: nothing behind it is.
    pub alpha: f32,
}

/// What is drawn.
pub enum Form {
    /// The inside of a path, in the notation of SVG.
    Filled(String),
    /// A line of this width along a path.
    Line(String, f32),
    /// Letters about a point.
    Text { text: String, at: BackendCoord, size: f32, bold: bool, anchor: Pos, quarters: u8 },
}

/// See the [module](self).
pub struct Pen<'a> {
    svg: SVGBackend<'a>,
    shapes: &'a mut Vec<Shape>,
}

/// What drawing answers.
type Drawn<'a> = Result<(), DrawingErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> Pen<'a> {
    /// Draws into `svg` and `shapes` on a plane of this size.
    pub fn new(svg: &'a mut String, shapes: &'a mut Vec<Shape>, size: (u32, u32)) -> Self {
        Self { svg: SVGBackend::with_string(svg, size), shapes }
    }

    fn keep(&mut self, color: BackendColor, form: Form) {
        let BackendColor { alpha, rgb: (red, green, blue) } = color;
        self.shapes.push(Shape { form, color: [red, green, blue], alpha: alpha as f32 });
    }

    fn keep_path(&mut self, path: String, style: &impl BackendStyle, fill: bool) {
        let width = style.stroke_width() as f32;
        let form = if fill { Form::Filled(path) } else { Form::Line(path, width) };
        self.keep(style.color(), form);
    }
}

/// Points as a path.
fn path(points: &[BackendCoord]) -> String {
    let step = |(at, (x, y)): (usize, &BackendCoord)| {
        format!("{}{x} {y}", if at == 0 { 'M' } else { 'L' })
    };
    points.iter().enumerate().map(step).collect()
}

impl<'a> DrawingBackend for Pen<'a> {
    type ErrorType = <SVGBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.svg.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.svg.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<'a> {
        self.svg.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Drawn<'a> {
        let (x, y) = at;
        self.keep(color, Form::Filled(format!("M{x} {y}h1v1h-1Z")));
        self.svg.draw_pixel(at, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn<'a> {
        self.keep_path(path(&[from, to]), style, false);
        self.svg.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn<'a> {
        let corners = [from, (to.0, from.1), to, (from.0, to.1)];
        self.keep_path(path(&corners) + "Z", style, fill);
        self.svg.draw_rect(from, to, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn<'a> {
        let points: Vec<BackendCoord> = points.into_iter().collect();
        self.keep_path(path(&points), style, false);
        self.svg.draw_path(points, style)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn<'a> {
        let ((x, y), width) = (center, 2 * radius);
        let arc = |sign| format!("a{radius} {radius} 0 1 0 {sign}{width} 0");
        let path = format!("M{} {y}{}{}Z", x - radius as i32, arc(""), arc("-"));
        self.keep_path(path, style, fill);
        self.svg.draw_circle(center, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        points: I,
        style: &S,
    ) -> Drawn<'a> {
        let points: Vec<BackendCoord> = points.into_iter().collect();
        self.keep_path(path(&points) + "Z", style, true);
        self.svg.fill_polygon(points, style)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Drawn<'a> {
        let quarters = match style.transform() {
            FontTransform::None => 0,
            FontTransform::Rotate90 => 1,
            FontTransform::Rotate180 => 2,
            FontTransform::Rotate270 => 3,
        };
        let form = Form::Text {
            text: text.to_owned(),
            at,
            // As the backend for SVG has it.
            size: (style.size() / 1.24) as f32,
            bold: matches!(style.style(), FontStyle::Bold),
            anchor: style.anchor(),
            quarters,
        };
        self.keep(style.color(), form);
        self.svg.draw_text(text, style, at)
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        self.svg.estimate_text_size(text, style)
    }
}
