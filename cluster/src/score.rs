//! `fgd-cluster score`: a record of each submission.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;

use crate::summing::{Summing, SummingArgs};

/// Arguments of `fgd-cluster score`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    summing: SummingArgs,
    /// Write the record to a file instead of stdout. Of several submissions, a folder for a record of each.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
}

/// Scores buckets.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let summing = Summing::open(&args.summing, false).await?;
    let records = match (&args.output, summing.manifest.systems()) {
        (output, 1) => vec![output.clone()],
        (Some(folder), _) => summing.manifest.names().map(|name| Some(folder.join(name))).collect(),
        (None, systems) => bail!(
            "{systems} submissions have a record each; say with -o which folder they go to, or rank them with `fgd-cluster leaderboard`"
        ),
    };
    summing.make_all().await?;
    let place = summing.place()?;
    if let [Some(first), _, ..] = &records[..] {
        std::fs::create_dir_all(first.parent().unwrap_or(first))?;
    }
    for (system, record) in records.into_iter().enumerate() {
        let whole = place.path().join("whole.sums");
        std::fs::write(&whole, summing.sums(system).await?.to_bytes())?;
        let mut request = summing.request("sums", &place);
        request["sums"] = json!(whole);
        if system > 0 {
            request["system"] = system.into();
        }
        args.summing.program.job(&request, record.as_deref())?;
    }
    Ok(())
}
