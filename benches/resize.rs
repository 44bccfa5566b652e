//! An image on its way to the model: decoding a JPEG of 640 × 480, resizing it to 224 × 224, and both with normalisation.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fgd::bench::workload;
use fgd_captioner::preprocess::{Preprocessor, Resize, decode, resize_bicubic};

fn resize(c: &mut Criterion) {
    let file = workload::images(1, 0).expect("an image is made").remove(0);
    let image = decode(&file).expect("the image decodes");
    let preprocessor = Preprocessor {
        size: 224,
        resize: Resize::To(224, 224),
        mean: [0.48, 0.46, 0.41],
        std: [0.27, 0.26, 0.28],
        rescale_factor: 1.0 / 255.0,
    };
    let mut group = c.benchmark_group("image");
    group.sample_size(20);
    group.throughput(Throughput::Bytes(image.data.len() as u64));
    group.bench_function("decode", |b| b.iter(|| decode(&file)));
    group.bench_function("resize", |b| b.iter(|| resize_bicubic(&image, 224, 224)));
    group.bench_function("decode, resize, normalise", |b| b.iter(|| preprocessor.pixels(&file)));
    group.finish();
}

criterion_group!(benches, resize);
criterion_main!(benches);
