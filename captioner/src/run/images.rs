//! Images that could be read, and their features: out of the cache where they are there.

use std::collections::HashMap;

use candle_core::Tensor;

use crate::error::Result;
use crate::features::FeaturesCache;
use crate::model::Captioner;

/// An image of a batch that could be decoded.
pub(crate) struct Readable {
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
