//! What numbers a product is made of, and how a block of inputs of them lies in memory.

use std::marker::PhantomData;

use super::bytes::Bytes;
use super::halves::Halves;
use super::singles::Singles;
use super::strip::Strip;
use super::wide::Wide;
use super::{LANES, PANEL};
use crate::amx::{Blocks, Registers};
use crate::lanes::Isa;
use crate::level::{Kernel, Level};

/// Inputs of a block, where nothing asks for longer ones.
pub const BLOCK: usize = 2 * LANES;

/// Inputs of the longest block of all.
pub const LONGEST: usize = 4 * BLOCK;

/// What weights are kept in, and what inputs are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Weights and inputs in f32.
    F32,
    /// Weights in f16, widened, and inputs in f32.
    F16,
    /// Weights in bf16, widened, and inputs in f32. Panels are those of [`Self::Halves`].
    Bf16,
    /// Weights and inputs in bf16; all levels give the same bits, but for tile registers.
    Halves,
    /// Weights and inputs in 8 bits with one scale for each block of 128; all levels give the same bits.
    Bytes,
}

/// A [`Form`] as a kernel knows it: 32-bit words, block after block.
pub(super) trait Numbers: Copy {
    /// Inputs of a block.
    const BLOCK: usize = BLOCK;
    /// Words of a block of a row of inputs.
    const INPUT: usize;
    /// Words of a block of a panel of weights.
    const WEIGHT: usize;
    /// Whether there are products of them in tile registers.
    const BLOCKS: bool = false;

    /// Rows of a tile, so that its sums fill the registers.
    fn rows<I: Isa>() -> usize;

    /// A block of a row of inputs, of which `x` may lack some at the end.
    fn round<I: Isa>(isa: I, x: &[f32], out: &mut [i32]);

    /// A block of the weights of output `lane`, of which `w` may lack some at the end.
    fn pack<I: Isa>(isa: I, w: &[f32], lane: usize, out: &mut [i32]);

    /// A block of weights of which each input's lie together: rows every `stride` values, of which `w` may lack some in the end, with
    /// those of `lanes` outputs each.
    #[inline(always)]
    fn pack_inputs<I: Isa>(isa: I, w: &[f32], stride: usize, lanes: usize, out: &mut [i32]) {
        for lane in 0..PANEL {
            let mut row = [0f32; LONGEST];
            if lane < lanes {
                row.iter_mut().zip(w.chunks(stride)).for_each(|(to, w)| *to = w[lane]);
            }
            Self::pack(isa, &row[..Self::BLOCK], lane, out);
        }
    }

    /// Whether weights are widened for [`Singles`] first where many rows meet them.
    const WIDENED: bool = false;

    /// A block of weights as [`Singles`] has it.
    #[inline(always)]
    fn widen<I: Isa>(isa: I, block: &[i32], out: &mut [i32]) {
        let _ = (isa, block, out);
        unreachable!("these weights are multiplied as they lie");
    }

    /// Multiplies a strip in tile registers that are set to its rows.
    ///
    /// # Safety
    /// The strip's parts are as large as its rows and blocks ask for.
    #[inline(always)]
    unsafe fn multiply_strip<I: Isa, R: Registers>(
        isa: I,
        registers: &mut Blocks<R>,
        strip: Strip,
    ) {
        let _ = (isa, registers, strip);
        unreachable!("there are no instructions for these numbers");
    }

    /// The weight of output `lane` in a block.
    fn weight(block: &[i32], lane: usize, input: usize) -> f32;

    /// A block of the transpose: outputs become inputs.
    #[inline(always)]
    fn transpose<I: Isa>(isa: I, block: &[i32], out: &mut [i32]) {
        let _ = (isa, block, out);
        unreachable!("these weights have no transpose");
    }

    /// sums += a · b for a block of `R` rows and `V` vectors of outputs. `fetch` is called for each row of the block's [`PANEL`]
    /// words, as they are gone through.
    ///
    /// # Safety
    /// `a` points to a block of a row, the other rows begin every `stride` words; `b` points to a block of a panel, of which
    /// `V` vectors begin at output `lane`.
    unsafe fn multiply<I: Isa, const R: usize, const V: usize>(
        isa: I,
        a: *const i32,
        stride: usize,
        b: *const i32,
        lane: usize,
        sums: &mut [[I::F32; V]; R],
        fetch: impl Fn(usize),
    );
}

/// `$body`, where the type `$numbers` is what the kernels know as `$form`.
macro_rules! with_numbers {
    ($form:expr, $numbers:ident => $body:expr) => {{
        macro_rules! with {
            ($type:ty) => {{
                type $numbers = $type;
                $body
            }};
        }
        match $form {
            Form::F32 => with!(Singles),
            Form::F16 => with!(Wide<half::f16>),
            Form::Bf16 => with!(Wide<half::bf16>),
            Form::Halves => with!(Halves),
            Form::Bytes => with!(Bytes),
        }
    }};
}
pub(super) use with_numbers;

impl Form {
    /// All of them.
    pub const ALL: [Form; 5] = [Form::F32, Form::F16, Form::Bf16, Form::Halves, Form::Bytes];

    /// Words of [`Self::round`]'s result for so many inputs.
    pub fn input_words(self, inputs: usize) -> usize {
        with_numbers!(self, N => inputs.div_ceil(N::BLOCK) * N::INPUT)
    }

    /// Words of a matrix of [outputs, inputs]: equally many for each panel of [`PANEL`] outputs.
    pub fn weight_words(self, [outputs, inputs]: [usize; 2]) -> usize {
        outputs.div_ceil(PANEL) * inputs.div_ceil(self.block()) * self.block_words()
    }

    /// Inputs of a block.
    pub(super) fn block(self) -> usize {
        with_numbers!(self, N => N::BLOCK)
    }

    /// Words of a block of weights.
    pub(super) fn block_words(self) -> usize {
        with_numbers!(self, N => N::WEIGHT)
    }

    /// Inputs whose weights in a panel, with those of some rows, stay in the first-level cache: whole blocks.
    pub fn pass(self) -> usize {
        (PASS_WORDS / self.block_words()).max(1) * self.block()
    }

    /// Rounds a row of inputs, or blocks of it.
    pub fn round(self, level: Level, x: &[f32], out: &mut [i32]) {
        with_numbers!(self, N => level.run(Round::<N> { x, out, numbers: PhantomData }));
    }

    /// Rounds a panel of weights: at most [`PANEL`] rows of so many inputs, in place of all that is in `out`.
    pub fn pack(self, level: Level, rows: &[f32], inputs: usize, out: &mut [i32]) {
        with_numbers!(self, N => level.run(Pack::<N> { rows, inputs, out, numbers: PhantomData }));
    }

    /// The same for outputs `first..` of weights [inputs, `outputs`], the transpose of what [`Self::pack`] takes.
    pub fn pack_inputs(
        self,
        level: Level,
        w: &[f32],
        outputs: usize,
        first: usize,
        out: &mut [i32],
    ) {
        with_numbers!(self, N => {
            level.run(PackInputs::<N> { w, outputs, first, out, numbers: PhantomData })
        });
    }

    pub(super) fn weight(self, block: &[i32], lane: usize, input: usize) -> f32 {
        with_numbers!(self, N => N::weight(block, lane, input))
    }
}

/// 25 KiB: six blocks of 8 bits.
const PASS_WORDS: usize = 25 << 8;

struct Round<'a, N> {
    x: &'a [f32],
    out: &'a mut [i32],
    numbers: PhantomData<N>,
}

impl<N: Numbers> Kernel for Round<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Round { x, out, .. } = self;
        assert_eq!(out.len(), x.len().div_ceil(N::BLOCK) * N::INPUT, "words for every input");
        for (x, out) in x.chunks(N::BLOCK).zip(out.chunks_mut(N::INPUT)) {
            N::round(isa, x, out);
        }
    }
}

struct Pack<'a, N> {
    rows: &'a [f32],
    inputs: usize,
    out: &'a mut [i32],
    numbers: PhantomData<N>,
}

impl<N: Numbers> Kernel for Pack<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Pack { rows, inputs, out, .. } = self;
        assert!(rows.len().is_multiple_of(inputs) && rows.len() <= inputs * PANEL);
        assert_eq!(out.len(), inputs.div_ceil(N::BLOCK) * N::WEIGHT, "a panel of words");
        for (at, out) in out.chunks_mut(N::WEIGHT).enumerate() {
            let from = at * N::BLOCK;
            for lane in 0..PANEL {
                let row = rows.get(lane * inputs..(lane + 1) * inputs).unwrap_or_default();
                N::pack(
                    isa,
                    row.get(from..inputs.min(from + N::BLOCK)).unwrap_or_default(),
                    lane,
                    out,
                );
            }
        }
    }
}

struct PackInputs<'a, N> {
    w: &'a [f32],
    outputs: usize,
    first: usize,
    out: &'a mut [i32],
    numbers: PhantomData<N>,
}

impl<N: Numbers> Kernel for PackInputs<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let PackInputs { w, outputs, first, out, .. } = self;
        assert!(first < outputs && w.len().is_multiple_of(outputs));
        let inputs = w.len() / outputs;
        assert_eq!(out.len(), inputs.div_ceil(N::BLOCK) * N::WEIGHT, "a panel of words");
        let lanes = PANEL.min(outputs - first);
        for (w, out) in w.chunks(N::BLOCK * outputs).zip(out.chunks_mut(N::WEIGHT)) {
            N::pack_inputs(isa, &w[first..], outputs, lanes, out);
        }
    }
}
