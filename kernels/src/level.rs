//! Instruction sets: a [`Level`] is what the CPU was seen to have, and [`Level::run`] compiles a [`Kernel`] for each of them.

use std::fmt;

use super::amx::Amx;
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512, BF16, VNNI, bf16_is_fast};
use super::lanes::{Isa, LANES, Portable};

/// A body that is compiled once for every instruction set.
///
/// ```
/// use fgd_kernels::{Isa, Kernel, Level};
///
/// /// Σ a·b
/// struct Dot<'a>(&'a [f64], &'a [f64]);
///
/// impl Kernel for Dot<'_> {
///     type Output = f64;
///
///     #[inline(always)] // into the function that has the instruction set's features
///     fn run<I: Isa>(self, isa: I) -> f64 {
///         self.0.iter().zip(self.1).fold(0.0, |sum, (a, b)| isa.mul_add(*a, *b, sum))
///     }
/// }
///
/// assert_eq!(Level::current().run(Dot(&[1.0, 2.0], &[3.0, 4.0])), 11.0);
/// ```
pub trait Kernel {
    /// What it computes.
    type Output;

    /// The body. Implementations are `#[inline(always)]`, and so is what they call in their loops.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// An instruction set that this CPU was seen to have: nothing but detection makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    set: Set,
    /// Tile registers beside the vectors.
    amx: Option<Amx>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512<0>),
    #[cfg(target_arch = "x86_64")]
    Vnni(Avx512<VNNI>),
    #[cfg(target_arch = "x86_64")]
    Bf16(Avx512<BF16>),
}

impl Level {
    /// What every CPU runs, and the twin that the other levels are held to.
    pub const PORTABLE: Level = Level { set: Set::Portable(Portable), amx: None };

    /// What this CPU runs, the fastest first and [`Level::PORTABLE`] at the end.
    pub fn available() -> impl Iterator<Item = Level> {
        #[cfg(target_arch = "x86_64")]
        let with_amx = Avx512::detect()
            .and_then(|isa| Some(Level { set: Set::Bf16(isa), amx: Some(Amx::detect()?) }));
        #[cfg(target_arch = "x86_64")]
        let vectors = {
            let mut vectors = [
                Avx512::detect().map(Set::Bf16),
                Avx512::detect().map(Set::Vnni),
                Avx512::detect().map(Set::Avx512),
                Avx2::detect().map(Set::Avx2),
            ];
            if !bf16_is_fast() {
                vectors.swap(0, 1);
            }
            vectors
        };
        #[cfg(not(target_arch = "x86_64"))]
        let (with_amx, vectors) = (None, [None]);
        let vectors = vectors.into_iter().flatten().map(|set| Level { set, amx: None });
        with_amx.into_iter().chain(vectors).chain([Level::PORTABLE])
    }

    /// What it is selected by: `amx` where there are tile registers, else the name of its vectors.
    pub fn widest(self) -> &'static str {
        self.amx.map_or(self.name(), |_| "amx")
    }

    /// What its vectors run on, and all kernels but products of bf16 and bytes: `portable`, `avx2`, `avx512`.
    pub fn name(self) -> &'static str {
        match self.set {
            Set::Portable(_) => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) | Set::Vnni(_) | Set::Bf16(_) => "avx512",
        }
    }

    /// What the products of integers run on: the name of the level, or `vnni`.
    pub fn integer_name(self) -> &'static str {
        match self.set {
            #[cfg(target_arch = "x86_64")]
            Set::Vnni(_) | Set::Bf16(_) => "vnni",
            _ => self.name(),
        }
    }

    /// Whether there are instructions for products of bf16, so that they are faster than those of f32.
    pub fn has_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return matches!(self.set, Set::Bf16(_));
        #[cfg(not(target_arch = "x86_64"))]
        false
    }

    /// Tile registers for products of bf16 and bytes.
    pub(super) fn amx(self) -> Option<Amx> {
        self.amx
    }

    /// Runs a kernel in the version that was compiled for this level.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.set {
            Set::Portable(isa) => isa.call(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(isa) => isa.call(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(isa) => isa.call(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Vnni(isa) => isa.call(kernel),
            #[cfg(target_arch = "x86_64")]
            Set::Bf16(isa) => isa.call(kernel),
        }
    }

    /// Rows in a tile of the matrix product.
    pub(super) fn rows(self) -> usize {
        self.run(Tile)[0]
    }

    /// Columns in a panel of packed weights.
    pub fn panel(self) -> usize {
        self.run(Tile)[1]
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Rows and columns of the matrix tile.
struct Tile;

impl Kernel for Tile {
    type Output = [usize; 2];

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> [usize; 2] {
        [I::ROWS, I::VECTORS * LANES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels that a test goes through; those that this CPU lacks are named.
    #[test]
    fn levels_that_cannot_run_here_are_named() {
        let names: Vec<_> = Level::available().map(Level::integer_name).collect();
        let lacking =
            |name| eprintln!("SKIPPED: this CPU has no {name}; its kernels are not tested here");
        ["vnni", "avx512", "avx2"]
            .into_iter()
            .filter(|name| !names.contains(name))
            .for_each(lacking);
        if !Level::available().any(|level| level.amx.is_some()) {
            eprintln!("SKIPPED: this CPU or system has no AMX; a model of its registers is tested");
        }
        if !Level::available().any(Level::has_bf16) {
            lacking("avx512_bf16");
        }
        assert_eq!(names.last(), Some(&"portable"));
    }
}
