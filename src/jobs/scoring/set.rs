//! The evaluation set: candidates beside their references, as embeddings and, where known, as text.

use fgd_captions::{Caption, CaptionFile};
use fgd_metrics::paired::Pairs;
use fgd_metrics::units::Units;
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
    /// Which captions were drawn together, where that is more than `image_of` says.
    pub units: Option<Units>,
    /// Images of the finite set that this one stands for.
    pub population: Option<f64>,
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

impl Texts {
    /// The captions of a file that are candidates, with the texts they are held against.
    pub fn of<'a>(
        file: &CaptionFile,
        candidates: impl Iterator<Item = &'a Caption> + Clone,
        references: Vec<String>,
    ) -> Self {
        Self {
            ids: candidates.clone().map(|caption| caption.id.clone()).collect(),
            ids_are_text: file.ids_are_text,
            rows: candidates.clone().map(|caption| caption.row).collect(),
            candidates: candidates.map(|caption| caption.text.clone()).collect(),
            references,
        }
    }
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

    /// The cluster of each image, counted from 0, where images depend on each other.
    pub fn clusters(&self) -> Option<&[usize]> {
        let units = self.units.as_ref().filter(|_| self.image_of.is_some())?;
        Some(units.of(0))
    }

    /// Part of the population's images that were not drawn, in [0, 1].
    pub fn left_out(&self) -> f64 {
        self.population.map_or(1.0, |population| (1.0 - self.len() as f64 / population).max(0.0))
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
        let units = self.units.as_ref().map(|units| {
            let of = |side: usize, rows: &[usize]| -> Vec<usize> {
                rows.iter().map(|&row| units.of(side)[row]).collect()
            };
            Units::of_labels(&of(0, images), &of(1, &kept))
        });
        Self {
            candidates: self.candidates.select(Axis(0), images),
            references: self.references.select(Axis(0), &kept),
            image_of,
            units,
            // A group of the images stands for its share of the population.
            population: (self.population)
                .map(|population| population * images.len() as f64 / self.len() as f64),
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
