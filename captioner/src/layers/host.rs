//! The values of tensors in host memory, for layers that the kernels compute.

use candle_core::{Storage, Tensor};

use crate::error::{Error, Result};

/// Runs `f` on the values of an f32 host tensor, in row-major order.
pub fn values<R>(x: &Tensor, f: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let values = of(&storage)?;
    let start = layout.start_offset();
    Ok(f(&values[start..start + x.elem_count()]))
}

/// All values that a host tensor is a view of.
pub fn of(storage: &Storage) -> Result<&[f32]> {
    match storage {
        Storage::Cpu(cpu) => Ok(cpu.as_slice::<f32>()?),
        _ => Err(no_host()),
    }
}

/// The error of what should be on a device, and is not.
pub fn no_device() -> Error {
    candle_core::Error::Msg("a device's layer was asked of host memory".into()).into()
}

/// The error of what should be in host memory, and is not.
pub fn no_host() -> Error {
    candle_core::Error::Msg("a host layer was given a device tensor".into()).into()
}
