//! `fgd merge`: the moments of the whole from the moments of its shards.

use super::exit::{Exit, usage};
use super::output::{Output, Sink};
use crate::jobs::scoring::system::read_moments;
use anyhow::Context;
use fgd_store::arrays;
use std::io::Cursor;
use std::path::PathBuf;

/// Arguments of `fgd merge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Moments of the shards: .npz files with mu, sigma and n.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the merged moments go.
    #[arg(short, long, value_name = "FILE.npz", env = "FGD_OUTPUT")]
    output: PathBuf,
}

/// Runs `fgd merge`.
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    let sink = Sink::open(Some(&args.output))?;
    let mut total: Option<fgd_metrics::moments::Moments> = None;
    for file in &args.files {
        let (moments, n) = read_moments(file)?;
        if n.is_none() {
            return Err(usage(format!(
                "{}: has no `n`, so its weight in the whole is not known; write it with `fgd moments`",
                file.display()
            )));
        }
        match &mut total {
            None => total = Some(moments),
            Some(total) => total
                .merge(&moments)
                .with_context(|| format!("{}: does not fit the files before it", file.display()))?,
        }
    }
    let total = total.ok_or_else(|| usage("no file given"))?;
    let mut bytes = Cursor::new(Vec::new());
    let (mu, sigma) = (total.mean(), total.covariance(1)?);
    arrays::write_moments(&mut bytes, mu.view(), sigma.view(), total.n())?;
    sink.write(bytes.get_ref())?;
    output.say(format!("moments of {} embeddings", total.n()));
    Ok(Exit::Success)
}
