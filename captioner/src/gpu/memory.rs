//! Memory of a GPU, and memory that it writes on the host.

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::driver::{PinnedHostSlice, result, sys};
use candle_core::cuda_backend::{CudaDevice, WrapErr};
use candle_core::{Storage, Tensor};
use rayon::prelude::*;

use super::launch::cuda;
use crate::error::Result;

/// Keeps memory that was given back for who asks next: by default all of it goes back to the system whenever the host waits, as it
/// does after every step.
pub fn keep(device: &CudaDevice, ordinal: usize) -> candle_core::Result<()> {
    if !device.cuda_stream().context().has_async_alloc() {
        return Ok(());
    }
    let mut all = u64::MAX;
    let place: *mut c_void = (&raw mut all).cast();
    let mut pool = std::ptr::null_mut();
    let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the attribute is read from the 64 bits at that place.
    unsafe {
        let number = result::device::get(ordinal as i32).w()?;
        sys::cuDeviceGetDefaultMemPool(&mut pool, number).result().w()?;
        sys::cuMemPoolSetAttribute(pool, threshold, place).result().w()
    }
}

/// Host memory that the GPU writes without a copy between, kept from one step to the next.
#[derive(Default)]
pub struct Pinned(Option<PinnedHostSlice<f32>>);

impl Pinned {
    /// The rows of a dense f32 matrix; waits for it.
    pub fn read(&mut self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        let (count, width) = (x.elem_count(), x.dim(1)?);
        let stream = cuda(x)?.cuda_stream();
        let pinned = match self.0.take() {
            Some(pinned) if pinned.len() >= count => pinned,
            // SAFETY: it is read only where it was written. Without flags it is cached, as memory that is read should be.
            _ => unsafe { stream.context().alloc_pinned_with_flags(count, 0) }.w()?,
        };
        let pinned = self.0.insert(pinned);
        let (storage, layout) = x.storage_and_layout();
        let Storage::Cuda(storage) = &*storage else {
            return Err(candle_core::Error::Msg("a GPU was given a host tensor".into()).into());
        };
        let start = layout.start_offset();
        let from = storage.as_cuda_slice::<f32>()?.slice(start..start + count);
        let values = &mut pinned.as_mut_slice().w()?[..count];
        stream.memcpy_dtoh(&from, values).w()?;
        stream.synchronize().w()?;
        Ok(values.par_chunks(width).map(<[f32]>::to_vec).collect())
    }
}
