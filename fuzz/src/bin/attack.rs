//! Mutates the seeds of every target and runs the readers on them, in processes that are watched.
//!
//! ```text
//! attack --inputs 5000                             # every target in turn, inside worker processes
//! attack --inputs 200 --program target/debug/fgd   # the same inputs as files of the program's commands
//! attack --target npy --show 17 > input.npy        # an input again, by its number
//! ```
//!
//! Trouble is a process that ends by a signal or a panic, more than 10 s of processor time for one input, more than 2 GB of
//! memory, an exit code beyond 5, or a control character in what the program says. Each is written to `--keep DIR`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use fgd_fuzz::{Target, mutate, targets};

/// Processor time that one input may take, in seconds.
const MOST_SECONDS: f64 = 10.0;
/// Memory that one input may take, in kB, beyond what the worker takes anyhow.
const MOST_MEMORY: u64 = 2_000_000;
/// Address space of a worker, in kB: more is an allocation that fails.
const ADDRESS_SPACE: u64 = 6_000_000;

#[derive(Debug, Parser)]
struct Args {
    /// These targets only.
    #[arg(long)]
    target: Vec<String>,
    /// Inputs for each target.
    #[arg(long, default_value_t = 1000)]
    inputs: u64,
    /// Number of the first input.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Another seed makes other inputs.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run this program on each input instead of the readers themselves.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Write what was trouble to this folder.
    #[arg(long, default_value = "target/attack")]
    keep: PathBuf,
    /// End after so many seconds, even if inputs are left.
    #[arg(long, default_value_t = u64::MAX)]
    seconds: u64,
    /// Print the names of the targets and end.
    #[arg(long)]
    list: bool,
    /// Write the seeds of a target to this folder and end.
    #[arg(long)]
    seeds: Option<PathBuf>,
    /// Print an input and end.
    #[arg(long)]
    show: Option<u64>,
    /// Run inputs inside this process, telling of each.
    #[arg(long, hide = true)]
    worker: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let targets: Vec<&Target> = targets()
        .filter(|t| args.target.is_empty() || args.target.iter().any(|n| n == t.name))
        .collect();
    anyhow::ensure!(!targets.is_empty(), "no such target");
    if args.list {
        targets.iter().for_each(|target| println!("{}", target.name));
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(folder) = &args.seeds {
        for (number, seed) in targets[0].corpus().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(index) = args.show {
        let corpus = targets[0].corpus();
        std::io::stdout().write_all(&mutate::input(&corpus, args.seed, index))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.worker {
        work(targets[0], &args);
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = 0;
    for target in targets {
        let found = match &args.program {
            None => watch(target, &args)?,
            Some(program) => run_program(target, program, &args)?,
        };
        let told: Vec<String> =
            found.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let told = if told.is_empty() { "no trouble".into() } else { told.join(", ") };
        println!(
            "{:<18} {:>7} runs  {:>6.2} s at most  {:>5} MB at most  {told}",
            target.name,
            found.runs,
            found.seconds,
            found.memory / 1000
        );
        all += found.kinds.values().sum::<u64>();
    }
    Ok(if all == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What became of a target.
#[derive(Default)]
struct Found {
    runs: u64,
    kinds: BTreeMap<&'static str, u64>,
    seconds: f64,
    memory: u64,
}

impl Found {
    fn trouble(
        &mut self,
        kind: &'static str,
        target: &Target,
        index: u64,
        args: &Args,
    ) -> Result<()> {
        *self.kinds.entry(kind).or_default() += 1;
        std::fs::create_dir_all(&args.keep)?;
        let name = format!("{}-{}-{index}-{}", target.name, args.seed, kind.replace(' ', "-"));
        let input = mutate::input(&target.corpus(), args.seed, index);
        std::fs::write(args.keep.join(&name), input)?;
        eprintln!("{}: input {index}: {kind}", target.name);
        Ok(())
    }
}

/// The inner loop: says `index` before each input, and `done index kB seconds` after it.
fn work(target: &Target, args: &Args) {
    // A panic ends the worker, and the parent says with which input.
    let corpus = target.corpus();
    let mut before = processor_seconds(std::process::id()).unwrap_or(0.0);
    for index in args.first..args.first.saturating_add(args.inputs) {
        let input = mutate::input(&corpus, args.seed, index);
        // Memory is counted from here: what was taken before does not count for this input.
        drop(std::fs::write("/proc/self/clear_refs", "5"));
        say(&format!("{index}"));
        (target.run)(&input);
        let now = processor_seconds(std::process::id()).unwrap_or(0.0);
        say(&format!("done {index} {} {:.2}", peak_memory(std::process::id()), now - before));
        before = now;
    }
    say("end");
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Runs workers until all inputs are done; one that dies is replaced behind the input that killed it.
fn watch(target: &Target, args: &Args) -> Result<Found> {
    let mut found = Found::default();
    let (mut next, end) = (args.first, args.first.saturating_add(args.inputs));
    let began = Instant::now();
    while next < end && began.elapsed().as_secs() < args.seconds {
        let mut child = worker(target, args, next, end - next)?;
        let lines = lines_of(child.stdout.take().context("a worker has an output")?);
        let mut current = None;
        let mut since = 0.0;
        loop {
            match lines.recv_timeout(Duration::from_millis(500)) {
                Ok(line) if line == "end" => {
                    next = end;
                    break;
                }
                Ok(_) if began.elapsed().as_secs() >= args.seconds => break,
                Ok(line) => match line.strip_prefix("done ") {
                    None => {
                        current = line.parse::<u64>().ok();
                        since = processor_seconds(child.id()).unwrap_or(0.0);
                        found.runs += 1;
                    }
                    Some(done) => {
                        let index = current.take().unwrap_or(next);
                        next = index + 1;
                        let mut numbers = done.split(' ').skip(1);
                        let memory = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0);
                        let seconds = numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0.0);
                        found.memory = found.memory.max(memory);
                        found.seconds = found.seconds.max(seconds);
                        if memory > MOST_MEMORY {
                            found.trouble("more than 2 GB", target, index, args)?;
                        }
                        if seconds > MOST_SECONDS {
                            found.trouble("slow", target, index, args)?;
                        }
                    }
                },
                Err(RecvTimeoutError::Timeout) => {
                    let spent = processor_seconds(child.id()).unwrap_or(0.0) - since;
                    if let Some(index) = current.filter(|_| spent > 2.0 * MOST_SECONDS) {
                        child.kill()?;
                        found.trouble("hang", target, index, args)?;
                        next = index + 1;
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait()?;
                    let index = current.unwrap_or(next);
                    let kind = if status.code() == Some(101) { "panic" } else { "abort" };
                    found.trouble(kind, target, index, args)?;
                    next = index + 1;
                    break;
                }
            }
        }
        drop(child.kill());
        child.wait()?;
    }
    Ok(found)
}

fn worker(target: &Target, args: &Args, first: u64, inputs: u64) -> Result<Child> {
    let mut command = limited(&std::env::current_exe()?);
    command
        .arg("--worker")
        .args(["--target", target.name])
        .args(["--seed", &args.seed.to_string()])
        .args(["--first", &first.to_string()])
        .args(["--inputs", &inputs.to_string()])
        .stdout(Stdio::piped());
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        command.stderr(Stdio::null());
    }
    Ok(command.spawn()?)
}

/// A command with a limited address space, and one thread.
fn limited(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")).arg(program);
    for variable in ["RAYON_NUM_THREADS", "POLARS_MAX_THREADS"] {
        command.env(variable, "1");
    }
    command
}

fn lines_of(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(|line| line.ok()) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Runs the commands of a target on each input as a file.
fn run_program(target: &Target, program: &Path, args: &Args) -> Result<Found> {
    let program = program.canonicalize().context("the program")?;
    let mut found = Found::default();
    let folder = tempfile::tempdir()?;
    let corpus = target.corpus();
    let file = folder.path().join(target.file);
    let encoder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/encoder/tiny-mean");
    for index in args.first..args.first.saturating_add(args.inputs) {
        std::fs::write(&file, mutate::input(&corpus, args.seed, index))?;
        for words in target.commands {
            let out = folder.path().join("out");
            let argument = |word: &&str| {
                word.replace("{out}", &out.display().to_string())
                    .replace("{encoder}", &encoder.display().to_string())
                    .replace("{}", &file.display().to_string())
            };
            let mut command = limited(&program);
            command.args(words.iter().map(argument)).current_dir(folder.path());
            command.env("HF_HUB_OFFLINE", "1").env("FGD_CACHE_DIR", folder.path().join("cache"));
            found.runs += 1;
            if let Some(kind) = outcome(command, &mut found)? {
                found.trouble(kind, target, index, args)?;
            }
        }
    }
    Ok(found)
}

/// Runs a command to its end; what is wrong with it, if anything is.
fn outcome(mut command: Command, found: &mut Found) -> Result<Option<&'static str>> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) =
        (child.stdout.take().context("stdout")?, child.stderr.take().context("stderr")?);
    let out = std::thread::spawn(move || said(out));
    let err = std::thread::spawn(move || said(err));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        found.memory = found.memory.max(peak_memory(child.id()));
        let seconds = processor_seconds(child.id()).unwrap_or(0.0);
        found.seconds = found.seconds.max(seconds);
        if seconds > MOST_SECONDS {
            child.kill()?;
            child.wait()?;
            return Ok(Some("hang"));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = [out.join().unwrap_or_default(), err.join().unwrap_or_default()].concat();
    Ok(match status.code() {
        None | Some(128..) => Some("abort"),
        Some(6..) => Some("exit code"),
        _ if text.contains("a defect of fgd") => Some("panic"),
        _ if text.contains(|c: char| c.is_control() && c != '\n') => Some("control character"),
        _ => None,
    })
}

fn said(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    drop(from.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Processor time of a process, its threads included.
fn processor_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    // Linux counts in hundredths for every process that asks.
    Some(ticks as f64 / 100.0)
}

/// Most memory that a process has had, in kB, since that was last reset.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
