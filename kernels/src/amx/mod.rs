//! Products in Intel's tile registers (AMX): eight of them, each sixteen rows of 64 bytes, and instructions that multiply two into a
//! third. By the manual that is sixteen times the rate of f32 for bf16, and eight times that of VNNI for bytes; `docs/captioning.md` has
//! what it comes to.
//!
//! [`Registers`] is the seam: [`Amx`] is the hardware, in assembly; its twin is a model after Intel's description of the
//! instructions, which runs everywhere and which tests hold the products to. Blocks of 32 rows and 32 columns use four registers for
//! sums, two for rows and two for columns.

#[cfg_attr(target_arch = "x86_64", path = "hardware.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "nowhere.rs")]
mod hardware;
#[cfg(test)]
mod model;

pub use hardware::Amx;
#[cfg(test)]
pub use model::Model;

/// Rows of a register.
const ROWS: usize = 16;
/// Rows of a block.
pub const STRIP: usize = 2 * ROWS;
/// 32-bit words of a row of a register.
pub const WORDS: usize = 16;

/// The sums of the upper rows, left and right; those of the lower rows; the upper and lower rows; the left and right columns.
const SUMS: [[u8; 2]; 2] = [[0, 1], [2, 3]];
const UPPER: u8 = 4;
const LOWER: u8 = 5;
const LEFT: u8 = 6;
const RIGHT: u8 = 7;

/// What the registers hold, as `ldtilecfg` reads it.
#[repr(C, align(64))]
#[derive(Debug, Clone, Copy)]
pub struct Shapes {
    palette: u8,
    start_row: u8,
    unused: [u8; 14],
    /// Bytes of a row, of sixteen registers.
    bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    /// Of a block of so many rows.
    fn of(height: [usize; 2]) -> Self {
        let mut shapes =
            Self { palette: 1, start_row: 0, unused: [0; 14], bytes: [0; 16], rows: [0; 16] };
        let all = [(UPPER, height[0]), (LOWER, height[1]), (LEFT, ROWS), (RIGHT, ROWS)];
        let sums = [0, 1].map(|half| SUMS[half].map(|sum| (sum, height[half])));
        for (register, rows) in all.into_iter().chain(sums.concat()).filter(|(_, rows)| *rows > 0) {
            shapes.bytes[register as usize] = 4 * WORDS as u16;
            shapes.rows[register as usize] = rows as u8;
        }
        shapes
    }
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Two bf16, whose products are added as floats.
    Halves,
    /// Four bytes, of inputs with a sign and of weights without one, whose products are added as integers.
    Bytes,
}

/// Eight tile registers.
///
/// # Safety
/// Callers have called [`Self::configure`] for what they name, and every pointer is valid for all rows of the register, which lie
/// `stride` words apart.
pub trait Registers {
    /// Sets the shapes of all registers, and clears them.
    unsafe fn configure(&mut self, shapes: &Shapes);
    /// Zeros.
    unsafe fn clear<const T: u8>(&mut self);
    /// Reads a register.
    unsafe fn load<const T: u8>(&mut self, from: *const i32, stride: usize);
    /// Writes a register.
    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize);
    /// `SUM` += `A` · `B`: words of A are the inputs of a row, those of B the weights of the same inputs for each column.
    unsafe fn multiply<const SUM: u8, const A: u8, const B: u8>(&mut self, kind: Kind);
    /// Gives the registers back.
    fn release(&mut self);
}

/// Rows of words.
#[derive(Clone, Copy)]
pub struct Rows {
    /// The first one.
    pub start: *const i32,
    /// Words from one row to the next.
    pub stride: usize,
}

/// Registers with the shapes of blocks of so many rows.
pub struct Blocks<R: Registers> {
    registers: R,
    height: [usize; 2],
}

impl<R: Registers> Blocks<R> {
    /// No shapes yet.
    pub fn new(registers: R) -> Self {
        Self { registers, height: [0; 2] }
    }

    /// Shapes for blocks of `rows` rows, at most 32 and not none; all sums are then nothing in particular.
    pub fn set(&mut self, rows: usize) {
        assert!((1..=STRIP).contains(&rows));
        let height = [rows.min(ROWS), rows.saturating_sub(ROWS)];
        if height != self.height {
            self.height = height;
            // SAFETY: no more rows and bytes than a register has.
            unsafe { self.registers.configure(&Shapes::of(height)) };
        }
    }

    /// Sums of zero.
    pub fn clear(&mut self) {
        debug_assert!(self.height[0] > 0);
        let registers = &mut self.registers;
        // SAFETY: `set` has configured what is named.
        unsafe {
            registers.clear::<{ SUMS[0][0] }>();
            registers.clear::<{ SUMS[0][1] }>();
            if self.height[1] > 0 {
                registers.clear::<{ SUMS[1][0] }>();
                registers.clear::<{ SUMS[1][1] }>();
            }
        }
    }

    /// Sums from memory.
    ///
    /// # Safety
    /// `from` is valid for all rows and columns of the block.
    pub unsafe fn load(&mut self, from: *const i32, stride: usize) {
        let registers = &mut self.registers;
        // SAFETY: handed on from the caller; `set` has configured what is named.
        unsafe {
            registers.load::<{ SUMS[0][0] }>(from, stride);
            registers.load::<{ SUMS[0][1] }>(from.add(WORDS), stride);
            if self.height[1] > 0 {
                let from = from.add(ROWS * stride);
                registers.load::<{ SUMS[1][0] }>(from, stride);
                registers.load::<{ SUMS[1][1] }>(from.add(WORDS), stride);
            }
        }
    }

    /// Sums to memory.
    ///
    /// # Safety
    /// `to` is valid for all rows and columns of the block.
    pub unsafe fn store(&mut self, to: *mut i32, stride: usize) {
        let registers = &mut self.registers;
        // SAFETY: handed on from the caller; `set` has configured what is named.
        unsafe {
            registers.store::<{ SUMS[0][0] }>(to, stride);
            registers.store::<{ SUMS[0][1] }>(to.add(WORDS), stride);
            if self.height[1] > 0 {
                let to = to.add(ROWS * stride);
                registers.store::<{ SUMS[1][0] }>(to, stride);
                registers.store::<{ SUMS[1][1] }>(to.add(WORDS), stride);
            }
        }
    }

    /// sums += a · b for sixteen words of inputs: those of the rows of `a`, and as many rows of `b`.
    ///
    /// # Safety
    /// `a` is valid for all rows of the block, `b` for sixteen rows of 32 columns.
    #[inline(always)]
    pub unsafe fn multiply(&mut self, kind: Kind, a: Rows, b: Rows) {
        let registers = &mut self.registers;
        // SAFETY: handed on from the caller; `set` has configured what is named.
        unsafe {
            registers.load::<LEFT>(b.start, b.stride);
            registers.load::<RIGHT>(b.start.add(WORDS), b.stride);
            registers.load::<UPPER>(a.start, a.stride);
            registers.multiply::<{ SUMS[0][0] }, UPPER, LEFT>(kind);
            registers.multiply::<{ SUMS[0][1] }, UPPER, RIGHT>(kind);
            if self.height[1] > 0 {
                registers.load::<LOWER>(a.start.add(ROWS * a.stride), a.stride);
                registers.multiply::<{ SUMS[1][0] }, LOWER, LEFT>(kind);
                registers.multiply::<{ SUMS[1][1] }, LOWER, RIGHT>(kind);
            }
        }
    }

    /// c = a · b of bf16, where c is [rows, columns], whole blocks of columns, and inputs are `depth` words, a multiple of sixteen.
    ///
    /// # Safety
    /// `a`, `b` and `c` are valid for such matrices.
    pub unsafe fn product(
        &mut self,
        [rows, columns, depth]: [usize; 3],
        a: Rows,
        b: Rows,
        c: (*mut f32, usize),
    ) {
        for row in (0..rows).step_by(STRIP) {
            self.set((rows - row).min(STRIP));
            for column in (0..columns).step_by(2 * WORDS) {
                self.clear();
                // SAFETY: handed on from the caller.
                unsafe {
                    for word in (0..depth).step_by(WORDS) {
                        let a = Rows { start: a.start.add(row * a.stride + word), ..a };
                        let b = Rows { start: b.start.add(word * b.stride + column), ..b };
                        self.multiply(Kind::Halves, a, b);
                    }
                    self.store(c.0.add(row * c.1 + column).cast(), c.1);
                }
            }
        }
    }
}

impl<R: Registers> Drop for Blocks<R> {
    fn drop(&mut self) {
        self.registers.release();
    }
}
