//! Equal captions are encoded once.

use std::collections::HashMap;

use ndarray::{Array2, Axis};

/// Captions without their repetitions.
pub(super) struct Distinct<'a> {
    /// Each caption once, in order of appearance.
    pub captions: Vec<&'a str>,
    /// For every caption given, the index of its twin in `captions`.
    places: Vec<usize>,
}

impl<'a> Distinct<'a> {
    pub fn of(given: &[&'a str]) -> Self {
        let mut seen = HashMap::with_capacity(given.len());
        let mut captions = Vec::new();
        let places = given
            .iter()
            .map(|caption| {
                *seen.entry(*caption).or_insert_with(|| {
                    captions.push(*caption);
                    captions.len() - 1
                })
            })
            .collect();
        Self { captions, places }
    }

    /// How many of the captions given repeat an earlier one.
    pub fn repetitions(&self) -> usize {
        self.places.len() - self.captions.len()
    }

    /// Rows for all captions given, from those of `captions`.
    pub fn spread(&self, rows: Array2<f32>) -> Array2<f32> {
        match self.repetitions() {
            0 => rows,
            _ => rows.select(Axis(0), &self.places),
        }
    }
}
