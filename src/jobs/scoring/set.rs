//! The evaluation set: candidates beside their references, as embeddings and, where known, as text.

use fgd_metrics::paired::Pairs;
use fgd_metrics::transport::Sampling;
use ndarray::{Array2, ArrayView2, Axis};

/// One system's candidates with the references they are scored against.
#[derive(Debug, Clone)]
pub struct EvalSet {
    /// Candidate embeddings `[N, d]`.
    pub candidates: Array2<f32>,
    /// Reference embeddings `[M, d]`.
    pub references: Array2<f32>,
    /// Which candidate each reference belongs to; `None` when unpaired.
    pub image_of: Option<Vec<usize>>,
    /// The texts, where captions were given.
    pub texts: Option<Texts>,
}

/// Ids and texts of an evaluation set.
#[derive(Debug, Clone)]
pub struct Texts {
    /// Image id per candidate.
    pub ids: Vec<String>,
    /// Whether they are text by the types of the submission's file.
    pub ids_are_text: bool,
    /// Data row of the submission per candidate, counted from 1.
    pub rows: Vec<u64>,
    /// Candidate captions.
    pub candidates: Vec<String>,
    /// Reference captions, in the order of the reference embeddings.
    pub references: Vec<String>,
}

impl EvalSet {
    /// Number of candidates.
    pub fn len(&self) -> usize {
        self.candidates.nrows()
    }

    /// Whether there is no candidate.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Views of both sets of embeddings.
    pub fn views(&self) -> (ArrayView2<'_, f32>, ArrayView2<'_, f32>) {
        (self.candidates.view(), self.references.view())
    }

    /// The pairs of candidates and references; `None` when unpaired.
    pub fn pairs(&self) -> Option<Pairs<'_>> {
        let image_of = self.image_of.as_deref()?;
        Some(Pairs {
            candidates: self.candidates.view(),
            references: self.references.view(),
            image_of,
        })
    }

    /// How the two samples depend on each other.
    pub fn sampling(&self) -> Sampling<'_> {
        match &self.image_of {
            Some(image_of) => Sampling::Paired { image_of },
            None => Sampling::Independent,
        }
    }

    /// The references of each image, as texts. Empty lists when unpaired or without texts.
    pub fn references_of(&self) -> Vec<Vec<&str>> {
        let mut lists = vec![Vec::new(); self.len()];
        if let (Some(image_of), Some(texts)) = (&self.image_of, &self.texts) {
            for (&image, text) in image_of.iter().zip(&texts.references) {
                lists[image].push(text.as_str());
            }
        }
        lists
    }

    /// The part of a paired set that holds only `images` (indices of candidates, ascending).
    /// An unpaired set keeps all its references.
    pub fn subset(&self, images: &[usize]) -> Self {
        let mut place = vec![None; self.len()];
        for (new, &old) in images.iter().enumerate() {
            place[old] = Some(new);
        }
        let (kept, image_of): (Vec<usize>, Option<Vec<usize>>) = match &self.image_of {
            None => ((0..self.references.nrows()).collect(), None),
            Some(image_of) => {
                let (kept, images) = image_of
                    .iter()
                    .enumerate()
                    .filter_map(|(reference, &image)| Some((reference, place[image]?)))
                    .unzip();
                (kept, Some(images))
            }
        };
        let pick = |texts: &[String], from: &[usize]| -> Vec<String> {
            from.iter().map(|&i| texts[i].clone()).collect()
        };
        Self {
            candidates: self.candidates.select(Axis(0), images),
            references: self.references.select(Axis(0), &kept),
            image_of,
            texts: self.texts.as_ref().map(|texts| Texts {
                ids: pick(&texts.ids, images),
                ids_are_text: texts.ids_are_text,
                rows: images.iter().map(|&i| texts.rows[i]).collect(),
                candidates: pick(&texts.candidates, images),
                references: pick(&texts.references, &kept),
            }),
        }
    }
}
