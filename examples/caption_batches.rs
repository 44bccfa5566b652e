//! Batches that images join and leave, beside batches that end together: captions of real lengths, on any checkpoint.
//!
//!     cargo run --release --example caption_batches -- CHECKPOINT [--dtype q8] [--captions FILE.csv] [--images 100]
//!         [--batch-size 8] [--rounds 3]
//!
//! The captions of a checkpoint with random weights (`random_blip2`) do not end, so each ends here where the caption of the file in
//! its place does: a token for every word and mark, and a third more. Images are noise and their features are computed once; what a
//! feature costs is printed beside the times, which are those of the language model.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, bail};
use candle_core::Tensor;
use fgd_captioner::generate::{Ongoing, Step};
use fgd_captioner::run::{BatchSize, Width};
use fgd_captioner::t5::{Cache, T5};
use fgd_captioner::{Batch, Captioner, DEFAULT_PROMPT, GenerationConfig, LoadOptions, Result};

/// Different images; further ones repeat these, as a caption costs the same whatever it is of.
const DIFFERENT: usize = 4;

fn main() -> anyhow::Result<()> {
    let (dir, options) = arguments()?;
    let option = |name: &str, default: &str| -> String {
        options.get(name).cloned().unwrap_or_else(|| default.into())
    };
    let count: usize = option("--images", "100").parse()?;
    let size: BatchSize = option("--batch-size", "8").parse().map_err(anyhow::Error::msg)?;
    let lengths = lengths(&option("--captions", "fixtures/captions/references.csv"), count)?;
    let precision = serde_json::from_value(option("--dtype", "q8").into())?;
    let options = LoadOptions { precision, ..LoadOptions::default() };
    let captioner = Captioner::load(dir.as_ref(), None, options, &|_| ())?;
    let start = Instant::now();
    let different = features(&captioner)?;
    let each = start.elapsed().as_secs_f64() / DIFFERENT as f64;
    let queries = (0..count).map(|image| Ok(different.narrow(0, image % DIFFERENT, 1)?));
    let queries: Vec<Tensor> = queries.collect::<Result<_>>()?;
    let mean = lengths.iter().sum::<usize>() as f64 / count as f64;
    println!("{count} captions of {mean:.1} tokens; {each:.3} s for the features of an image");
    for round in 0..option("--rounds", "3").parse()? {
        for (name, size, waits) in [
            ("end together", size, true),
            ("join and leave", size, false),
            ("join and leave, auto", BatchSize::Auto, false),
        ] {
            let start = Instant::now();
            let steps = caption(&captioner, &queries, &lengths, size, waits)?;
            let seconds = start.elapsed().as_secs_f64();
            let whole = seconds + count as f64 * each;
            println!(
                "{round} {name} {size}: {seconds:.2} s, {steps} steps; with features {whole:.2} s"
            );
        }
    }
    Ok(())
}

fn arguments() -> anyhow::Result<(String, BTreeMap<String, String>)> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().context("usage: caption_batches CHECKPOINT [--dtype q8] …")?;
    let mut options = BTreeMap::new();
    while let Some(name) = arguments.next() {
        if !name.starts_with("--") {
            bail!("unexpected {name:?}");
        }
        let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
        options.insert(name, value);
    }
    Ok((dir, options))
}

/// Tokens of captions as long as those of the file's column `caption`.
fn lengths(file: &str, count: usize) -> anyhow::Result<Vec<usize>> {
    let mut reader = csv::Reader::from_path(file).with_context(|| file.to_owned())?;
    let column = reader.headers()?.iter().position(|name| name == "caption");
    let column = column.with_context(|| format!("{file}: has no column caption"))?;
    let mut lengths = Vec::new();
    for row in reader.records() {
        let row = row?;
        let caption = row.get(column).unwrap_or_default();
        let marks = caption.chars().filter(char::is_ascii_punctuation).count();
        lengths.push((caption.split_whitespace().count() + marks) * 4 / 3 + 1);
    }
    if lengths.is_empty() {
        bail!("{file}: has no captions");
    }
    Ok(lengths.into_iter().cycle().take(count).collect())
}

fn features(captioner: &Captioner) -> anyhow::Result<Tensor> {
    let values = 3 * captioner.preprocessor().size.pow(2);
    let noise = |image: usize| -> Vec<f32> {
        (0..values).map(|at| ((at * (image + 7)) as f32 * 0.731).sin()).collect()
    };
    let images: Vec<Vec<f32>> = (0..DIFFERENT).map(noise).collect();
    let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    Ok(captioner.queries(&captioner.image_tokens(&captioner.pixels(&images)?)?)?)
}

/// Captions all images; answers the steps that this took. With `waits`, images join only an empty batch.
fn caption(
    captioner: &Captioner,
    queries: &[Tensor],
    lengths: &[usize],
    size: BatchSize,
    waits: bool,
) -> anyhow::Result<usize> {
    let prompt = captioner.tokenizer().encode(DEFAULT_PROMPT)?;
    let longest = lengths.iter().copied().max().unwrap_or(1);
    let config = GenerationConfig { max_new_tokens: longest, ..GenerationConfig::default() };
    let special = captioner.special_tokens();
    let mut ongoing = Ongoing::new(&config, special);
    let mut model = Told { t5: captioner.language_model(), told: Vec::new(), end: special.eos[0] };
    let mut cache: Option<Cache> = None;
    let bytes = Batch::bytes_per_image(captioner, prompt.len(), &config);
    let mut width = Width::new(size, 1, bytes, None);
    let mut joined = 0;
    while joined < queries.len() || !ongoing.is_empty() {
        let room = if waits && !ongoing.is_empty() { 0 } else { width.room(ongoing.len()) };
        let joining = joined..queries.len().min(joined + room);
        if !joining.is_empty() {
            let prompts = vec![prompt.clone(); joining.len()];
            let features = Tensor::cat(&queries[joining.clone()], 0)?;
            let (embedded, mask) = captioner.embed(&captioner.project(&features)?, &prompts)?;
            let begun = model.t5.start(&embedded, mask.as_ref(), 1, longest)?;
            match &mut cache {
                Some(cache) => cache.join(begun)?,
                None => cache = Some(begun),
            }
            model.told.extend_from_slice(&lengths[joining.clone()]);
            for _ in joining.clone() {
                ongoing.join(&[0]);
            }
            joined = joining.end;
        }
        let Some(cache) = &mut cache else { break };
        let (start, images, before) = (Instant::now(), ongoing.len(), ongoing.steps());
        ongoing.advance(&mut Decoding { model: &mut model, cache })?;
        width.learn(images, ongoing.steps() - before, start.elapsed().as_secs_f64());
    }
    Ok(ongoing.steps())
}

/// A decoder whose captions end where they are told to.
struct Told<'a> {
    t5: &'a T5,
    /// Tokens that each caption has left.
    told: Vec<usize>,
    end: u32,
}

struct Decoding<'a, 'b> {
    model: &'a mut Told<'b>,
    cache: &'a mut Cache,
}

impl Step for Decoding<'_, '_> {
    fn step(&mut self, ids: &[u32]) -> Result<Vec<Vec<f32>>> {
        let mut rows = self.model.t5.step(ids, self.cache)?;
        for (row, left) in rows.iter_mut().zip(&mut self.model.told) {
            *left -= 1;
            row[self.model.end as usize] = if *left == 0 { 1e30 } else { -1e30 };
        }
        Ok(rows)
    }

    fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        let mut goes_on = rows.iter();
        self.model.told.retain(|_| goes_on.next().is_some_and(|rows| !rows.is_empty()));
        self.cache.go_on(rows)
    }

    fn is_on_host(&self) -> bool {
        self.cache.is_on_host()
    }
}
