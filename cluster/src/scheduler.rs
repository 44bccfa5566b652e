//! `fgd-cluster scheduler`: the process that plans and hands out tasks. What it knows is in its memory alone; a score goes on without
//! what a lost scheduler knew.

use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::error::Result;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service};

use crate::control::{self, Server};
use crate::functions::session_state;
use crate::network::BindArgs;
use crate::tls::{Key, KeyArgs};

/// Largest message: the sums of a group in 2,000 dimensions.
pub const MESSAGE: u32 = 256 << 20;

/// Arguments of `fgd-cluster scheduler`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    bind: BindArgs,
    #[command(flatten)]
    key: KeyArgs,
    /// Port that executors and scores come to; `status` and `stop` come to the next one.
    #[arg(long, value_name = "N", default_value_t = 50050, env = "FGD_PORT")]
    port: u16,
    /// Seconds without a heartbeat after which an executor counts as lost; several times its --heartbeat.
    #[arg(long, value_name = "S", default_value_t = 15, env = "FGD_EXECUTOR_TIMEOUT")]
    executor_timeout: u64,
    /// Seconds that jobs wait for an executor where there is none.
    #[arg(long, value_name = "S", default_value_t = 30, env = "FGD_GRACE")]
    grace: u64,
}

/// Runs until it is told to end.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let key = args.key.read()?;
    let place = args.bind.place(key.as_ref())?;
    let address = SocketAddr::new(place.inner, args.port);
    let control = control::port(args.port);
    for port in [args.port, control] {
        place.relay(key.as_ref(), port).await?;
    }
    let config = SchedulerConfig {
        bind_host: place.inner.to_string(),
        external_host: args.bind.host(),
        bind_port: args.port,
        executor_timeout_seconds: args.executor_timeout,
        // The default looks every 15 seconds, which is most of the time that a lost executor costs.
        expire_dead_executor_interval_seconds: 1,
        no_executors_grace_period_seconds: args.grace,
        // Clients then need to reach no port but this one.
        enable_embedded_flight_proxy: true,
        grpc_server_max_decoding_message_size: MESSAGE,
        grpc_server_max_encoding_message_size: MESSAGE,
        grpc_client_max_message_size: MESSAGE,
        override_create_grpc_client_endpoint: key.as_ref().map(Key::endpoints),
        override_session_builder: Some(Arc::new(session_state)),
        ..SchedulerConfig::default()
    };
    config.validate()?;
    let cluster = BallistaCluster::new_from_config(&config).await?;
    let server: Server = create_scheduler(cluster, Arc::new(config)).await?;
    let served: Result<()> = tokio::select! {
        served = start_grpc_service(address, server.clone()) => served,
        asked = control::serve(SocketAddr::new(place.inner, control), server) => return asked,
        () = crate::ended() => Ok(()),
    };
    Ok(served?)
}
