//! The tile registers of the processor, in assembly: the intrinsics are not stable.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count};

use super::{Kind, Registers, Shapes};

/// Proof that the processor has AMX for bf16 and bytes, and that the system saves its registers for this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amx(());

/// Bits of CPUID's leaf 7, register EDX: bf16, tiles, bytes.
const FEATURES: u32 = 1 << 22 | 1 << 24 | 1 << 25;

impl Amx {
    /// Asks the processor, and the system for leave to use the registers.
    pub fn detect() -> Option<Self> {
        let present = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & FEATURES == FEATURES;
        (present && permitted()).then_some(Self(()))
    }
}

/// Linux gives leave for a whole process (kernel documentation, "Using XSTATE features in user space applications"); elsewhere nothing
/// is known.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const REQUEST_PERMISSION: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let refused: usize;
    // SAFETY: a system call that reads and writes no memory.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => refused,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    refused == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

// SAFETY of everything below: there is a proof of the instructions; pointers and registers are vouched for by the caller. No
// compiled code but this touches the registers.
impl Registers for Amx {
    #[inline(always)]
    unsafe fn configure(&mut self, shapes: &Shapes) {
        // SAFETY: see above.
        unsafe { asm!("ldtilecfg [{}]", in(reg) shapes, options(nostack, preserves_flags)) }
    }

    #[inline(always)]
    unsafe fn clear<const T: u8>(&mut self) {
        // SAFETY: see above.
        unsafe { asm!("tilezero tmm{}", const T, options(nostack, preserves_flags)) }
    }

    #[inline(always)]
    unsafe fn load<const T: u8>(&mut self, from: *const i32, stride: usize) {
        // SAFETY: see above.
        unsafe {
            asm!(
                "tileloadd tmm{}, [{} + {}]",
                const T,
                in(reg) from,
                in(reg) stride * size_of::<i32>(),
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline(always)]
    unsafe fn store<const T: u8>(&mut self, to: *mut i32, stride: usize) {
        // SAFETY: see above.
        unsafe {
            asm!(
                "tilestored [{} + {}], tmm{}",
                in(reg) to,
                in(reg) stride * size_of::<i32>(),
                const T,
                options(nostack, preserves_flags),
            );
        }
    }

    #[inline(always)]
    unsafe fn multiply<const SUM: u8, const A: u8, const B: u8>(&mut self, kind: Kind) {
        // SAFETY: see above.
        unsafe {
            match kind {
                Kind::Halves => asm!(
                    "tdpbf16ps tmm{}, tmm{}, tmm{}",
                    const SUM,
                    const A,
                    const B,
                    options(nostack, preserves_flags),
                ),
                Kind::Bytes => asm!(
                    "tdpbsud tmm{}, tmm{}, tmm{}",
                    const SUM,
                    const A,
                    const B,
                    options(nostack, preserves_flags),
                ),
            }
        }
    }

    fn release(&mut self) {
        // SAFETY: see above.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags)) }
    }
}
