//! One batch of a run: features of all its images together, out of the cache where they are there, then their captions.

use std::collections::HashMap;
use std::time::Instant;

use candle_core::Tensor;
use sha2::{Digest, Sha256};

use super::{ImageFile, OnError, Outcome, Plan, Sample, Stages};
use crate::error::{Error, Result};
use crate::features::FeaturesCache;
use crate::generate::GenerationConfig;
use crate::model::Captioner;
use crate::preprocess::DecodedImage;

pub(super) fn caption(
    captioner: &Captioner,
    plan: &Plan,
    images: &[&ImageFile],
    decoded: Vec<DecodedImage>,
    prompt: &[u32],
    cache: &mut Option<FeaturesCache>,
    stages: &mut Stages,
) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::with_capacity(images.len());
    let mut readable: Vec<Readable> = Vec::new();
    for (image, decoded) in images.iter().zip(decoded) {
        let mut outcome = Outcome {
            id: image.id.clone(),
            caption: None,
            tokens: Vec::new(),
            samples: Vec::new(),
            milliseconds: None,
            file: decoded.file,
            error: None,
        };
        match decoded.pixels {
            Ok(pixels) => {
                let sha256 = outcome.file.as_ref().map(|file| file.sha256.clone());
                let sha256 = sha256.unwrap_or_default();
                readable.push(Readable { at: outcomes.len(), pixels, sha256 })
            }
            Err(reason) if plan.on_error == OnError::Fail => {
                return Err(Error::Image {
                    id: image.id.clone(),
                    path: image.path.clone(),
                    reason,
                });
            }
            Err(reason) => outcome.error = Some(reason),
        }
        outcomes.push(outcome);
    }
    if readable.is_empty() {
        return Ok(outcomes);
    }

    let start = Instant::now();
    let queries = features(captioner, &readable, cache)?;
    let vision = start.elapsed().as_secs_f64();
    stages.vision += vision;
    let start = Instant::now();
    let each = plan.generation.num_return_sequences;
    let seeds: Vec<u64> = readable
        .iter()
        .flat_map(|image| (0..each).map(|nth| seed(&plan.generation, &outcomes[image.at].id, nth)))
        .collect();
    let prompts = vec![prompt.to_vec(); readable.len()];
    let captions = captioner.caption(&queries, &prompts, &seeds, &plan.generation)?;
    let language = start.elapsed().as_secs_f64();
    stages.language += language;
    let share = (vision + language) / readable.len() as f64;
    let mut captions = captions.into_iter();
    for image in &readable {
        let outcome = &mut outcomes[image.at];
        outcome.milliseconds = Some((share * 1e6).round() / 1e3);
        outcome.samples = (captions.by_ref().take(each))
            .map(|caption| Sample {
                caption: caption.text,
                log_probability: Some(caption.sequence.log_probability).filter(|p| p.is_finite()),
                tokens: caption.sequence.ids,
            })
            .collect();
        outcome.caption = outcome.samples.first().map(|first| first.caption.clone());
        if each == 1 {
            outcome.tokens = outcome.samples.drain(..).flat_map(|only| only.tokens).collect();
        }
    }
    Ok(outcomes)
}

/// An image of a batch that could be decoded.
pub(crate) struct Readable {
    /// Its place in the batch.
    pub at: usize,
    pub pixels: Vec<f32>,
    pub sha256: String,
}

/// Query outputs of all images [images, queries, hidden]: out of the cache, or computed together, equal images once.
pub(crate) fn features(
    captioner: &Captioner,
    images: &[Readable],
    cache: &mut Option<FeaturesCache>,
) -> Result<Tensor> {
    let mut found: HashMap<&str, Tensor> = HashMap::new();
    let mut missing: Vec<&Readable> = Vec::new();
    for image in images {
        if found.contains_key(&*image.sha256) || missing.iter().any(|m| m.sha256 == image.sha256) {
            continue;
        }
        match cache.as_mut().and_then(|cache| cache.get(&image.sha256)) {
            Some(queries) => {
                found.insert(&image.sha256, captioner.adopt_queries(queries)?);
            }
            None => missing.push(image),
        }
    }
    if !missing.is_empty() {
        let pixels: Vec<&[f32]> = missing.iter().map(|image| &*image.pixels).collect();
        let computed = captioner.image_tokens(&captioner.pixels(&pixels)?)?;
        let computed = captioner.queries(&computed)?;
        for (row, image) in missing.into_iter().enumerate() {
            let queries = computed.narrow(0, row, 1)?;
            if let Some(cache) = cache {
                cache.put(&image.sha256, &queries)?;
            }
            found.insert(&image.sha256, queries);
        }
    }
    let queries: Vec<&Tensor> = images.iter().map(|image| &found[&*image.sha256]).collect();
    Ok(Tensor::cat(&queries, 0)?)
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
