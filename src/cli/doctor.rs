//! `fgd doctor`: what this machine and this build offer, what is set up, and how fast it is.

use std::fmt::Write;
use std::time::Duration;

use fgd_encoder::Embedder;
use fgd_encoder::cache::{CacheError, EmbeddingCache};
use fgd_encoder::probe;
use fgd_reports::document::width::hanging;
use fgd_store::terminal::visible;

use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::output::{Output, Sink};
use crate::host;
use crate::jobs::Session;
use crate::jobs::provenance;

/// Time of the speed probe, and of each of the two peaks around it.
const SPEED: Duration = Duration::from_secs(1);
const PEAK: Duration = Duration::from_millis(200);

/// Arguments of `fgd doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    encoder: EncoderArgs,
}

/// Runs `fgd doctor`.
pub fn run(args: &Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let tool = provenance::tool();
    let host = host::describe();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let value = hanging(&visible(&value), 13, output.width());
        writeln!(text, "{name:<12} {value}").expect("writing to a string succeeds");
    };
    line(
        "fgd",
        match &tool.commit {
            Some(commit) => format!(
                "{} ({}{})",
                tool.version,
                &commit[..commit.len().min(10)],
                if tool.dirty == Some(true) { ", with uncommitted changes" } else { "" }
            ),
            None => tool.version.clone(),
        },
    );
    line("processor", format!("{}, {} cores", host.cpu, host.cores));
    line("SIMD", fgd_kernels::Level::current().widest().to_owned());
    line("threads", host.threads.to_string());
    line(
        "memory",
        host.memory_bytes
            .map_or_else(|| "unknown".into(), |bytes| format!("{:.1} GB", bytes as f64 / 1e9)),
    );
    line("algebra", fgd_metrics::linalg::default_solver().name().into());
    let settings = &session.settings.hub;
    line(
        "hub cache",
        format!("{}{}", settings.cache.display(), if settings.offline { " (offline)" } else { "" }),
    );
    line(
        "embeddings",
        match &session.settings.cache {
            Some(folder) => EmbeddingCache::file(folder).display().to_string(),
            None => CacheError::NoFolder.to_string(),
        },
    );
    let healthy = match session.embedder(&args.encoder.encoding()) {
        Ok(embedder) => {
            let info = embedder.identity();
            line(
                "encoder",
                format!(
                    "{}, {} dimensions, {} on disk, {} pooling, at most {} tokens, engine {}{}",
                    info.id,
                    info.dim,
                    info.dtype,
                    info.pooling,
                    info.max_length,
                    info.engine,
                    if info.is_gte_small { "" } else { "; its numbers are NOT FGD" }
                ),
            );
            match speed(embedder) {
                Ok(speed) => {
                    line("speed", speed);
                    true
                }
                Err(error) => {
                    line("speed", format!("NOT MEASURED: {error:#}"));
                    false
                }
            }
        }
        Err(error) => {
            line("encoder", format!("NOT AVAILABLE: {error:#}"));
            false
        }
    };
    Sink::Stdout.write(text.as_bytes())?;
    Ok(if healthy { Exit::Success } else { Exit::Failure })
}

/// Loads the encoder, encodes for a second, and sets that against what the processor can multiply at most.
fn speed(embedder: &mut Embedder) -> anyhow::Result<String> {
    let threads = rayon::current_num_threads();
    let encoder = embedder.encoder()?;
    // Before and after: the processor's clock may change meanwhile.
    let peak = |time| probe::fma_peak(threads, time);
    let before = peak(PEAK);
    let speed = probe::encode_speed(encoder, SPEED)?;
    let peak = (before + peak(PEAK)) / 2.0;
    Ok(format!(
        "{:.0} captions/s, {:.0} tokens/s on {threads} threads: {:.0} GFLOP/s, {:.0}% of the {peak:.0} that its \
         f32 multiply-add units reach",
        speed.captions_per_second,
        speed.tokens_per_second,
        speed.gflops,
        100.0 * speed.gflops / peak,
    ))
}
