//! Times the Fréchet distance of two files of moments, or the moments of a file of embeddings, and prints JSON in the form
//! of `benches/peers/distance_peers.py`:
//!
//!     cargo run --release --example distance_speed -- A.npz B.npz [REPEATS]
//!     cargo run --release --example distance_speed -- EMBEDDINGS.npy [REPEATS]
//!
//! Reading the files is not timed. The seconds are those of the fastest repeat.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use fgd::jobs::scoring::system::moments_of;
use fgd_metrics::frechet::from_moments;
use fgd_metrics::moments::Moments;
use fgd_store::arrays::{read_embeddings, read_moments};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (files, numbers): (Vec<&String>, Vec<&String>) = (arguments.iter())
        .partition(|argument| argument.ends_with(".npz") || argument.ends_with(".npy"));
    let repeats: usize = numbers.first().map_or(Ok(1), |text| text.parse())?;
    let (seconds, value) = match files.as_slice() {
        [embeddings] => {
            let rows = read_embeddings(Path::new(embeddings))?;
            fastest(repeats, || Ok(Moments::from_rows(rows.view()).mean()[0]))?
        }
        [a, b] => {
            let [a, b] = [a, b].map(|path| {
                read_moments(Path::new(path)).and_then(|read| moments_of(read, Path::new(path)))
            });
            let (a, b) = (a?, b?);
            fastest(repeats, || Ok(from_moments(&a, &b)?.value))?
        }
        _ => anyhow::bail!("give two .npz files of moments, or one .npy file of embeddings"),
    };
    println!("{}", serde_json::json!({ "engine": "fgd", "seconds": seconds, "value": value }));
    Ok(())
}

/// Seconds and result of the fastest of so many runs.
fn fastest(repeats: usize, work: impl Fn() -> anyhow::Result<f64>) -> anyhow::Result<(f64, f64)> {
    (0..repeats)
        .map(|_| {
            let start = Instant::now();
            let value = black_box(work()?);
            Ok((start.elapsed().as_secs_f64(), value))
        })
        .collect::<anyhow::Result<Vec<_>>>()?
        .into_iter()
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .context("0 repeats time nothing")
}
