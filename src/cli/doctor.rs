//! `fgd doctor`: what this machine and this build offer, what is set up, and how fast it is.

use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::output::{Output, Sink};
use crate::cache::{self, EmbeddingCache};
use crate::eval::provenance;
use crate::hub;
use crate::{encoder, host};
use std::fmt::Write;

/// Arguments of `fgd doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    encoder: EncoderArgs,
}

/// Runs `fgd doctor`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let tool = provenance::tool();
    let host = host::describe();
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        writeln!(text, "{name:<12} {value}").expect("writing to a string succeeds");
    };
    line(
        "fgd",
        match &tool.commit {
            Some(commit) => format!(
                "{} ({}{})",
                tool.version,
                &commit[..commit.len().min(10)],
                if tool.dirty == Some(true) {
                    ", with uncommitted changes"
                } else {
                    ""
                }
            ),
            None => tool.version.clone(),
        },
    );
    line("processor", format!("{}, {} cores", host.cpu, host.cores));
    line("SIMD", encoder::simd_level());
    line("threads", host.threads.to_string());
    line(
        "memory",
        host.memory_bytes.map_or_else(
            || "unknown".into(),
            |bytes| format!("{:.1} GB", bytes as f64 / 1e9),
        ),
    );
    line(
        "algebra",
        fgd_metrics::linalg::default_solver().name().into(),
    );
    let settings = hub::Settings::from_env(false);
    line(
        "hub cache",
        format!(
            "{}{}",
            settings.cache.display(),
            if settings.offline { " (offline)" } else { "" }
        ),
    );
    line(
        "embeddings",
        match cache::folder() {
            Ok(folder) => EmbeddingCache::file(&folder).display().to_string(),
            Err(error) => error.to_string(),
        },
    );
    let healthy = match args.encoder.open(output) {
        Ok(embedder) => {
            let info = embedder.info();
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
                    if info.is_gte_small {
                        ""
                    } else {
                        "; its numbers are NOT FGD"
                    }
                ),
            );
            true
        }
        Err(error) => {
            line("encoder", format!("NOT AVAILABLE: {error:#}"));
            false
        }
    };
    Sink::Stdout.write(text.as_bytes())?;
    Ok(if healthy {
        Exit::Success
    } else {
        Exit::Failure
    })
}
