//! The kernels of each instruction set behind one table of functions, and the choice among them at run time.

use super::attention::{Attention, attention};
use super::lanes::{LANES, Lanes, portable::Portable};
use super::norm::{Norm, layer_norm};
use super::product::{Product, product};

#[cfg(target_arch = "x86_64")]
use super::lanes::{avx2::Avx2, avx512::Avx512};

/// The kernels of one instruction set. A table is only handed out by [`available`], which has asked the CPU.
pub struct Kernels {
    /// `portable`, `avx2`, `avx512`.
    pub name: &'static str,
    /// Columns in a panel of packed weights.
    pub panel: usize,
    /// Rows in a tile: chunks are best a multiple of it.
    pub rows: usize,
    product: unsafe fn(&mut Product),
    layer_norm: unsafe fn(&Norm, &[f32], &mut [f32]),
    attention: unsafe fn(&mut Attention),
    multiply_adds: unsafe fn(usize) -> f32,
    present: fn() -> bool,
}

impl Kernels {
    /// See [`Product`].
    pub fn product(&self, mut args: Product) {
        args.check();
        assert_eq!(
            args.weights.shape.panel, self.panel,
            "weights are packed for these kernels"
        );
        // SAFETY: the CPU has the instruction set, and `check` has passed.
        unsafe { (self.product)(&mut args) }
    }

    /// LayerNorm of every row of `from` into the same row of `to`.
    pub fn layer_norm(&self, norm: &Norm, from: &[f32], to: &mut [f32]) {
        // SAFETY: the CPU has the instruction set; the kernel takes whole rows only.
        unsafe { (self.layer_norm)(norm, from, to) }
    }

    /// See [`Attention`].
    pub fn attention(&self, mut args: Attention) {
        args.check();
        // SAFETY: the CPU has the instruction set, and `check` has passed.
        unsafe { (self.attention)(&mut args) }
    }

    /// Runs `rounds` × [`Kernels::chains`] × 16 multiply-adds in registers: what the arithmetic units can do at most.
    pub fn multiply_adds(&self, rounds: usize) -> f32 {
        // SAFETY: the CPU has the instruction set.
        unsafe { (self.multiply_adds)(rounds) }
    }

    /// Independent vectors in flight in [`Kernels::multiply_adds`].
    pub fn chains(&self) -> usize {
        self.rows * self.panel / LANES
    }
}

/// Multiply-adds on as many independent chains as a tile has.
#[inline(always)]
unsafe fn multiply_adds<L: Lanes>(rounds: usize) -> f32 {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        match L::ROWS * L::VECTORS {
            2 => chains::<L, 2>(rounds),
            6 => chains::<L, 6>(rounds),
            24 => chains::<L, 24>(rounds),
            _ => unreachable!("no tile has another size"),
        }
    }
}

#[inline(always)]
unsafe fn chains<L: Lanes, const N: usize>(rounds: usize) -> f32 {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let mut sums = [L::splat(1.0); N];
        let (times, plus) = (
            L::splat(std::hint::black_box(0.5)),
            L::splat(std::hint::black_box(0.5)),
        );
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = sum.mul_add(times, plus);
            }
        }
        sums.into_iter().map(|sum| sum.sum()).sum()
    }
}

/// Defines the kernels of `$lanes` compiled for `$features`, and their table.
macro_rules! kernels {
    ($table:ident, $module:ident, $lanes:ty, $features:meta, $present:expr) => {
        mod $module {
            use super::*;

            // SAFETY of all four: the table is only handed out where the instruction set is present; what else the
            // kernels ask for is handed on.
            #[$features]
            pub unsafe fn product(args: &mut Product) {
                // SAFETY: see above.
                unsafe { super::product::<$lanes>(args) }
            }
            #[$features]
            pub unsafe fn layer_norm(norm: &Norm, from: &[f32], to: &mut [f32]) {
                // SAFETY: see above.
                unsafe { super::layer_norm::<$lanes>(norm, from, to) }
            }
            #[$features]
            pub unsafe fn attention(args: &mut Attention) {
                // SAFETY: see above.
                unsafe { super::attention::<$lanes>(args) }
            }
            #[$features]
            pub unsafe fn multiply_adds(rounds: usize) -> f32 {
                // SAFETY: see above.
                unsafe { super::multiply_adds::<$lanes>(rounds) }
            }
        }

        static $table: Kernels = Kernels {
            name: stringify!($module),
            panel: <$lanes as Lanes>::VECTORS * LANES,
            rows: <$lanes as Lanes>::ROWS,
            product: $module::product,
            layer_norm: $module::layer_norm,
            attention: $module::attention,
            multiply_adds: $module::multiply_adds,
            present: || $present,
        };
    };
}

kernels!(PORTABLE, portable, Portable, inline(never), true);

#[cfg(target_arch = "x86_64")]
kernels!(
    AVX2,
    avx2,
    Avx2,
    target_feature(enable = "avx2,fma"),
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
);

#[cfg(target_arch = "x86_64")]
kernels!(
    AVX512,
    avx512,
    Avx512,
    target_feature(enable = "avx512f"),
    is_x86_feature_detected!("avx512f")
);

/// The kernels that this CPU can run, the fastest first; the portable ones are always there, at the end.
pub fn available() -> impl Iterator<Item = &'static Kernels> {
    #[cfg(target_arch = "x86_64")]
    let all = [&AVX512, &AVX2, &PORTABLE];
    #[cfg(not(target_arch = "x86_64"))]
    let all = [&PORTABLE];
    all.into_iter().filter(|kernels| (kernels.present)())
}

/// The portable kernels.
pub fn portable() -> &'static Kernels {
    &PORTABLE
}
