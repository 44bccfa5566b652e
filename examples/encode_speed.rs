//! Encodes the captions of a text file, one per line, and prints the speed as JSON, in the form of
//! `benches/peers/encode_peers.py`:
//!
//!     cargo run --release --example encode_speed -- ENCODER_DIR CAPTIONS.txt [THREADS] [ROUNDS] [ENGINE] [OUT.json]
//!
//! Tokenisation is timed on its own and taken away; the peak is measured before every round. `p50` and `p99` are the seconds of
//! one caption, from text to vector, over a sample.

use std::time::{Duration, Instant};

use anyhow::Context;
use fgd_encoder::{Encoder, Options, Spec, Tokens, probe};

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [directory, file] = [1, 2].map(|i| args.get(i));
    let directory = directory.context("the first argument is the encoder's directory")?;
    let file = file.context("the second argument is a file with one caption per line")?;
    let threads: usize = args.get(3).map_or(Ok(2), |text| text.parse())?;
    let rounds: usize = args.get(4).map_or(Ok(1), |text| text.parse())?;
    let options = Options {
        engine: args.get(5).map_or(Ok(Default::default()), |text| text.parse())?,
        ..Options::default()
    };
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;

    let start = Instant::now();
    let spec = Spec::read(directory.as_ref())?;
    let encoder = Encoder::load(&spec, &options)?;
    let load = start.elapsed().as_secs_f64();
    let text = std::fs::read_to_string(file)?;
    let captions: Vec<&str> = text.lines().collect();
    let tokens = Tokens::load(&spec)?;
    let counts = tokens.counts(&captions)?;
    let flop: f64 = counts
        .iter()
        .map(|n| *n.min(&encoder.max_length()))
        .map(|n| n as f64 * spec.flop_per_token(n))
        .sum();

    for _ in 0..rounds {
        let mut peak = 0.0;
        let probing = timed(|| {
            peak = probe::fma_peak(threads, Duration::from_millis(500));
            anyhow::Ok(())
        })?;
        let tokenising = timed(|| tokens.counts(&captions).map(drop))?;
        let mut embeddings = None;
        let encoding =
            timed(|| encoder.encode(&captions, &|_| ()).map(|rows| embeddings = Some(rows)))?;
        let seconds = encoding.wall - tokenising.wall;
        let alone = alone(&encoder, &captions)?;
        let percentile = |p: usize| alone[(alone.len() * p / 100).min(alone.len() - 1)];
        let gflops = flop / seconds / 1e9;
        // On a machine that others use too, processor time tells more than wall time.
        let cpu_seconds = encoding.cpu - tokenising.cpu;
        let share_cpu = (flop / 1e9 / cpu_seconds) / (peak * probing.wall / probing.cpu);
        println!(
            "{}",
            serde_json::json!({
                "engine": encoder.engine(), "threads": threads, "captions": captions.len(),
                "seconds": seconds, "captions_per_second": captions.len() as f64 / seconds,
                "gflops": gflops, "fma_peak": peak, "share_of_peak": gflops / peak, "cpu_seconds": cpu_seconds,
                "share_of_peak_cpu": share_cpu, "load_seconds": load, "p50": percentile(50), "p99": percentile(99),
            })
        );
        if let (Some(out), Some(embeddings)) = (args.get(6), embeddings) {
            let rows: Vec<Vec<f32>> =
                embeddings.rows().into_iter().map(|row| row.to_vec()).collect();
            std::fs::write(out, serde_json::to_vec(&rows)?)?;
        }
    }
    Ok(())
}

/// Captions that are encoded one after the other.
const SAMPLE: usize = 256;

/// Seconds of one caption, in ascending order.
fn alone(encoder: &Encoder, captions: &[&str]) -> anyhow::Result<Vec<f64>> {
    let sample = captions.iter().step_by((captions.len() / SAMPLE).max(1));
    let mut seconds: Vec<f64> = sample
        .map(|caption| Ok(timed(|| encoder.encode(&[caption], &|_| ()).map(drop))?.wall))
        .collect::<anyhow::Result<_>>()?;
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// Seconds that passed, and seconds that this process computed.
struct Timed {
    wall: f64,
    cpu: f64,
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Timed, E> {
    let (start, before) = (Instant::now(), cpu_seconds());
    work()?;
    Ok(Timed { wall: start.elapsed().as_secs_f64(), cpu: cpu_seconds() - before })
}

/// User time of all threads on Linux, where a tick is 1/100 s; not a number elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().nth(11).and_then(|field| field.parse::<f64>().ok());
    ticks.map_or(f64::NAN, |ticks| ticks / 100.0)
}
