//! `fgd-cluster executor`: the process that embeds and sums.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use datafusion::prelude::SessionConfig;

use crate::fingerprint::{EncoderArgs, Fingerprint};
use crate::functions::{Engine, registry};
use crate::network::BindArgs;
use crate::query::session_config;
use crate::scheduler::MESSAGE;
use crate::tls::{Key, KeyArgs};
use crate::{Scheduler, storage};

/// Arguments of `fgd-cluster executor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    scheduler: Scheduler,
    #[command(flatten)]
    bind: BindArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Port for results; this and the next one are used. A free pair by default.
    #[arg(long, value_name = "N", env = "FGD_PORT")]
    port: Option<u16>,
    /// Folder for what tasks leave to each other, some 5 MB each.
    #[arg(long, value_name = "DIR", env = "FGD_WORK_DIR")]
    work_dir: PathBuf,
    #[command(flatten)]
    encoder: EncoderArgs,
    /// Tasks at a time; they share the threads of --threads.
    #[arg(long, value_name = "N", default_value = "2", env = "FGD_TASKS")]
    tasks: NonZeroUsize,
    /// Threads that embed; all cores by default.
    #[arg(long, value_name = "N", env = "FGD_THREADS")]
    pub threads: Option<usize>,
    /// Seconds between signs of life.
    #[arg(long, value_name = "S", default_value = "3", env = "FGD_HEARTBEAT")]
    heartbeat: NonZeroU64,
    /// Seconds to wait for the scheduler at the start.
    #[arg(long, value_name = "S", default_value_t = 60, env = "FGD_CONNECT_TIMEOUT")]
    connect_timeout: u16,
}

/// Loads the encoder, and serves until it is told to end.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let key = args.key.read()?;
    let place = args.bind.place(key.as_ref())?;
    let (scheduler_host, scheduler_port) = args.scheduler.host_and_port()?;
    let port = match args.port {
        Some(port) => port,
        None => place.free_pair()?,
    };
    for port in [port, port.saturating_add(1)] {
        place.relay(key.as_ref(), port).await?;
    }
    std::fs::create_dir_all(&args.work_dir)
        .with_context(|| format!("{}: cannot be made", args.work_dir.display()))?;
    let work_dir = args.work_dir.to_str().context("--work-dir: is no text")?.to_owned();
    let embedder = args.encoder.open()?;
    let fingerprint = Fingerprint::of(&embedder);
    let engine = Engine {
        encoder: embedder.load()?,
        fingerprint,
        name: format!("{}:{port}", args.bind.host()),
    };
    tracing::info!("executor {} has {}", engine.name, engine.fingerprint);
    let runtime_dir = work_dir.clone();
    let config = ExecutorProcessConfig {
        bind_host: place.inner.to_string(),
        external_host: Some(args.bind.host()),
        port,
        grpc_port: port.saturating_add(1),
        scheduler_host,
        scheduler_port,
        scheduler_connect_timeout_seconds: args.connect_timeout,
        vcores: args.tasks.get(),
        work_dir: Some(work_dir),
        job_data_ttl_seconds: 3600,
        job_data_clean_up_interval_seconds: 600,
        grpc_max_decoding_message_size: MESSAGE,
        grpc_max_encoding_message_size: MESSAGE,
        executor_heartbeat_interval_seconds: args.heartbeat.get(),
        // Sums are not spilled, and a pool that is too small would only end them.
        memory_pool_size: Some(0),
        override_create_grpc_client_endpoint: key.as_ref().map(Key::endpoints),
        override_config_producer: Some(Arc::new(move || session_config(key.as_ref()))),
        override_function_registry: Some(registry(Arc::new(engine))),
        override_runtime_producer: Some(Arc::new(move |_: &SessionConfig| {
            storage::runtime_in(&runtime_dir)
        })),
        ..ExecutorProcessConfig::default()
    };
    Ok(start_executor_process(Arc::new(config)).await?)
}
