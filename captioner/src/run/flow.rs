//! Images on their way to captions: they are looked at, join the batch, and leave it one by one.

use std::collections::HashMap;
use std::time::Instant;

use sha2::{Digest, Sha256};

use super::images::{Readable, features};
use super::width::Width;
use super::{OnError, Outcome, Plan, Sample, Stages};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::features::FeaturesCache;
use crate::generate::GenerationConfig;
use crate::model::{Caption, Captioner};
use crate::preprocess::{DecodedImage, Prefetch};

/// The images that are being captioned.
pub struct Flow<'a> {
    captioner: &'a Captioner,
    plan: &'a Plan<'a>,
    prompt: Vec<u32>,
    cache: Option<FeaturesCache>,
    width: Width,
    batch: Batch<'a>,
    /// By their number in the batch.
    open: HashMap<usize, Open>,
    pub stages: Stages,
    /// Most images that were in the batch.
    pub largest: usize,
}

/// An image whose captions have not ended.
struct Open {
    /// Its place in the list.
    at: usize,
    outcome: Outcome,
    /// What was spent on it.
    seconds: f64,
}

impl<'a> Flow<'a> {
    pub fn new(
        captioner: &'a Captioner,
        plan: &'a Plan,
        cache: Option<FeaturesCache>,
    ) -> Result<Self> {
        let prompt = captioner.tokenizer().encode(plan.prompt)?;
        let config = &plan.generation;
        let bytes = Batch::bytes_per_image(captioner, prompt.len(), config);
        Ok(Self {
            captioner,
            plan,
            prompt,
            cache,
            width: Width::new(plan.batch_size, config.rows(), bytes, plan.memory),
            batch: Batch::new(captioner, config),
            open: HashMap::new(),
            stages: Stages::default(),
            largest: 0,
        })
    }

    /// Images whose features came from the cache.
    pub fn cached(&self) -> usize {
        self.cache.as_ref().map_or(0, FeaturesCache::hits)
    }

    /// Images that are to join now.
    pub fn room(&self) -> usize {
        let waits = !self.captioner.options().device.is_cpu() && !self.batch.is_empty();
        if waits { 0 } else { self.width.room(self.batch.len()) }
    }

    /// The next ones of `images` join, which are those at these places; answers what is known of those that cannot be read.
    ///
    /// # Errors
    /// An image that cannot be read, where that ends the run: none has joined then.
    pub fn admit(
        &mut self,
        places: &[usize],
        images: &mut Prefetch,
    ) -> Result<Vec<(usize, Outcome)>> {
        let waiting = Instant::now();
        let decoded: Vec<DecodedImage> = images.take(places.len()).collect();
        self.stages.preprocess += waiting.elapsed().as_secs_f64();
        let (mut broken, mut joining, mut readable) = (Vec::new(), Vec::new(), Vec::new());
        for (at, decoded) in places.iter().zip(decoded) {
            let image = &self.plan.images[*at];
            let mut outcome = Outcome::of(image.id.clone(), decoded.file);
            match decoded.pixels {
                Ok(pixels) => {
                    let sha256 = outcome.file.as_ref().map(|file| file.sha256.clone());
                    let sha256 = sha256.unwrap_or_default();
                    readable.push(Readable { pixels, sha256 });
                    joining.push((*at, outcome));
                }
                Err(reason) if self.plan.on_error == OnError::Fail => {
                    let (id, path) = (image.id.clone(), image.path.clone());
                    return Err(Error::Image { id, path, reason });
                }
                Err(reason) => {
                    outcome.error = Some(reason);
                    broken.push((*at, outcome));
                }
            }
        }
        if !joining.is_empty() {
            self.join(joining, &readable)?;
        }
        Ok(broken)
    }

    fn join(&mut self, joining: Vec<(usize, Outcome)>, readable: &[Readable]) -> Result<()> {
        let start = Instant::now();
        let queries = features(self.captioner, readable, &mut self.cache)?;
        let vision = start.elapsed().as_secs_f64();
        let config = &self.plan.generation;
        let seeds: Vec<u64> = joining
            .iter()
            .flat_map(|(_, image)| {
                (0..config.num_return_sequences).map(|nth| seed(config, &image.id, nth))
            })
            .collect();
        let prompts = vec![self.prompt.clone(); joining.len()];
        let numbers = self.batch.join(&queries, &prompts, &seeds)?;
        let both = start.elapsed().as_secs_f64();
        self.stages.vision += vision;
        self.stages.language += both - vision;
        let seconds = both / joining.len() as f64;
        let begun = joining.into_iter().map(|(at, outcome)| Open { at, outcome, seconds });
        self.open.extend(numbers.into_iter().zip(begun));
        self.largest = self.largest.max(self.batch.len());
        Ok(())
    }

    /// Decodes until captions have ended; answers them, by the places of their images. None: there are no images.
    pub fn advance(&mut self) -> Result<Vec<(usize, Outcome)>> {
        let (start, images, before) = (Instant::now(), self.batch.len(), self.batch.steps());
        let done = self.batch.advance()?;
        let seconds = start.elapsed().as_secs_f64();
        self.stages.language += seconds;
        self.width.learn(images, self.batch.steps() - before, seconds);
        let share = seconds / images.max(1) as f64;
        self.open.values_mut().for_each(|image| image.seconds += share);
        let ended = done.into_iter().filter_map(|(number, captions)| {
            let Open { at, outcome, seconds } = self.open.remove(&number)?;
            Some((at, captioned(outcome, captions, seconds)))
        });
        Ok(ended.collect())
    }
}

fn captioned(mut outcome: Outcome, captions: Vec<Caption>, seconds: f64) -> Outcome {
    outcome.milliseconds = Some((seconds * 1e6).round() / 1e3);
    let samples = captions.into_iter().map(|caption| Sample {
        caption: caption.text,
        log_probability: Some(caption.sequence.log_probability).filter(|p| p.is_finite()),
        tokens: caption.sequence.ids,
    });
    outcome.samples = samples.collect();
    outcome.caption = outcome.samples.first().map(|first| first.caption.clone());
    if outcome.samples.len() == 1 {
        outcome.tokens = outcome.samples.drain(..).flat_map(|only| only.tokens).collect();
    }
    outcome
}

/// The random stream of a caption: the run's seed mixed with the image's id and the number of the caption, whatever batch it
/// falls into and however many others there are.
fn seed(config: &GenerationConfig, id: &str, nth: usize) -> u64 {
    let Some(sampling) = &config.sampling else {
        return 0;
    };
    let mut hash = Sha256::new();
    hash.update(sampling.seed.to_le_bytes());
    hash.update(id.as_bytes());
    if nth > 0 {
        // Behind a byte that no id has: the first caption's stream is that of a run that draws one.
        hash.update([0xff]);
        hash.update((nth as u64).to_le_bytes());
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}
