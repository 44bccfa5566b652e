//! Products of inputs with weights that lie in panels of 32 outputs, once and for all, in one of several [`Form`]s: one row
//! streams them from memory, 16 rows hardly cost more, and many run at the rate of the arithmetic. A sum has one order, so a
//! row's result depends neither on the rows beside it nor on how many there are.

mod bytes;
mod form;
mod halves;
mod singles;
mod strip;
mod tile;
mod transpose;
mod weights;
mod wide;

use std::marker::PhantomData;
use std::ops::Range;

use super::activation::{self, Activation};
use super::amx::{Blocks, Registers};
use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};
use super::row;
use bytes::Bytes;
use form::{Numbers, with_numbers};
use halves::Halves;
use singles::Singles;
use tile::Tile;
use wide::Wide;

pub use form::Form;
pub use weights::Panels;

/// Words that the weights of a single turn are fetched ahead, so that they arrive while others are multiplied.
const AHEAD: usize = 2048;

/// Turns of tiles that go through the blocks of a panel together, and so many inputs at a time.
const FEW: usize = 4;
const PART: usize = 256;

/// Rows beyond which weights are widened once for all of them.
const MANY: usize = 24;

/// Blocks that are widened together: they and some rows stay in the first-level cache.
const WIDE: usize = 6;

/// Outputs of a panel.
pub const PANEL: usize = 2 * LANES;

/// output (+)= input · weights\[inner\]ᵀ for some panels of outputs of all rows; activation(that + bias) with the last inputs.
pub struct PanelProduct<'a> {
    /// Rows of these inputs, as [`Form::round`] writes them.
    pub input: &'a [i32],
    /// The weights.
    pub weights: Panels<'a>,
    /// The panels to compute.
    pub panels: Range<usize>,
    /// The inputs: from the start of a block to the end of one or the last input. The output holds the sums over those
    /// before.
    pub inner: Range<usize>,
    /// One value for each of these outputs, or none at all; what is missing at the end counts as 0.
    pub bias: &'a [f32],
    /// What follows the bias.
    pub activation: Option<Activation>,
    /// Rows of [`PANEL`] values for each panel.
    pub output: &'a mut [f32],
}

impl Level {
    /// See [`PanelProduct`].
    pub fn panel_product(self, product: PanelProduct) {
        let registers = self.amx();
        with_numbers!(product.weights.form(), N => {
            self.run(Product::<N, _> { product, registers, numbers: PhantomData });
        });
    }
}

struct Product<'a, N, R> {
    product: PanelProduct<'a>,
    registers: Option<R>,
    numbers: PhantomData<N>,
}

impl<N: Numbers, R: Registers> Kernel for Product<'_, N, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let PanelProduct { input, weights, panels, inner, bias, activation, output } = self.product;
        let inner = inner.start..inner.end.next_multiple_of(N::BLOCK);
        assert!(inner.start.is_multiple_of(N::BLOCK) && inner.end <= weights.inputs());
        let blocks = inner.start / N::BLOCK..inner.end / N::BLOCK;
        let (width, stride) = (blocks.len() * N::INPUT, panels.len() * PANEL);
        let rows = input.len() / width.max(1);
        assert_eq!(input.len(), rows * width, "rows are as wide as the weights");
        assert_eq!(output.len(), rows * stride, "there is room for the rows");
        if rows == 0 {
            return;
        }
        let many = N::WIDENED && rows > MANY;
        let mut registers = self.registers.filter(|_| N::BLOCKS).map(Blocks::new);
        let mut wide = [0; WIDE * Singles::WEIGHT];
        for (at, panel) in panels.clone().enumerate() {
            let whole = weights.panel(panel);
            let own = &whole[blocks.start * N::WEIGHT..blocks.end * N::WEIGHT];
            let next = if at + 1 < panels.len() {
                weights.panel(panel + 1)[blocks.start * N::WEIGHT..].as_ptr()
            } else if inner.end < weights.inputs() {
                weights.panel(panels.start)[blocks.end * N::WEIGHT..].as_ptr()
            } else {
                whole.as_ptr_range().end
            };
            let output = &mut output[at * PANEL..];
            let mut pass = Pass { input, width, rows, output, stride, proceed: blocks.start > 0 };
            if let Some(registers) = &mut registers {
                pass.run_in_registers::<N, I, _>(isa, registers, own);
            } else if many {
                for (piece, own) in own.chunks(WIDE * N::WEIGHT).enumerate() {
                    let wide = &mut wide[..own.len() / N::WEIGHT * Singles::WEIGHT];
                    for (from, to) in own.chunks(N::WEIGHT).zip(wide.chunks_mut(Singles::WEIGHT)) {
                        N::widen(isa, from, to);
                    }
                    pass.input = &input[piece * WIDE * N::INPUT..];
                    let next = next.wrapping_add(piece * WIDE * N::WEIGHT);
                    pass.run::<Singles, I>(isa, wide, next, N::WEIGHT);
                    pass.proceed = true;
                }
            } else {
                pass.run::<N, I>(isa, own, next, N::WEIGHT);
            }
            if inner.end == weights.inputs() {
                let bias = bias.get(at * PANEL..).unwrap_or_default();
                for values in pass.output.chunks_mut(stride) {
                    finish(isa, bias, activation, &mut values[..PANEL]);
                }
            }
        }
    }
}

/// Rows that meet some blocks of a panel.
struct Pass<'a> {
    /// From the first block on.
    input: &'a [i32],
    width: usize,
    rows: usize,
    /// From the panel's place in the first row on.
    output: &'a mut [f32],
    stride: usize,
    /// The output holds the sums over the blocks before.
    proceed: bool,
}

impl Pass<'_> {
    /// Tile after tile; meanwhile the weights at `next` are fetched, `block` words of them for each of `own`: evenly, as many at once would
    /// keep all else from memory.
    #[inline(always)]
    fn run<F: Numbers, I: Isa>(&mut self, isa: I, own: &[i32], next: *const i32, block: usize) {
        let rows = self.rows;
        // A single row takes all of a panel at once.
        let vectors = if rows == 1 { PANEL / LANES } else { I::VECTORS };
        let sides = PANEL / (vectors * LANES);
        let tiles = rows.div_ceil(F::rows::<I>());
        // One turn reads its weights from memory. A few go through them together, some blocks at a time, and fetch those that are next;
        // many find a whole pass of them in the first-level cache.
        let turns = tiles * sides;
        let part = match turns {
            2..=FEW => PART / F::BLOCK * F::WEIGHT,
            _ => own.len().max(1),
        };
        for (nth, part) in own.chunks(part).enumerate() {
            let (first, blocks) = (nth * PART / F::BLOCK, part.len() / F::WEIGHT);
            let is_last = part.as_ptr_range().end == own.as_ptr_range().end;
            let share = block.div_ceil(F::WEIGHT / PANEL * turns).next_multiple_of(LANES);
            let (from, each) = match (turns, is_last) {
                (1, _) => (own.as_ptr().wrapping_add(AHEAD), PANEL),
                (_, true) => (next, share),
                (_, false) => (part.as_ptr_range().end, share),
            };
            for turn in 0..turns {
                // Nearly equal heights: every turn has its share of the weights to fetch meanwhile.
                let (tile, lane) = (turn / sides, turn % sides * vectors * LANES);
                let row = rows * tile / tiles;
                let height = rows * (tile + 1) / tiles - row;
                let begin = turn * each * F::WEIGHT / PANEL * blocks;
                let each = if begin < block * blocks { each } else { 0 };
                let tile = Tile::<F> {
                    input: &self.input[row * self.width + first * F::INPUT..],
                    input_stride: self.width,
                    weights: part,
                    lane,
                    output: &mut self.output[row * self.stride + lane..],
                    output_stride: self.stride,
                    proceed: self.proceed || first > 0,
                    ahead: (from.wrapping_add(begin), each),
                    numbers: PhantomData,
                };
                tile.run_size(isa, height, vectors);
            }
        }
    }
}

#[inline(always)]
fn finish<I: Isa>(isa: I, bias: &[f32], activation: Option<Activation>, values: &mut [f32]) {
    for (at, values) in values.chunks_mut(LANES).enumerate() {
        let bias = bias.get(at * LANES..).unwrap_or_default();
        let mut value = row::load(isa, values, 0.0).add(row::load(isa, bias, 0.0));
        if let Some(kind) = activation {
            value = activation::apply(isa, kind, value);
        }
        row::store(value, values);
    }
}

#[cfg(test)]
mod tests;
