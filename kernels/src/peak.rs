//! What the arithmetic units can do at most: multiply-adds in registers, the ceiling that products are measured against.

use super::lanes::{Isa, LANES, Lanes};
use super::level::{Kernel, Level};

impl Level {
    /// Runs `rounds` × [`Level::chains`] × 16 multiply-adds in registers.
    pub fn multiply_adds(self, rounds: usize) -> f32 {
        self.run(MultiplyAdds(rounds))
    }

    /// Independent vectors in flight in [`Level::multiply_adds`]: as many as a tile has.
    pub fn chains(self) -> usize {
        self.rows() * self.panel() / LANES
    }
}

struct MultiplyAdds(usize);

impl Kernel for MultiplyAdds {
    type Output = f32;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f32 {
        match I::ROWS * I::VECTORS {
            2 => chains::<I, 2>(isa, self.0),
            6 => chains::<I, 6>(isa, self.0),
            24 => chains::<I, 24>(isa, self.0),
            _ => unreachable!("no tile has another size"),
        }
    }
}

#[inline(always)]
fn chains<I: Isa, const N: usize>(isa: I, rounds: usize) -> f32 {
    let mut sums = [isa.splat(1.0); N];
    let half = std::hint::black_box(0.5);
    let (times, plus) = (isa.splat(half), isa.splat(half));
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = sum.mul_add(times, plus);
        }
    }
    sums.into_iter().map(|sum| sum.sum()).sum()
}
