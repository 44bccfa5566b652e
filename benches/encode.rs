//! Encoding speed of the engines, on the tiny fixture or on the encoder in the directory `FGD_BENCH_ENCODER`.
//! Against other engines: `script/bench-peers`.

use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fgd_encoder::{Encoder, EngineKind, Options, Spec};

fn encode(c: &mut Criterion) {
    let directory = std::env::var_os("FGD_BENCH_ENCODER").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-mean"),
        PathBuf::from,
    );
    let spec = Spec::read(&directory).expect("the directory holds an encoder");
    let captions: Vec<String> = (0..64)
        .map(|i| {
            format!("a dog number {i} runs on the beach near two children who play with a red ball")
        })
        .collect();
    let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
    let mut group = c.benchmark_group("encode");
    group.sample_size(10);
    group.throughput(Throughput::Elements(captions.len() as u64));
    for engine in EngineKind::ALL {
        let options = Options { engine, ..Options::default() };
        let encoder = Encoder::load(&spec, &options).expect("the encoder loads");
        group.bench_function(engine.name(), |b| {
            b.iter(|| encoder.encode(&captions, &|_| ()).expect("captions encode"));
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
