//! `fgd sweep`: one checkpoint under many settings of decoding, and which of them is better beyond chance.

use std::path::PathBuf;

use fgd_record::{GRID, Results};

use super::captioning::CaptioningArgs;
use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::{CaptionArgs, ReportArgs, ResultArgs};
use super::findings;
use super::images::ImageArgs;
use super::inputs::ReferenceColumns;
use super::metrics::SampleArgs;
use super::output::Output;
use crate::jobs::Session;
use crate::jobs::apart::Apart;
use crate::jobs::compare::{self, Request};
use crate::jobs::options::Named;
use crate::jobs::select::Choosing;

/// Settings that a sweep takes at most: each captions all images.
const MOST: usize = 100;

/// Arguments of `fgd sweep`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: beams and length on 1,000 validation images, from where the same command was interrupted.

  fgd sweep --checkpoint base --images photos --references val.csv \\
    --grid num_beams=1,5 --grid length_penalty=0.5,1,2 --grid max_new_tokens=30,40 --report sweep")]
pub struct Args {
    /// Checkpoint that captions: a directory or a hub id, or CHECKPOINT+ADAPTER.
    #[arg(long, value_name = "ID|DIR", env = "FGD_CHECKPOINT")]
    checkpoint: String,
    /// A setting of decoding and its values; every combination is tried, the first of all is the baseline. KEY is a
    /// flag of decoding with underscores: num_beams, length_penalty, min_new_tokens, temperature, samples, ...
    /// Repeatable; separated by semicolons in the environment.
    #[arg(
        long,
        required = true,
        value_delimiter = ';',
        value_name = "KEY=V1,V2,...",
        env = "FGD_GRID"
    )]
    grid: Vec<String>,
    #[command(flatten)]
    images: ImageArgs,
    /// The references: captions of the validation images. What is chosen here is scored elsewhere.
    #[arg(short, long, value_name = "FILE", env = "FGD_REFERENCES")]
    references: PathBuf,
    #[command(flatten)]
    columns: ReferenceColumns,
    /// Where captions, journals and records are kept: the same command goes on from there.
    #[arg(long, value_name = "DIR", default_value = "fgd-sweep.work", env = "FGD_WORK")]
    work: PathBuf,
    /// Bootstrap replicates behind every interval of a difference, 100 at least.
    #[arg(long, value_name = "N", default_value_t = 1000, env = "FGD_REPLICATES")]
    replicates: usize,
    #[command(flatten)]
    metrics: SampleArgs,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    captioning: CaptioningArgs,
    #[command(flatten)]
    result: ResultArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd sweep`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    let systems = combinations(&args.grid)?
        .into_iter()
        .map(|name| Named { path: format!("{}@{name}", args.checkpoint).into(), name });
    let request = Request {
        systems: systems.collect(),
        references: Some(args.columns.of(args.references)),
        images: Some(args.images.images),
        image_root: args.images.image_root,
        work: args.work,
        contrasts: 0,
        replicates: args.replicates,
        against_first: true,
        captioning: args.captioning.captioning(args.metrics.seed()),
        choosing: Choosing::default(),
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
        measuring: args.metrics.measuring(),
        ..Request::default()
    };
    request.keep_apart([args.result.output.as_deref(), args.report.place()])?;
    let sink = args.result.open()?;
    args.report.prepare()?;
    let mut record = compare::run(&request, session)?;
    record.settings.insert(GRID.to_owned(), args.grid.into());
    args.result.write(sink, &record, output)?;
    args.report.write(std::slice::from_ref(&record), output)?;
    findings::print_of(&record, args.result.is_on_screen(), output);
    if let Results::Compare(results) = &record.results
        && !args.result.is_on_screen()
    {
        output.say(results.choice());
    }
    Ok(Exit::Success)
}

/// Every combination of the values, the last key's changing fastest, each as `KEY=VALUE,KEY=VALUE`.
fn combinations(grid: &[String]) -> anyhow::Result<Vec<String>> {
    let mut all = vec![String::new()];
    for line in grid {
        let Some((key, values)) =
            line.split_once('=').filter(|(key, values)| !key.is_empty() && !values.is_empty())
        else {
            return Err(usage(format!(
                "--grid {line}: give KEY=VALUE,VALUE,... such as num_beams=1,5"
            )));
        };
        if all[0].split(',').any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == key))
        {
            return Err(usage(format!(
                "--grid {line}: {key} is there already; give all its values at once"
            )));
        }
        let extended = all.iter().flat_map(|before| {
            let comma = if before.is_empty() { "" } else { "," };
            values.split(',').map(move |value| format!("{before}{comma}{key}={value}"))
        });
        all = extended.collect();
        if all.len() > MOST {
            return Err(usage(format!(
                "--grid: {} combinations and more, at most {MOST} are tried; leave some out",
                all.len()
            )));
        }
    }
    let mut seen = std::collections::HashSet::new();
    match all.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => Err(usage(format!("--grid: {twice} is there twice"))),
        None => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_tried_once() {
        let grid = ["num_beams=1,5", "length_penalty=0.5,2"].map(str::to_owned);
        assert_eq!(
            combinations(&grid).unwrap(),
            [
                "num_beams=1,length_penalty=0.5",
                "num_beams=1,length_penalty=2",
                "num_beams=5,length_penalty=0.5",
                "num_beams=5,length_penalty=2"
            ]
        );
        for wrong in ["num_beams", "=1", "num_beams=", "num_beams=1,1"] {
            assert!(combinations(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
        let twice = ["num_beams=1", "num_beams=5"].map(str::to_owned);
        assert!(combinations(&twice).is_err());
        let many = (0..101).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
        assert!(combinations(&[format!("seed={many}")]).is_err());
    }
}
