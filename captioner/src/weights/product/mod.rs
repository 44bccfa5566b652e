//! x · Wᵀ on the CPU: `panels`. The way back through W, for training: `back`.

mod back;
mod panels;

use fgd_kernels::{Activation, Level, Panels};

use super::panels::PanelMatrix;

/// What numbers a product multiplies; sums are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// x as it is, with W as it is kept; but in 8 bits x is rounded too.
    Exact,
    /// x rounded as W is, where W is in 8 bits, or in bf16 and the CPU has instructions for that; those CPUs round to bf16 what
    /// attention multiplies.
    Rounded,
}

impl Arithmetic {
    /// Whether products of what is not kept, in attention, are of bf16: where the CPU has instructions for them.
    pub fn multiplies_halves(self) -> bool {
        self == Arithmetic::Rounded && Level::current().has_bf16()
    }
}

/// Another matrix as large as the result, and what is done with it.
#[derive(Clone, Copy)]
pub enum With<'a> {
    /// Added.
    Sum(&'a [f32]),
    /// Multiplied, element by element.
    Product(&'a [f32]),
    /// What was in the result's place before, which is added.
    Before,
}

/// What becomes of a finished product, one after the other.
#[derive(Clone, Copy, Default)]
pub struct After<'a> {
    /// Added to every row; may be empty.
    pub bias: &'a [f32],
    /// The activation.
    pub activation: Option<Activation>,
    /// Added, or multiplied.
    pub with: Option<With<'a>>,
}

impl After<'_> {
    /// y becomes the part of the result that begins at element `at`, all but `with` being done.
    fn join(&self, y: &mut [f32], at: usize) {
        match self.with {
            Some(With::Sum(other)) => {
                y.iter_mut().zip(&other[at..]).for_each(|(y, other)| *y += other);
            }
            Some(With::Product(other)) => {
                y.iter_mut().zip(&other[at..]).for_each(|(y, other)| *y *= other);
            }
            Some(With::Before) | None => {}
        }
    }
}

/// Memory that products work in, kept from one to the next.
#[derive(Default)]
pub struct Room {
    words: Vec<i32>,
}

/// x [m, cols] · wᵀ, and what comes `after` → [m, rows], row-major. A row's result is the same to the bit whatever rows are
/// beside it.
pub fn product(x: &[f32], w: &PanelMatrix, arithmetic: Arithmetic, after: After) -> Vec<f32> {
    let [out] = products(x, [w], arithmetic, [after]);
    out
}

/// [`product`] with each of some matrices, in one pass where x has few rows.
pub fn products<const N: usize>(
    x: &[f32],
    all: [&PanelMatrix; N],
    arithmetic: Arithmetic,
    after: [After; N],
) -> [Vec<f32>; N] {
    let mut out = all.map(|w| vec![0f32; x.len() / w.cols().max(1) * w.rows()]);
    let results = out.each_mut().map(Vec::as_mut_slice);
    products_into(x, all, arithmetic, after, &mut Room::default(), results);
    out
}

/// [`products`] into memory that is there.
pub fn products_into<const N: usize>(
    x: &[f32],
    all: [&PanelMatrix; N],
    arithmetic: Arithmetic,
    after: [After; N],
    room: &mut Room,
    out: [&mut [f32]; N],
) {
    if !x.is_empty() {
        panels::products(x, all.map(|w| w.panels(arithmetic)), after, &mut room.words, out);
    }
}

/// x [m, k] · wᵀ → [m, n] with panels of other weights than a checkpoint's.
pub fn product_with(x: &[f32], w: Panels) -> Vec<f32> {
    if x.is_empty() {
        return Vec::new();
    }
    let mut out = vec![0f32; x.len() / w.sizes()[1] * w.sizes()[0]];
    panels::products(x, [w], [After::default()], &mut Vec::new(), [&mut out]);
    out
}

/// dy [m, rows] · w → [m, cols], row-major: what a gradient behind [`product`] is worth before it.
pub fn product_back(dy: &[f32], w: &PanelMatrix, arithmetic: Arithmetic) -> Vec<f32> {
    if dy.is_empty() {
        return Vec::new();
    }
    back::product(dy, w.panels(arithmetic))
}
