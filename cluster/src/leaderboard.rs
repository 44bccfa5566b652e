//! `fgd-cluster leaderboard`: one record of all submissions, ranked.

use std::path::PathBuf;

use serde_json::json;

use crate::summing::{Summing, SummingArgs};

/// Arguments of `fgd-cluster leaderboard`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    summing: SummingArgs,
    /// Write the record to a file instead of stdout.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    output: Option<PathBuf>,
}

/// Ranks the submissions of buckets.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let summing = Summing::open(&args.summing, true).await?;
    summing.make_all().await?;
    let place = summing.place()?;
    let field = place.path().join("field");
    std::fs::write(&field, summing.field().await?.to_bytes())?;
    let mut sums = Vec::new();
    for system in 0..summing.manifest.systems() {
        let whole = place.path().join(format!("{system}.sums"));
        std::fs::write(&whole, summing.sums(system).await?.to_bytes())?;
        sums.push(whole);
    }
    let mut request = summing.request("board", &place);
    request["sums"] = json!(sums);
    request["field"] = json!(field);
    args.summing.program.job(&request, args.output.as_deref())
}
