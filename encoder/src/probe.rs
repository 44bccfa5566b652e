//! How fast this machine can multiply and how fast an encoder runs on it: the figures of `fgd doctor`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use fgd_kernels::Level;
use rayon::prelude::*;

use super::{Encoder, EncoderError};

/// The multiply-add rate that `threads` threads reach together in registers, in GFLOP/s (two operations per
/// multiply-add), measured for `time`. It is the ceiling of any f32 engine on this machine at this moment.
pub fn fma_peak(threads: usize, time: Duration) -> f64 {
    const ROUNDS: usize = 50_000;
    let level = Level::current();
    let flop_per_call = (ROUNDS * level.chains() * 16 * 2) as f64;
    let worker = || {
        let start = Instant::now();
        let mut calls = 0;
        while calls == 0 || start.elapsed() < time {
            black_box(level.multiply_adds(black_box(ROUNDS)));
            calls += 1;
        }
        f64::from(calls) * flop_per_call / start.elapsed().as_secs_f64() / 1e9
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).sum()
    })
}

/// What an encoder does on the threads of the current rayon pool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Captions per second, tokenisation included.
    pub captions_per_second: f64,
    /// Tokens per second, special tokens included.
    pub tokens_per_second: f64,
    /// Useful GFLOP/s: [`super::Spec::flop_per_token`] times the tokens.
    pub gflops: f64,
}

/// Encodes made-up captions of everyday length (about 25 tokens) for `time`.
///
/// # Errors
/// As [`Encoder::encode`].
pub fn encode_speed(encoder: &Encoder, time: Duration) -> Result<Speed, EncoderError> {
    let threads = rayon::current_num_threads();
    let mut captions = made_up(32 * threads, 0);
    // The first call fetches the weights into the caches and is not counted.
    run(encoder, &captions[..threads.min(captions.len())])?;
    let start = Instant::now();
    let (mut done, mut tokens, mut flop) = (0, 0, 0.0);
    while done == 0 || start.elapsed() < time {
        let counts = run(encoder, &captions)?;
        done += captions.len();
        tokens += counts.iter().sum::<usize>();
        flop += counts.iter().map(|n| *n as f64 * encoder.spec().flop_per_token(*n)).sum::<f64>();
        captions = made_up(captions.len(), done);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Speed {
        captions_per_second: done as f64 / seconds,
        tokens_per_second: tokens as f64 / seconds,
        gflops: flop / seconds / 1e9,
    })
}

fn run(encoder: &Encoder, captions: &[String]) -> Result<Vec<usize>, EncoderError> {
    let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
    encoder.encode(&captions, &|_| ())?;
    let limit = encoder.max_length();
    let counts = encoder.token_counts(&captions)?;
    Ok(counts.into_par_iter().map(|n| n.min(limit)).collect())
}

/// Distinct captions of 17 to 25 everyday words.
fn made_up(count: usize, from: usize) -> Vec<String> {
    const WORDS: [&str; 16] = [
        "a", "man", "in", "the", "red", "coat", "stands", "near", "two", "dogs", "on", "wet",
        "street", "with", "old", "houses",
    ];
    (from..from + count)
        .map(|i| {
            (0..17 + i % 9)
                .map(|j| WORDS[(i * 7 + j * (1 + i % 5)) % WORDS.len()])
                .chain(std::iter::once(format!("number {i}").as_str()))
                .fold(String::new(), |text, word| text + word + " ")
        })
        .collect()
}
