//! `fgd embed`: captions to a `.npy` file of embeddings, row by row.

use std::path::PathBuf;

use fgd_store::arrays::{self, ArrayKind};

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::CaptionArgs;
use super::output::{Output, Sink};
use crate::jobs::Session;
use crate::jobs::apart::keep_apart;
use crate::jobs::embed::{self, Request};

/// Arguments of `fgd embed`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The captions.
    file: PathBuf,
    /// Where the embeddings go: a .npy file, float32, one row per caption in the file's order.
    #[arg(short, long, value_name = "FILE.npy", env = "FGD_OUTPUT")]
    output: PathBuf,
    #[command(flatten)]
    captions: CaptionArgs,
    #[command(flatten)]
    encoder: EncoderArgs,
}

/// Runs `fgd embed`.
pub fn run(args: Args, output: &Output, session: &mut Session) -> anyhow::Result<Exit> {
    if ArrayKind::of(&args.output) != Some(ArrayKind::Embeddings) {
        return Err(usage(format!(
            "{}: embeddings are written as .npy; name the output FILE.npy",
            args.output.display()
        )));
    }
    keep_apart([&*args.file], [Some(&*args.output)])?;
    let sink = Sink::open(Some(&args.output))?;
    let request = Request {
        file: args.file,
        reading: args.captions.options(),
        encoding: args.encoder.encoding(),
    };
    let embedded = embed::run(&request, session)?;
    let mut bytes = Vec::new();
    arrays::write_embeddings(&mut bytes, embedded.rows.view())?;
    sink.write(&bytes)?;
    let rest = match (embedded.rows.nrows() - embedded.encoded, request.encoding.cache) {
        (0, _) => "",
        (_, true) => ", the rest from the cache or the same captions again",
        (_, false) => ", the rest the same captions again",
    };
    output.say(format!(
        "{} embeddings of {} dimensions by {} ({} encoded{rest})",
        embedded.rows.nrows(),
        embedded.rows.ncols(),
        embedded.encoder.map_or_else(|| request.encoding.encoder.clone(), |encoder| encoder.id),
        embedded.encoded,
    ));
    Ok(Exit::Success)
}
