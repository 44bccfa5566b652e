//! What this machine can do at most, measured in the same run as what it is held against.

use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use fgd_encoder::probe;
use fgd_record::Ceilings;
use rayon::prelude::*;

/// Rows and columns of the matrices of the product: 12 MiB together, and arithmetic by far the larger part.
const MATRIX: usize = 1024;

/// Bytes that are read: more than the caches of any machine this is likely to run on.
const BYTES: usize = 256 << 20;

/// Measures all ceilings on the threads of the current rayon pool, each for `time`.
///
/// # Errors
/// The product failed.
pub fn measure(time: Duration) -> Result<Ceilings, CeilingError> {
    Ok(Ceilings {
        fma_gflop_per_second: probe::fma_peak(rayon::current_num_threads(), time),
        gemm_gflop_per_second: gemm(time)?,
        read_gb_per_second: read(time),
    })
}

/// Why a ceiling could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum CeilingError {
    /// The matrix product could not be run.
    #[error("the matrix product that ceilings are measured with failed: {0}")]
    Product(#[from] candle_core::Error),
}

/// GFLOP/s of a square f32 product by the crate `gemm`, which candle uses too.
fn gemm(time: Duration) -> Result<f64, CeilingError> {
    let a = Tensor::ones((MATRIX, MATRIX), DType::F32, &Device::Cpu)?;
    let b = a.affine(0.5, 0.25)?;
    let flop = 2.0 * (MATRIX as f64).powi(3);
    // The first product starts threads and fetches pages. The fastest of the others is what is possible.
    black_box(a.matmul(&b)?);
    Ok(flop / 1e9 / fastest(time, || a.matmul(&b).map(drop))?)
}

/// GB/s of adding up numbers that no cache holds, on all threads.
fn read(time: Duration) -> f64 {
    let numbers: Vec<u64> = (0..BYTES as u64 / 8).into_par_iter().collect();
    let sum = || {
        let part = numbers.len().div_ceil(rayon::current_num_threads()).max(1);
        let sums = numbers
            .par_chunks(part)
            .map(|part| part.iter().fold(0u64, |sum, number| sum.wrapping_add(*number)));
        black_box(sums.reduce(|| 0, u64::wrapping_add));
        Ok::<_, std::convert::Infallible>(())
    };
    match fastest(time, sum) {
        Ok(seconds) => BYTES as f64 / 1e9 / seconds,
        Err(never) => match never {},
    }
}

/// Seconds of the fastest run of `work` within `time`; it runs at least three times.
fn fastest<E>(time: Duration, mut work: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    let begin = Instant::now();
    let mut fastest = f64::INFINITY;
    let mut runs = 0;
    while runs < 3 || begin.elapsed() < time {
        let start = Instant::now();
        work()?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    Ok(fastest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_positive_and_finite() {
        let ceilings = measure(Duration::from_millis(1)).unwrap();
        for ceiling in [
            ceilings.fma_gflop_per_second,
            ceilings.gemm_gflop_per_second,
            ceilings.read_gb_per_second,
        ] {
            assert!(ceiling > 0.0 && ceiling.is_finite(), "{ceilings:?}");
        }
    }
}
