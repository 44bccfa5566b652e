//! Captions and kept features, as the batches of a step.

use candle_core::{DType, Tensor};
use fgd_store::digest::Digest;

use super::batch::{Batch, Example};
use super::features::KeptImage;
use super::order::Turn;
use super::trainer::Micro;
use crate::error::{Error, Result};
use crate::features::FeaturesCache;
use crate::model::Captioner;

/// Most tokens of a caption with its `</s>`: dropout names so many rows, and T5 was trained on no more.
pub const LONGEST: usize = 512;

/// A caption to learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caption {
    /// Place of its image.
    pub image: usize,
    /// Its tokens, the last one `</s>`.
    pub labels: Vec<u32>,
    /// Place of where it comes from.
    pub source: usize,
}

/// What is trained on, or judged by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// The images.
    pub images: Vec<KeptImage>,
    /// The captions; every image has one.
    pub captions: Vec<Caption>,
    /// Where captions come from; decides nothing.
    pub sources: Vec<String>,
}

impl Data {
    /// Tokens of all captions.
    pub fn tokens(&self) -> usize {
        self.captions.iter().map(|caption| caption.labels.len()).sum()
    }

    /// A hash over images and captions in their order.
    pub fn sha256(&self) -> String {
        let data = Digest::new("training data", 1);
        let data = self
            .images
            .iter()
            .fold(data, |data, image| data.field("id", &image.id).field("sha256", &image.sha256));
        let captions = self.captions.iter().fold(data, |data, caption| {
            let labels: Vec<u8> = caption.labels.iter().flat_map(|id| id.to_le_bytes()).collect();
            data.field("image", caption.image.to_string()).field("labels", labels)
        });
        captions.finish()
    }
}

fn without_features(image: &KeptImage) -> Error {
    Error::Setting(format!(
        "image {}: the features folder has none of this checkpoint's and dtype's for it; run fgd features with the same \
         --checkpoint and --dtype",
        image.id
    ))
}

/// Makes batches: the features of their images, projected, with the prompt behind them.
pub struct Batches<'a> {
    captioner: &'a Captioner,
    features: FeaturesCache,
    prompt: Vec<u32>,
}

impl<'a> Batches<'a> {
    /// From features that the captioner's frozen part has made.
    ///
    /// # Errors
    /// A prompt with an image token in it.
    pub fn new(captioner: &'a Captioner, features: FeaturesCache, prompt: &str) -> Result<Self> {
        Ok(Self { captioner, features, prompt: captioner.tokenizer().encode(prompt)? })
    }

    /// Whether all images of these captions have features.
    ///
    /// # Errors
    /// The first that has none, before hours are spent on others.
    pub fn check(&self, data: &Data) -> Result<()> {
        let missing = data.images.iter().find(|image| !self.features.has(&image.sha256));
        missing.map_or(Ok(()), |image| Err(without_features(image)))
    }

    /// Query outputs [images, queries, hidden].
    ///
    /// # Errors
    /// Features that are missing, or of another shape.
    pub fn queries<'i>(
        &mut self,
        images: impl IntoIterator<Item = &'i KeptImage>,
    ) -> Result<Tensor> {
        let of_image = |image: &KeptImage| {
            let queries = self.features.get(&image.sha256);
            self.captioner.adopt_queries(queries.ok_or_else(|| without_features(image))?)
        };
        let all: Vec<Tensor> = images.into_iter().map(of_image).collect::<Result<_>>()?;
        Ok(Tensor::cat(&all, 0)?)
    }

    /// The rows of these examples.
    ///
    /// # Errors
    /// As [`Batches::queries`].
    pub fn micro(&mut self, data: &Data, turns: &[Turn]) -> Result<Micro> {
        let mut places: Vec<usize> =
            turns.iter().map(|turn| data.captions[turn.example].image).collect();
        places.sort_unstable();
        places.dedup();
        let mut embedded = Vec::with_capacity(places.len());
        for place in &places {
            let queries = self.queries([&data.images[*place]])?;
            let projected = self.captioner.project(&queries)?;
            let (rows, _) = self.captioner.embed(&projected, std::slice::from_ref(&self.prompt))?;
            embedded.push(rows.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?);
        }
        let examples: Vec<Example> = turns
            .iter()
            .map(|turn| {
                let caption = &data.captions[turn.example];
                let image = places.partition_point(|place| *place < caption.image);
                Example { image, labels: &caption.labels, name: turn.name }
            })
            .collect();
        let width = self.captioner.config().text_config.d_model;
        let start = self.captioner.special_tokens().decoder_start;
        Ok(Micro {
            batch: Batch::new(&embedded, width, &examples, start),
            images: places.iter().map(|place| data.images[*place].id.clone()).collect(),
        })
    }
}
