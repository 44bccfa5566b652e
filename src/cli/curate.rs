//! `fgd curate`: captions to train on, out of all that there are.

use std::path::PathBuf;

use super::encoder::EncoderArgs;
use super::exit::Exit;
use super::files::{CaptionArgs, FormatArgs, ReportArgs};
use super::findings;
use super::output::{Output, Sink, written_as};
use crate::jobs::Session;
use crate::jobs::curate::{self, Request};

/// Arguments of `fgd curate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Captions, one or several per image; a column source tells real ones (empty, or real) from synthetic ones.
    #[arg(value_name = "CAPTIONS")]
    captions: PathBuf,
    /// Synthetic captions, such as those of fgd select; may be given several times.
    #[arg(long, value_name = "FILE", env = "FGD_SYNTHETIC")]
    synthetic: Vec<PathBuf>,
    /// Captions to judge by: images on both sides, and synthetic captions there, are errors.
    #[arg(long, value_name = "FILE", env = "FGD_VALIDATION")]
    validation: Option<PathBuf>,
    /// The folder of fgd features: images are then the same by their content, not by their ids.
    #[arg(long, value_name = "DIR", env = "FGD_FEATURES")]
    features: Option<PathBuf>,
    /// What a model says of the images: captions that are least like it go.
    #[arg(long, value_name = "FILE", env = "FGD_BESIDE")]
    beside: Option<PathBuf>,
    /// Percent of the captions that go then, of real and of synthetic ones apart.
    #[arg(
        long,
        value_name = "P",
        default_value_t = 5.0,
        env = "FGD_DROP_PERCENT",
        requires = "beside"
    )]
    drop_percent: f64,
    /// Most synthetic captions per real one of their image.
    #[arg(long, value_name = "X", default_value_t = 1.0, env = "FGD_MAX_SYNTHETIC")]
    max_synthetic: f64,
    /// Captions to train on: columns image_id, caption and source.
    #[arg(short, long, value_name = "FILE.csv", env = "FGD_OUTPUT")]
    output: PathBuf,
    /// List what is left out and why.
    #[arg(long, value_name = "FILE.csv", env = "FGD_DROPPED")]
    dropped: Option<PathBuf>,
    #[command(flatten)]
    encoder: EncoderArgs,
    #[command(flatten)]
    reading: CaptionArgs,
    #[command(flatten)]
    result: FormatArgs,
    #[command(flatten)]
    report: ReportArgs,
}

/// Runs `fgd curate`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    for file in [Some(&args.output), args.dropped.as_ref()].into_iter().flatten() {
        written_as(file, "captions are", &["csv"])?;
    }
    args.report.prepare()?;
    let request = Request {
        captions: args.captions,
        synthetic: args.synthetic,
        validation: args.validation,
        features: args.features,
        beside: args.beside,
        drop_percent: args.drop_percent,
        max_synthetic: args.max_synthetic,
        output: args.output,
        dropped: args.dropped,
        reading: args.reading.options(),
        encoding: args.encoder.encoding(),
    };
    let record = curate::run(&request, session)?;
    let text = args.result.render(&record, output.color(), output);
    Sink::Stdout.write(text.as_bytes())?;
    args.report.write(std::slice::from_ref(&record), output)?;
    findings::print_of(&record, args.result.is_on_screen(), output);
    Ok(Exit::Success)
}
