//! Steps of the captioner's decoder from the newest tokens to the next ones, 1 to 16 rows at a time, beside the rate at which this
//! machine reads memory.
//!
//!     FGD_BENCH_CHECKPOINT=DIRECTORY FGD_BENCH_DTYPE=q8 cargo bench --bench decode_step
//!
//! Without a checkpoint it is the tiny fixture, whose weights stay in the cache; `examples/random_blip2.rs` writes one of full size.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use fgd::bench::ceilings;
use fgd_captioner::generate::{Step, generate};
use fgd_captioner::t5::{Cache, T5};
use fgd_captioner::{Captioner, GenerationConfig, LoadOptions, Precision, Result, tensors_of};

/// Tokens of each row.
const STEPS: usize = 12;

/// Tokens of the prompt behind an image's.
const PROMPT: usize = 9;

/// Turns of all numbers of rows.
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let directory = std::env::var_os("FGD_BENCH_CHECKPOINT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiny-blip2/base"),
        PathBuf::from,
    );
    let precision = std::env::var("FGD_BENCH_DTYPE").unwrap_or_else(|_| "q8".into());
    let precision = serde_json::from_value(precision.into())?;
    let options = LoadOptions { precision, ..LoadOptions::default() };
    let captioner = Captioner::load(&directory, None, options, &|_| ())?;
    let gigabytes = weights(&captioner)? * bytes(precision) / 1e9;
    for _ in 0..ROUNDS {
        let read = ceilings::measure(Duration::from_millis(300))?.read_gb_per_second;
        println!("read {read:.1} GB/s");
        for rows in [1, 4, 8, 12, 16] {
            let mut seconds = steps(&captioner, rows)?;
            seconds.sort_by(f64::total_cmp);
            let [least, median] = [seconds[0], seconds[seconds.len() / 2]];
            println!(
                "{rows:2} rows: {:5.1} ms, at least {:5.1}; weights at {:4.1} GB/s, {:2.0}% of reads",
                1e3 * median,
                1e3 * least,
                gigabytes / median,
                100.0 * gigabytes / median / read
            );
        }
    }
    Ok(())
}

/// Weights that a step reads.
fn weights(captioner: &Captioner) -> Result<f64> {
    let of_prompts = ["EncDecAttention.k.", "EncDecAttention.v."];
    let read = tensors_of(captioner.config())?.into_iter().filter(|(name, shape)| {
        let is_of_step = name.contains(".decoder.") || name.contains("lm_head");
        is_of_step && shape.len() == 2 && !of_prompts.iter().any(|part| name.contains(part))
    });
    Ok(read.map(|(_, shape)| shape.iter().product::<usize>() as f64).sum())
}

/// Bytes of a weight of a checkpoint in 16 bits.
fn bytes(precision: Precision) -> f64 {
    match precision {
        Precision::Q8 => 132.0 / 128.0,
        Precision::Bf16 | Precision::F32 => 2.0,
    }
}

/// Seconds of each step but the first, of captions of different images.
fn steps(captioner: &Captioner, rows: usize) -> Result<Vec<f64>> {
    let (t5, config) = (captioner.language_model(), captioner.config());
    let shape = (rows, config.num_query_tokens + PROMPT, config.text_config.d_model);
    let encoded = Tensor::ones(shape, DType::F32, &Device::Cpu)?;
    let cache = t5.decoder.start(&encoded, None, 1, STEPS)?;
    let settings =
        GenerationConfig { max_new_tokens: STEPS, ignore_eos: true, ..GenerationConfig::default() };
    let mut model = Timed { t5, cache, began: Vec::new() };
    generate(&mut model, &vec![0; rows], &settings, captioner.special_tokens())?;
    Ok(model.began.windows(2).map(|two| (two[1] - two[0]).as_secs_f64()).collect())
}

struct Timed<'a> {
    t5: &'a T5,
    cache: Cache,
    began: Vec<Instant>,
}

impl Step for Timed<'_> {
    fn step(&mut self, ids: &[u32]) -> Result<Vec<Vec<f32>>> {
        self.began.push(Instant::now());
        self.t5.step(ids, &mut self.cache)
    }

    fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        self.cache.go_on(rows)
    }

    fn is_on_host(&self) -> bool {
        self.cache.is_on_host()
    }
}
