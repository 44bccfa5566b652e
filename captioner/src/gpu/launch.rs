//! Tensors as the kernels see them, and the launch of one.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaStream, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::{CudaDType, CudaDevice, CudaStorage, WrapErr};
use candle_core::{DType, Device, Storage, Tensor};

use super::memory;
use crate::error::Result;

/// Compiled kernels, with a name for them.
pub struct Module(&'static str, &'static str);

/// `rows.cu`
pub const ROWS: Module = Module("fgd rows", include_str!(concat!(env!("OUT_DIR"), "/rows.ptx")));
/// `attention.cu`
pub const ATTENTION: Module =
    Module("fgd attention", include_str!(concat!(env!("OUT_DIR"), "/attention.ptx")));

/// GPU number `ordinal`, with a stream of its own that all threads share: candle's default has one for each thread, and what one
/// thread began another would not wait for.
///
/// # Errors
/// A GPU that is not there or cannot be used.
pub fn open(ordinal: usize) -> candle_core::Result<Device> {
    let device = Device::new_cuda_with_stream(ordinal)?;
    if let Device::Cuda(cuda) = &device {
        // SAFETY: no tensor of this device is ever used on another stream than its own.
        unsafe { cuda.disable_event_tracking() };
        memory::keep(cuda, ordinal)?;
    }
    Ok(device)
}

/// The device of a tensor.
pub fn cuda(x: &Tensor) -> Result<&CudaDevice> {
    Ok(x.device().as_cuda_device()?)
}

/// A tensor that a kernel is about to write, all of it.
pub fn fresh(shape: &[usize], dtype: DType, device: &Device) -> Result<Tensor> {
    // SAFETY: nothing reads it before the kernel that was meant has written it: they share a stream.
    Ok(unsafe { Tensor::empty(shape, dtype, device) }?)
}

/// A tensor without gaps.
pub fn dense(x: &Tensor) -> candle_core::Result<Tensor> {
    x.contiguous()
}

/// How far apart the rows of a matrix are, whose own numbers lie side by side.
pub fn rows(x: &Tensor) -> Result<usize> {
    match *x.stride() {
        [row, 1] => Ok(row),
        _ => Err(candle_core::Error::Msg(format!("rows with gaps: {:?}", x.layout())).into()),
    }
}

/// The address of a tensor's first number. It is good for what is launched while the tensor is there: memory is given back in the
/// stream's order too.
pub fn address(x: &Tensor) -> Result<u64> {
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else {
        return Err(candle_core::Error::Msg("a GPU was given a host tensor".into()).into());
    };
    let begin = match x.dtype() {
        DType::F32 => begin::<f32>(storage)?,
        DType::BF16 => begin::<half::bf16>(storage)?,
        DType::U32 => begin::<u32>(storage)?,
        other => return Err(candle_core::Error::Msg(format!("{other:?} on a GPU")).into()),
    };
    Ok(begin + (layout.start_offset() * x.dtype().size_in_bytes()) as u64)
}

fn begin<T: CudaDType>(storage: &CudaStorage) -> Result<u64> {
    let stream = storage.device.cuda_stream();
    let (address, _) = storage.as_cuda_slice::<T>()?.device_ptr(&stream);
    Ok(address)
}

/// How many threads run a kernel: blocks in three directions, threads of a block, bytes that these share.
pub struct Grid {
    pub blocks: [usize; 3],
    pub threads: usize,
    pub shared: usize,
}

impl Grid {
    /// At least so many threads.
    pub fn flat(count: usize, threads: usize) -> Self {
        Self { blocks: [count.div_ceil(threads), 1, 1], threads, shared: 0 }
    }
}

/// A kernel on the device of a tensor.
pub struct Kernel {
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

/// From an image, a head and a row to the next, as `attention.cu` has it.
#[repr(C)]
struct Views([u32; 3]);

// SAFETY: three plain numbers.
unsafe impl DeviceRepr for Views {}

/// An argument of a kernel.
enum Argument {
    Address(u64),
    Count(u32),
    Integer(i32),
    Number(f32),
    Views(Views),
}

/// A kernel and what it is given, in its order.
pub struct Call<'a> {
    kernel: &'a Kernel,
    arguments: Vec<Argument>,
}

impl Kernel {
    pub fn of(Module(module, compiled): Module, x: &Tensor, name: &str) -> Result<Self> {
        let device = cuda(x)?;
        let function = device.get_or_load_custom_func(name, module, compiled)?;
        Ok(Self { function: function.into_cuda_function(), stream: device.cuda_stream() })
    }

    pub fn call(&self) -> Call<'_> {
        Call { kernel: self, arguments: Vec::with_capacity(16) }
    }
}

impl Call<'_> {
    /// The address of a tensor; 0 where there is none.
    pub fn address(&mut self, address: u64) -> &mut Self {
        self.give(Argument::Address(address))
    }

    /// A size of 32 bits.
    pub fn count(&mut self, count: usize) -> &mut Self {
        self.give(Argument::Count(count as u32))
    }

    pub fn integer(&mut self, integer: i32) -> &mut Self {
        self.give(Argument::Integer(integer))
    }

    pub fn number(&mut self, number: f32) -> &mut Self {
        self.give(Argument::Number(number))
    }

    pub fn views(&mut self, strides: [usize; 3]) -> &mut Self {
        self.give(Argument::Views(Views(strides.map(|stride| stride as u32))))
    }

    fn give(&mut self, argument: Argument) -> &mut Self {
        self.arguments.push(argument);
        self
    }

    /// Launches it.
    pub fn run(&self, grid: Grid) -> Result<()> {
        if grid.blocks.contains(&0) {
            return Ok(());
        }
        let [x, y, z] = grid.blocks.map(|blocks| blocks as u32);
        let mut arguments = self.kernel.stream.launch_builder(&self.kernel.function);
        for argument in &self.arguments {
            match argument {
                Argument::Address(address) => arguments.arg(address),
                Argument::Count(count) => arguments.arg(count),
                Argument::Integer(integer) => arguments.arg(integer),
                Argument::Number(number) => arguments.arg(number),
                Argument::Views(views) => arguments.arg(views),
            };
        }
        let config = LaunchConfig {
            grid_dim: (x, y, z),
            block_dim: (grid.threads as u32, 1, 1),
            shared_mem_bytes: grid.shared as u32,
        };
        // SAFETY: the callers give what the kernel of that name takes, and addresses of tensors as large as it reads and writes.
        unsafe { arguments.launch(config) }.w()?;
        Ok(())
    }
}
