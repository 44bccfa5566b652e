//! `fgd embed`: captions to a `.npy` file of embeddings, row by row.

use super::encoder::EncoderArgs;
use super::exit::{Exit, usage};
use super::files::CaptionArgs;
use super::output::{Output, Sink};
use fgd_captions as captions;
use fgd_store::arrays;
use std::path::PathBuf;

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
pub fn run(args: &Args, output: &Output) -> anyhow::Result<Exit> {
    if args
        .output
        .extension()
        .is_none_or(|extension| extension != "npy")
    {
        return Err(usage(format!(
            "{}: embeddings are written as .npy; name the output FILE.npy",
            args.output.display()
        )));
    }
    let sink = Sink::open(Some(&args.output))?;
    let file = captions::read(&args.file, &args.captions.options())?;
    let texts: Vec<&str> = file.captions.iter().map(|c| c.text.as_str()).collect();
    let mut embedder = args.encoder.open(output)?;
    let bar = output.bar(texts.len() as u64, "embedding");
    let embeddings = embedder.embed(&texts, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    let mut bytes = Vec::new();
    arrays::write_embeddings(&mut bytes, embeddings.view())?;
    sink.write(&bytes)?;
    output.say(format!(
        "{} embeddings of {} dimensions by {} ({} encoded, the rest from the cache)",
        embeddings.nrows(),
        embeddings.ncols(),
        embedder.identity().id,
        embedder.encoded(),
    ));
    Ok(Exit::Success)
}
