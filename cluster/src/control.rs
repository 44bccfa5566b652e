//! `fgd-cluster status` and `stop`: a word to the scheduler, on the port after its own, and what it answers.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use ballista_scheduler::scheduler_server::SchedulerServer;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::tls::KeyArgs;
use crate::{Scheduler, network};

/// The engine's scheduler.
pub type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// What is there?
pub const STATUS: &str = "status";
/// End.
pub const STOP: &str = "stop";
/// Longest wait for a word or an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `fgd-cluster status` and `stop`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    scheduler: Scheduler,
    #[command(flatten)]
    key: KeyArgs,
}

/// Where words go to a scheduler at a port.
pub fn port(scheduler: u16) -> u16 {
    scheduler.saturating_add(1)
}

/// Says a word to the scheduler and prints its answer.
pub async fn ask(args: &Args, word: &str) -> anyhow::Result<()> {
    let (host, port) = args.scheduler.host_and_port()?;
    let place = || format!("{}: no scheduler answers", args.scheduler.scheduler);
    let key = args.key.read()?;
    let answer = tokio::time::timeout(PATIENCE, async {
        let stream = TcpStream::connect((host, self::port(port))).await?;
        match &key {
            Some(key) => say(key.connect(stream).await?, word).await,
            None => say(stream, word).await,
        }
    });
    let answer = answer.await.with_context(place)?.with_context(place)?;
    if answer.is_empty() {
        bail!("{}: the scheduler has no answer to {word}", args.scheduler.scheduler);
    }
    print!("{answer}");
    Ok(())
}

async fn say(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    word: &str,
) -> std::io::Result<String> {
    stream.write_all(format!("{word}\n").as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer).await {
        // A process that ends takes no leave in TLS.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        read => drop(read?),
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Answers until it is told to end. Whoever says nothing keeps nobody waiting.
pub async fn serve(address: SocketAddr, server: Server) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("{address}"))?;
    let end = Arc::new(Notify::new());
    loop {
        let (stream, from) = tokio::select! {
            accepted = network::accept(&listener) => accepted,
            () = end.notified() => return Ok(()),
        };
        let (server, end) = (server.clone(), Arc::clone(&end));
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &server, &end).await {
                tracing::warn!("{from}: {error:#}");
            }
        });
    }
}

async fn answer(mut stream: TcpStream, server: &Server, end: &Notify) -> anyhow::Result<()> {
    let word = word(&mut stream).await;
    let answer = match word.as_deref() {
        Some(STATUS) => status(server).await?,
        Some(STOP) => stop(server).await?,
        _ => return Ok(()),
    };
    // Who asked may be gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    if word.as_deref() == Some(STOP) {
        end.notify_one();
    }
    Ok(())
}

/// The word of somebody who comes; they may say nothing, or too much.
async fn word(stream: &mut TcpStream) -> Option<String> {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(64));
    tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await.ok()?.ok()?;
    Some(line.trim().to_owned())
}

async fn status(server: &Server) -> anyhow::Result<String> {
    let executors = server.state.executor_manager.get_executors_state().await?;
    let lines: String = (executors.iter())
        .map(|(executor, ..)| format!("  {}:{}\n", executor.host, executor.port))
        .collect();
    let (running, waiting) = (
        server.state.task_manager.running_job_number(),
        server.state.task_manager.pending_job_number(),
    );
    Ok(format!("{} executors\n{lines}{running} jobs running, {waiting} waiting\n", executors.len()))
}

async fn stop(server: &Server) -> anyhow::Result<String> {
    let executors = server.state.executor_manager.get_executors_state().await?;
    for (executor, ..) in &executors {
        server.state.executor_manager.stop_executor(&executor.id, "fgd-cluster stop".into()).await;
    }
    // The engine sends what it was told by and by.
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(format!("{} executors and the scheduler end\n", executors.len()))
}
