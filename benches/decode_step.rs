//! Steps of the captioner's decoder, one and four rows at a time, on the tiny fixture or on the checkpoint in the directory
//! `FGD_BENCH_CHECKPOINT` (`examples/random_blip2.rs` writes one of full size).

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fgd_captioner::{Captioner, LoadOptions};

/// Steps per measurement.
const STEPS: usize = 8;

fn decode_step(c: &mut Criterion) {
    let directory = std::env::var_os("FGD_BENCH_CHECKPOINT").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiny-blip2/base"),
        PathBuf::from,
    );
    let captioner = Captioner::load(&directory, None, LoadOptions::default(), &|_| ())
        .expect("the checkpoint loads");
    let model = captioner.language_model();
    let config = captioner.config();
    let shape = (1, config.num_query_tokens + 9, config.text_config.d_model);
    let prompt = Tensor::ones(shape, DType::F32, &Device::Cpu).expect("a tensor of ones");
    let start = captioner.special_tokens().decoder_start;
    let mut group = c.benchmark_group("decode step");
    group.sample_size(10);
    for rows in [1, 4] {
        group.throughput(Throughput::Elements((STEPS * rows) as u64));
        group.bench_function(format!("{rows} rows"), |b| {
            b.iter_batched(
                || model.start(&prompt, None, rows, STEPS).expect("the prompt is encoded"),
                |mut cache| {
                    for _ in 0..STEPS {
                        model.step(&vec![start; rows], &mut cache).expect("a step is made");
                    }
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, decode_step);
criterion_main!(benches);
