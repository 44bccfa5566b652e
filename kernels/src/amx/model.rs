//! Tile registers in plain Rust, after the operations in Intel's manual (Software Developer's Manual, volume 2: LDTILECFG, TILELOADD,
//! TILESTORED, TDPBF16PS, TDPBSUD).

use half::bf16;

use super::{Kind, Registers, Shapes, WORDS};

/// The twin of [`Amx`](super::Amx).
#[derive(Default)]
pub struct Model {
    rows: [usize; 8],
    words: [[[i32; WORDS]; 16]; 8],
}

impl Model {
    fn rows<const T: u8>(&self) -> usize {
        let rows = self.rows[T as usize];
        assert!(rows > 0, "register {T} has a shape");
        rows
    }
}

impl Registers for Model {
    unsafe fn configure(&mut self, shapes: &Shapes) {
        assert!(shapes.palette == 1 && shapes.start_row == 0 && shapes.unused == [0; 14]);
        for register in 0..16 {
            let (rows, bytes) = (shapes.rows[register], shapes.bytes[register]);
            let fits = matches!((rows, bytes), (0, 0) | (1..=16, 64));
            assert!(fits && (register < 8 || rows == 0), "{rows} rows of {bytes} bytes");
        }
        self.rows = std::array::from_fn(|register| usize::from(shapes.rows[register]));
        self.words = Default::default();
    }

    unsafe fn clear<const T: u8>(&mut self) {
        self.rows::<T>();
        self.words[T as usize] = Default::default();
    }

    unsafe fn load<const T: u8>(&mut self, from: *const i32, stride: usize) {
        for row in 0..self.rows::<T>() {
            // SAFETY: the caller vouches for the rows.
            self.words[T as usize][row] =
                unsafe { from.add(row * stride).cast::<[i32; WORDS]>().read() };
        }
    }

    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
        for row in 0..self.rows::<T>() {
            // SAFETY: the caller vouches for the rows.
            unsafe {
                to.add(row * stride).cast::<[i32; WORDS]>().write(self.words[T as usize][row])
            };
        }
    }

    unsafe fn multiply<const SUM: u8, const A: u8, const B: u8>(&mut self, kind: Kind) {
        let [sum, a, b] = [SUM, A, B].map(usize::from);
        assert!(self.rows[sum] == self.rows[a] && self.rows[b] == WORDS, "shapes that fit");
        let dot = match kind {
            Kind::Halves => dot_halves,
            Kind::Bytes => dot_bytes,
        };
        for m in 0..self.rows[sum] {
            for n in 0..WORDS {
                let column = self.words[b].map(|row| row[n]);
                self.words[sum][m][n] = dot(self.words[sum][m][n], self.words[a][m], column);
            }
        }
    }

    fn release(&mut self) {
        self.rows = [0; 8];
    }
}

/// The products of lower and upper halves are summed apart, and the two sums are added to the register.
fn dot_halves(sum: i32, row: [i32; WORDS], column: [i32; WORDS]) -> i32 {
    let half = |word: i32, at: u32| bf16::from_bits((word as u32 >> (16 * at)) as u16).to_f32();
    let [lower, upper] = [0, 1].map(|at| {
        let pairs = row.into_iter().zip(column);
        pairs.fold(0f32, |sum, (a, b)| half(a, at).mul_add(half(b, at), sum))
    });
    (f32::from_bits(sum as u32) + (lower + upper)).to_bits() as i32
}

fn dot_bytes(sum: i32, row: [i32; WORDS], column: [i32; WORDS]) -> i32 {
    let words = row.into_iter().zip(column);
    let bytes = words.flat_map(|(a, b)| a.to_le_bytes().into_iter().zip(b.to_le_bytes()));
    sum + bytes.map(|(a, b)| i32::from(a as i8) * i32::from(b)).sum::<i32>()
}
