//! The images on which systems differ most, captions side by side.

use fgd_record::{Contrast, ContrastCaption};

use super::differences::Contender;
use crate::jobs::images::Images;

/// The `count` images on which the distances of the systems are furthest apart, with a thumbnail of each where the
/// images are at hand.
pub fn contrasts(systems: &[Contender], count: usize, images: Option<&Images>) -> Vec<Contrast> {
    let with_captions: Vec<_> = systems
        .iter()
        .filter_map(|system| {
            let rows = system.rows.as_ref().ok()?;
            let distances = rows.per_caption.distance()?;
            Some((system, rows.set.texts.as_ref()?, distances, &rows.set))
        })
        .collect();
    let Some((_, texts, _, set)) = with_captions.first().filter(|_| with_captions.len() > 1) else {
        return Vec::new();
    };
    let spread = |image: usize| {
        let (low, high) = with_captions.iter().fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(low, high), (_, _, distances, _)| {
                (low.min(distances[image]), high.max(distances[image]))
            },
        );
        high - low
    };
    let mut order: Vec<(f64, usize)> = (0..set.len())
        .map(|image| (spread(image), image))
        .filter(|(spread, _)| *spread > 0.0)
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.truncate(count);
    let references = set.references_of();
    order
        .into_iter()
        .map(|(_, image)| Contrast {
            image_id: texts.ids[image].clone(),
            references: references[image].iter().map(|&text| text.to_owned()).collect(),
            captions: with_captions
                .iter()
                .map(|(system, texts, distances, _)| ContrastCaption {
                    system: system.name.clone(),
                    caption: texts.candidates[image].clone(),
                    distance: Some(distances[image]),
                })
                .collect(),
            thumbnail_jpeg: images.and_then(|images| images.thumbnail(&texts.ids[image])),
        })
        .collect()
}
