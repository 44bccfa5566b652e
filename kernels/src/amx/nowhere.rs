//! Other processors have no tile registers.

use super::{Kind, Registers, Shapes};

/// There is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amx {}

impl Amx {
    /// None.
    pub fn detect() -> Option<Self> {
        None
    }
}

impl Registers for Amx {
    unsafe fn configure(&mut self, _: &Shapes) {
        match *self {}
    }

    unsafe fn clear<const T: u8>(&mut self) {
        match *self {}
    }

    unsafe fn load<const T: u8>(&mut self, _: *const i32, _: usize) {
        match *self {}
    }

    unsafe fn store<const T: u8>(&mut self, _: *mut i32, _: usize) {
        match *self {}
    }

    unsafe fn multiply<const SUM: u8, const A: u8, const B: u8>(&mut self, _: Kind) {
        match *self {}
    }

    fn release(&mut self) {
        match *self {}
    }
}
