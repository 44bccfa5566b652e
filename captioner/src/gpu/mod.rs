//! An NVIDIA GPU: what candle needs several passes for, in one each.
//!
//! `rows.cu` and `attention.cu` have the kernels; here they are given tensors. Products are cuBLAS's, but for those of a few rows.
//! `layers::device` and `layers::look_up` are what calls this, and have the twins that it is held to. Everything of a device runs on one
//! stream, in the order in which it was asked for, so that nothing here waits but [`Pinned::read`].

mod launch;
mod memory;
mod replay;
#[cfg(test)]
mod tests;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::{D, DType, Tensor};
use fgd_kernels::Activation;

use crate::error::Result;
use launch::{ATTENTION, Grid, Kernel, ROWS, address, cuda, dense, fresh, rows};

pub use launch::open;
pub use memory::Pinned;
pub use replay::Replay;

/// Widest head that the kernels have room for.
const WIDEST_HEAD: usize = 128;

/// Threads of a block that goes through numbers, and of one that looks up a head.
const THREADS: usize = 256;
const LOOKING: usize = 128;

/// Rows that [`multiply_few`] has room for.
const FEW: usize = 4;

/// Queries of a warp, and most warps of a block of [`attend`].
const QUERIES: usize = 16;
const WARPS: usize = 8;

/// x [.., inputs] · weightᵀ, the weight [outputs, inputs].
pub fn multiply(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = weight.dim(0)?;
    }
    let y = fresh(&shape, x.dtype(), x.device())?;
    gemm(x, weight, &y, 0.0)?;
    Ok(y)
}

/// The same into a tensor that is there, in its type: f32, or that of x.
pub fn multiply_into(x: &Tensor, weight: &Tensor, y: &Tensor) -> Result<()> {
    gemm(x, weight, y, 0.0)
}

/// sum += x · weightᵀ.
pub fn add_product(x: &Tensor, weight: &Tensor, sum: &Tensor) -> Result<()> {
    gemm(x, weight, sum, 1.0)
}

/// y = x · weightᵀ + beta · y: cuBLAS counts columns first, so to it this is yᵀ = weight · xᵀ of matrices that are transposed already.
fn gemm(x: &Tensor, weight: &Tensor, y: &Tensor, beta: f32) -> Result<()> {
    let (outputs, inputs) = weight.dims2()?;
    let (x, weight) = (dense(x)?, dense(weight)?);
    let rows = x.elem_count() / inputs;
    if rows == 0 {
        return Ok(());
    }
    if rows <= FEW && x.dtype() == DType::BF16 && inputs.is_multiple_of(8) {
        return multiply_few(&x, &weight, y, rows, beta != 0.0);
    }
    let of = |t: &Tensor| match t.dtype() {
        DType::BF16 => sys::cudaDataType_t::CUDA_R_16BF,
        _ => sys::cudaDataType_t::CUDA_R_32F,
    };
    let (alpha, m, n, k) = (1_f32, outputs as i32, rows as i32, inputs as i32);
    let [a, b, c] = [address(&weight)?, address(&x)?, address(y)?];
    let device = cuda(&x)?;
    let blas = device.cublas_handle();
    device.cuda_stream().context().bind_to_thread().w()?;
    // SAFETY: the addresses are of whole matrices of these sizes, of a device whose stream the handle has.
    unsafe {
        result::gemm_ex(
            *blas.handle(),
            sys::cublasOperation_t::CUBLAS_OP_T,
            sys::cublasOperation_t::CUBLAS_OP_N,
            m,
            n,
            k,
            (&raw const alpha).cast(),
            a as *const _,
            of(&weight),
            k,
            b as *const _,
            of(&x),
            k,
            (&raw const beta).cast(),
            c as *mut _,
            of(y),
            m,
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    }
    .w()?;
    Ok(())
}

/// The same for a few rows, which are worth reading the weights at full speed.
fn multiply_few(x: &Tensor, weight: &Tensor, y: &Tensor, rows: usize, add: bool) -> Result<()> {
    let (outputs, inputs) = weight.dims2()?;
    let most = if rows == 1 { 1 } else { FEW };
    let name = if y.dtype() == DType::BF16 { "bf16" } else { "f32" };
    let kernel = Kernel::of(ROWS, x, &format!("multiply_{most}_{name}"))?;
    let mut call = kernel.call();
    call.address(address(x)?).address(address(weight)?).address(address(y)?);
    call.count(rows).count(inputs / 8).count(outputs).integer(add.into());
    call.run(Grid::flat(outputs * 32, THREADS / 2))
}

/// (x − mean) / √(variance + ε) · scale + shift over the last dimension; without a shift x / √(mean(x²) + ε) · scale.
pub fn norm(x: &Tensor, scale: &Tensor, shift: Option<&Tensor>, epsilon: f32) -> Result<Tensor> {
    let (x, width) = (dense(x)?, x.dim(D::Minus1)?);
    let out = fresh(x.dims(), x.dtype(), x.device())?;
    let (each, name) = packet(x.dtype(), width);
    let kernel = Kernel::of(ROWS, &x, &format!("norm_{name}"))?;
    let mut call = kernel.call();
    call.address(address(&x)?).address(address(scale)?).address(shift.map_or(Ok(0), address)?);
    call.address(address(&out)?).count(width / each).number(epsilon);
    let rows = x.elem_count() / width;
    call.run(Grid { blocks: [rows, 1, 1], threads: THREADS / 2, shared: 0 })?;
    Ok(out)
}

fn number(activation: Option<Activation>) -> i32 {
    match activation {
        None => 0,
        Some(Activation::Gelu) => 1,
        Some(Activation::GeluTanh) => 2,
        Some(Activation::Relu) => 3,
    }
}

/// Numbers that a thread takes at once of rows of this width, and the end of the kernels' names.
fn packet(dtype: DType, width: usize) -> (usize, &'static str) {
    match dtype {
        DType::BF16 if width.is_multiple_of(8) => (8, "bf16x8"),
        DType::BF16 => (1, "bf16x1"),
        _ if width.is_multiple_of(4) => (4, "f32x4"),
        _ => (1, "f32x1"),
    }
}

/// y = activation(y + bias) + added, in place; the bias is as long as a row.
pub fn finish(
    y: &Tensor,
    bias: Option<&Tensor>,
    activation: Option<Activation>,
    added: Option<&Tensor>,
) -> Result<()> {
    let width = y.dim(D::Minus1)?;
    let (each, name) = packet(y.dtype(), width);
    let packets = y.elem_count() / each;
    let (bias, added) = (bias.map(dense).transpose()?, added.map(dense).transpose()?);
    let [bias_at, added_at] = [&bias, &added].map(|t| t.as_ref().map_or(Ok(0), address));
    let kernel = Kernel::of(ROWS, y, &format!("finish_{name}"))?;
    let mut call = kernel.call();
    call.address(address(y)?).address(bias_at?).address(added_at?);
    call.integer(number(activation)).count(packets).count(width / each);
    call.run(Grid::flat(packets, THREADS))
}

/// activation(left) · right of rows [.., left | right].
pub fn gate(both: &Tensor, activation: Activation) -> Result<Tensor> {
    let both = &dense(both)?;
    let mut shape = both.dims().to_vec();
    let width = both.dim(D::Minus1)? / 2;
    if let Some(last) = shape.last_mut() {
        *last = width;
    }
    let out = fresh(&shape, both.dtype(), both.device())?;
    let (each, name) = packet(both.dtype(), width);
    let packets = out.elem_count() / each;
    let kernel = Kernel::of(ROWS, both, &format!("gate_{name}"))?;
    let mut call = kernel.call();
    call.address(address(both)?).address(address(&out)?);
    call.integer(number(Some(activation))).count(packets).count(width / each);
    call.run(Grid::flat(packets, THREADS))?;
    Ok(out)
}

/// Whether [`attend`] can do it: bf16 in rows that are read two numbers at a time.
pub fn can_attend(all: [&Tensor; 3], heads: usize) -> bool {
    let even = |x: &Tensor| {
        let offset = x.storage_and_layout().1.start_offset();
        let strides = x.stride().iter().rev();
        offset.is_multiple_of(2) && strides.skip(1).all(|stride| stride.is_multiple_of(2))
    };
    let width = all[0].dims().last().map_or(0, |width| width / heads);
    let fits = width.is_multiple_of(2) && (1..=WIDEST_HEAD).contains(&width);
    all[0].device().is_cuda() && all[0].dtype() == DType::BF16 && fits && all.into_iter().all(even)
}

/// q [images, queries, heads·dim], k and v [images, keys, heads·dim], rows dense, as views; `bias` [heads, queries, keys] and `mask`
/// [images, keys] in f32 → [images, queries, heads·dim].
pub fn attend(
    [q, k, v]: [&Tensor; 3],
    heads: usize,
    scale: f32,
    bias: Option<&Tensor>,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let ((images, queries, width), keys) = (q.dims3()?, k.dim(1)?);
    let dim = width / heads;
    let out = fresh(&[images, queries, width], q.dtype(), q.device())?;
    let room = [16, 32, 64, 96, WIDEST_HEAD].into_iter().find(|room| dim <= *room);
    let kernel = Kernel::of(ATTENTION, q, &format!("attend_{}", room.unwrap_or(WIDEST_HEAD)))?;
    let [bias, mask] = [bias, mask].map(|added| {
        added.map(|x| Ok::<_, crate::Error>(dense(&x.to_dtype(DType::F32)?)?)).transpose()
    });
    let (bias, mask) = (bias?, mask?);
    // Warps enough to share the keys that they read, and as few rows as can be left over in the last block.
    let blocks = |warps: &usize| queries.div_ceil(warps * QUERIES);
    let least = queries.div_ceil(QUERIES).clamp(1, WARPS / 2);
    let warps = (least..=WARPS).rev().min_by_key(|warps| blocks(warps) * warps).unwrap_or(least);
    let mut wide = dim.is_multiple_of(8);
    let mut call = kernel.call();
    for x in [q, k, v] {
        call.address(address(x)?).views([x.stride()[0], dim, x.stride()[1]]);
        wide &= address(x)?.is_multiple_of(16);
        wide &= x.stride()[..2].iter().all(|stride| stride.is_multiple_of(8));
    }
    call.count(queries).count(keys).count(dim).number(scale);
    call.address(bias.as_ref().map_or(Ok(0), address)?);
    call.address(mask.as_ref().map_or(Ok(0), address)?);
    call.integer(wide.into()).address(address(&out)?);
    call.run(Grid { blocks: [blocks(&warps), heads, images], threads: warps * 32, shared: 0 })?;
    Ok(out)
}

/// One query of each row among the keys that its row of `table` names; see `layers::look_up`.
pub fn look_up(
    queries: &Tensor,
    newest: Option<[&Tensor; 2]>,
    [keys, values]: [&Tensor; 2],
    table: &Tensor,
    bias: Option<&Tensor>,
    heads: usize,
) -> Result<Tensor> {
    let ((count, width), places) = (queries.dims2()?, table.dim(1)?);
    let dim = width / heads;
    if dim > WIDEST_HEAD {
        return Err(candle_core::Error::Msg(format!("heads of {dim} numbers on a GPU")).into());
    }
    let out = fresh(&[count, width], queries.dtype(), queries.device())?;
    let name = if queries.dtype() == DType::BF16 { "look_up_bf16" } else { "look_up_f32" };
    let kernel = Kernel::of(ATTENTION, queries, name)?;
    let mut call = kernel.call();
    call.address(address(queries)?).count(rows(queries)?);
    match newest {
        Some([key, value]) => {
            call.address(address(key)?).address(address(value)?).count(rows(key)?);
        }
        None => {
            call.address(0).address(0).count(0);
        }
    }
    call.address(address(keys)?).address(address(values)?).count(rows(keys)?);
    call.address(address(table)?).count(places);
    call.address(bias.map_or(Ok(0), address)?);
    call.count(bias.map_or(Ok(0), |bias| bias.dim(1))?).count(dim).address(address(&out)?);
    // Scores, the query, and the sums of those who share a column.
    let shared = (places + dim + LOOKING.max(dim)) * size_of::<f32>();
    call.run(Grid { blocks: [heads, count, 1], threads: LOOKING, shared })?;
    Ok(out)
}
