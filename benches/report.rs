//! Rendering a saved record in every format, and as a site.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fgd_record::Record;
use fgd_reports::{Format, Style, render, site};

fn report(c: &mut Criterion) {
    let text = include_str!("../reports/tests/golden/leaderboard.json");
    let record = Record::from_json(text).expect("the golden file is a record");
    let mut group = c.benchmark_group("report");
    for format in Format::ALL {
        let size = render(&record, format, &Style::default()).len();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format.name(), |b| {
            b.iter(|| render(&record, format, &Style::default()));
        });
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    group.bench_function("site", |b| {
        b.iter(|| {
            site::write(std::slice::from_ref(&record), folder.path()).expect("the site is written")
        });
    });
    group.finish();
}

criterion_group!(benches, report);
criterion_main!(benches);
