//! Memory for weights that are read from front to back: pages of its own, large ones where the system has them.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

use crate::error::{Error, Result};

/// 32-bit words, zero at first, that begin at a page.
pub struct Words(MmapMut);

impl Words {
    /// # Errors
    /// The system has not so much memory.
    pub fn zeros(len: usize) -> Result<Self> {
        let bytes = len.max(1) * size_of::<i32>();
        let map = MmapMut::map_anon(bytes)
            .map_err(|e| Error::Setting(format!("no memory for {bytes} bytes of weights: {e}")))?;
        #[cfg(target_os = "linux")]
        // Advice is advice: a refusal changes nothing.
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self(map))
    }
}

impl Deref for Words {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        // SAFETY: a map begins at a page, and any four bytes are a word.
        unsafe {
            std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() / size_of::<i32>())
        }
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut [i32] {
        let len = self.0.len() / size_of::<i32>();
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), len) }
    }
}
