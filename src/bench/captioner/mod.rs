//! The captioner as a target: images in, captions out, its time split into the parts of the network.

mod cost;
mod steps;

use std::time::Instant;

use fgd_captioner::{Captioner, Error, GenerationConfig, generate};
use rayon::prelude::*;

use super::target::{Answer, Target, Work};
use cost::Costs;
use steps::TimedSteps;

/// A loaded captioner with images to caption.
pub struct CaptionerTarget {
    captioner: Captioner,
    /// The bytes of image files.
    images: Vec<Vec<u8>>,
    prompt: Vec<u32>,
    generation: GenerationConfig,
    costs: Option<Costs>,
}

impl CaptionerTarget {
    /// `images` are whole files, at least one. `bytes_per_weight` is what weights take in memory.
    ///
    /// # Errors
    /// A prompt that cannot be tokenised, settings without a meaning.
    pub fn new(
        captioner: Captioner,
        images: Vec<Vec<u8>>,
        prompt: &str,
        generation: GenerationConfig,
        bytes_per_weight: f64,
    ) -> Result<Self, Error> {
        generation.check()?;
        let prompt = captioner.tokenizer().encode(prompt)?;
        // On a GPU the ceilings of the CPU mean nothing.
        let costs = captioner
            .options()
            .device
            .is_cpu()
            .then(|| Costs::new(&captioner, prompt.len(), bytes_per_weight));
        Ok(Self { captioner, images, prompt, generation, costs })
    }

    fn answer(&self, items: &[usize]) -> Result<Answer, String> {
        let say = |error: Error| error.to_string();
        let captioner = &self.captioner;
        let count = items.len() as u64;
        let mut work = Vec::with_capacity(6);
        let mut start = Instant::now();
        let mut done = |stage, cost| {
            // What a GPU was asked for is not done yet.
            captioner.options().device.synchronize().map_err(|error| error.to_string())?;
            let seconds = start.elapsed().as_secs_f64();
            start = Instant::now();
            work.push(Work { stage, unit: "image", count, seconds, cost });
            Ok::<(), String>(())
        };
        let pixels: Vec<Vec<f32>> = items
            .par_iter()
            .map(|&i| captioner.preprocessor().pixels(&self.images[i]))
            .collect::<Result<_, String>>()?;
        done("decode and resize", None)?;
        let pixels: Vec<&[f32]> = pixels.iter().map(Vec::as_slice).collect();
        let pixels = captioner.pixels(&pixels).map_err(say)?;
        let tokens = captioner.image_tokens(&pixels).map_err(say)?;
        done("vision", self.costs.as_ref().map(|costs| costs.vision(count)))?;
        let queries = captioner.queries(&tokens).map_err(say)?;
        done("Q-Former", self.costs.as_ref().map(|costs| costs.qformer(count)))?;
        let prompts = vec![self.prompt.clone(); items.len()];
        let projected = captioner.project(&queries).map_err(say)?;
        let (embedded, mask) = captioner.embed(&projected, &prompts).map_err(say)?;
        let model = captioner.language_model();
        let config = &self.generation;
        let cache = model
            .start(&embedded, mask.as_ref(), config.num_beams, config.max_new_tokens)
            .map_err(say)?;
        done("encoder", self.costs.as_ref().map(|costs| costs.encoder(count)))?;
        let mut steps = TimedSteps::new(model, cache);
        let seeds = vec![0; items.len()];
        let generated = generate::generate(&mut steps, &seeds, config, captioner.special_tokens())
            .map_err(say)?;
        work.extend(steps.work(config.num_beams, self.costs.as_ref()));
        let mut written = 0;
        for caption in generated {
            written += caption.ids.len() as u64;
            std::hint::black_box(captioner.tokenizer().decode(&caption.ids).map_err(say)?);
        }
        Ok(Answer { tokens: Some(written), work })
    }
}

impl Target for CaptionerTarget {
    fn items(&self) -> usize {
        self.images.len()
    }

    fn query(&mut self, items: &[usize]) -> Result<Answer, String> {
        self.answer(items)
    }
}
