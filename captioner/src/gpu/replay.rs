//! A computation that is launched whole: with a few hundred kernels of a few microseconds each, asking for them one by one takes
//! longer than they do.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaGraph, sys};
use candle_core::{CudaDevice, Device};

use crate::error::Result;

/// A computation on tensors that are always the same. The first time it runs as it is, by which libraries get the memory that they
/// work in; the second time it is recorded; from then on the recording runs.
#[derive(Default)]
pub struct Replay {
    runs: usize,
    graph: Option<CudaGraph>,
}

// SAFETY: a graph belongs to no thread; it must not be used by two at once, and whoever launches it here has it for itself.
unsafe impl Send for Replay {}

impl Replay {
    /// Runs `compute`, which allocates nothing that outlives it and waits for nothing.
    pub fn run(&mut self, device: &Device, compute: impl Fn() -> Result<()>) -> Result<()> {
        let device = device.as_cuda_device()?;
        self.runs += 1;
        if self.runs == 2 {
            // What cannot be recorded runs as it is.
            self.graph = record(device, &compute).ok().flatten();
        }
        match &self.graph {
            Some(graph) => Ok(graph.launch().w()?),
            None => compute(),
        }
    }
}

fn record(device: &CudaDevice, compute: impl Fn() -> Result<()>) -> Result<Option<CudaGraph>> {
    let stream = device.cuda_stream();
    stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).w()?;
    let computed = compute();
    let graph = stream.end_capture(sys::CUgraphInstantiate_flags(0)).w();
    computed?;
    Ok(graph?)
}
