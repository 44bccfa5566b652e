//! Tokenising captions on all threads, with the tokenizer of the tiny fixture or of the directory `FGD_BENCH_ENCODER`.

use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fgd::bench::workload;
use fgd_encoder::{Spec, Tokens};

fn tokenise(c: &mut Criterion) {
    let directory = std::env::var_os("FGD_BENCH_ENCODER").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/encoder/tiny-mean"),
        PathBuf::from,
    );
    let spec = Spec::read(&directory).expect("the directory holds an encoder");
    let tokens = Tokens::load(&spec).expect("the tokenizer loads");
    let captions = workload::captions(1024, 0);
    let captions: Vec<&str> = captions.iter().map(String::as_str).collect();
    let mut group = c.benchmark_group("tokenise");
    group.sample_size(20);
    group.throughput(Throughput::Elements(captions.len() as u64));
    group.bench_function("captions", |b| {
        b.iter(|| tokens.counts(&captions).expect("captions are tokenised"));
    });
    group.finish();
}

criterion_group!(benches, tokenise);
criterion_main!(benches);
