//! How much each of several systems is to be listened to, learned from images with references.
//!
//! Over systems of unequal quality the plain mean is drawn to the worse ones. So the mean has a weight per system (none below 0,
//! their sum 1), and those are sought that make the chosen captions' distance to the references least. All weight on one system is
//! among the possibilities, and it is what comes out unless something else is better beyond chance: so the choice is never worse
//! than the best system by more than its error. What the choice is worth is told by cross-validation: each image is chosen for with
//! the weights that the other folds gave.

use rayon::prelude::*;

use super::{Grouped, TIE, distances, first_least};
use crate::estimate::Estimate;

/// Parts that images are dealt into, one after the other.
const FOLDS: usize = 5;
/// A departure from the best system alone has to be this many standard errors better on the images that it is learned from: more than
/// two, since it was sought among many.
const BEYOND_CHANCE: f64 = 3.0;
/// How much weight is moved from one system to another, coarse to fine.
const STEPS: [f64; 5] = [0.5, 0.25, 0.125, 0.0625, 0.031_25];

/// What was learned.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// Weight of each system from all images with references; they sum to 1.
    pub weights: Vec<f64>,
    /// The row of each image: where it has references the choice of weights that have not seen them.
    pub rows: Vec<Option<usize>>,
}

/// The candidates of one image: whose they are, their inner products, and their distances to the references.
struct Image {
    systems: Vec<usize>,
    /// Share of its system's weight.
    shares: Vec<f64>,
    products: Vec<f64>,
    distances: Vec<f64>,
}

/// Learns the weights of `systems` systems; `system_of` has that of each row. Images without references (no reference rows) take
/// part in the choice and not in the learning.
pub fn learn(
    candidates: &Grouped,
    system_of: &[usize],
    systems: usize,
    references: &Grouped,
) -> Learned {
    let to_references = distances(candidates, references);
    let images: Vec<Image> = (0..candidates.images())
        .into_par_iter()
        .map(|image| Image::new(candidates, image, system_of, &to_references))
        .collect();
    let known: Vec<usize> = (0..images.len())
        .filter(|image| !references.of(*image).is_empty() && !images[*image].systems.is_empty())
        .collect();
    let of_fold = |fold: usize, inside: bool| -> Vec<usize> {
        let dealt = known.iter().enumerate().filter(|(at, _)| (at % FOLDS == fold) == inside);
        dealt.map(|(_, image)| *image).collect()
    };
    // The best system of all is that of every fold: one that lost it by chance on the others would lose on its own images.
    let best = best_alone(&images, &known, systems);
    let weights = search(&images, &known, &best);
    let mut chosen: Vec<Option<usize>> =
        images.iter().map(|image| image.choose(&weights)).collect();
    for fold in 0..FOLDS {
        let weights = search(&images, &of_fold(fold, false), &best);
        for image in of_fold(fold, true) {
            chosen[image] = images[image].choose(&weights);
        }
    }
    let rows = chosen.into_iter().enumerate();
    Learned {
        weights,
        rows: rows.map(|(image, at)| Some(candidates.of(image).start + at?)).collect(),
    }
}

impl Image {
    fn new(candidates: &Grouped, image: usize, system_of: &[usize], distances: &[f64]) -> Self {
        let rows = candidates.of(image);
        let systems = system_of[rows.clone()].to_vec();
        let count = |system: &usize| systems.iter().filter(|other| *other == system).count();
        let product = |a: usize, b: usize| -> f64 {
            let pair = candidates.rows.row(a).into_iter().zip(candidates.rows.row(b));
            pair.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let pairs = rows.clone().flat_map(|a| rows.clone().map(move |b| (a, b)));
        Self {
            shares: systems.iter().map(|system| 1.0 / count(system) as f64).collect(),
            products: pairs.map(|(a, b)| product(a, b)).collect(),
            distances: distances[rows].to_vec(),
            systems,
        }
    }

    /// The candidate nearest the weighted mean: ‖eᵢ‖² − 2 eᵢ·m is least.
    fn choose(&self, weights: &[f64]) -> Option<usize> {
        let n = self.systems.len();
        let weight = |at: usize| weights[self.systems[at]] * self.shares[at];
        let total: f64 = (0..n).map(weight).sum();
        let share = |at: usize| if total > 0.0 { weight(at) / total } else { 1.0 / n as f64 };
        let shares: Vec<f64> = (0..n).map(share).collect();
        let costs: Vec<f64> = (self.products.chunks(n.max(1)).enumerate())
            .map(|(at, products)| {
                let mean: f64 = products.iter().zip(&shares).map(|(p, share)| p * share).sum();
                products[at] - 2.0 * mean
            })
            .collect();
        let longest = (0..n).map(|at| self.products[at * n + at]).fold(0.0, f64::max);
        first_least(&costs, TIE * longest)
    }

    fn distance(&self, weights: &[f64]) -> f64 {
        self.choose(weights).map_or(0.0, |at| self.distances[at])
    }
}

/// All weight on the system that is best alone; the same weight on all where there is no image to tell.
fn best_alone(images: &[Image], on: &[usize], systems: usize) -> Vec<f64> {
    let single = |system: usize| -> Vec<f64> {
        (0..systems).map(|other| if other == system { 1.0 } else { 0.0 }).collect()
    };
    let losses = (0..systems).map(|system| distances_of(images, on, &single(system)).iter().sum());
    let losses: Vec<f64> = losses.collect();
    match first_least(&losses, 0.0) {
        Some(best) if !on.is_empty() => single(best),
        _ => vec![1.0 / systems as f64; systems],
    }
}

/// Distance of the chosen caption of each of these images.
fn distances_of(images: &[Image], on: &[usize], weights: &[f64]) -> Vec<f64> {
    on.par_iter().map(|image| images[*image].distance(weights)).collect()
}

/// The best weights on these images: uniform ones and the best system alone to begin with, then weight is moved while that
/// helps; the best system alone where that does not help beyond chance.
fn search(images: &[Image], on: &[usize], best: &[f64]) -> Vec<f64> {
    let loss = |weights: &[f64]| distances_of(images, on, weights).iter().sum::<f64>();
    let uniform = vec![1.0 / best.len() as f64; best.len()];
    let starts = [uniform, best.to_vec()];
    let [a, b] = starts.map(|weights| descend(loss(&weights), weights, &loss));
    let found = if a.0 < b.0 { a.1 } else { b.1 };
    let of_best = distances_of(images, on, best);
    let gains: Vec<f64> = (distances_of(images, on, &found).iter().zip(&of_best))
        .map(|(found, best)| found - best)
        .collect();
    match Estimate::of_mean(&gains) {
        Ok(gain) if gain.value + BEYOND_CHANCE * gain.se < 0.0 => found,
        _ => best.to_vec(),
    }
}

/// Moves weight between two systems as long as the loss falls, by smaller and smaller steps.
fn descend(
    mut value: f64,
    mut weights: Vec<f64>,
    loss: &impl Fn(&[f64]) -> f64,
) -> (f64, Vec<f64>) {
    let systems = weights.len();
    for step in STEPS {
        let mut moved = true;
        while moved {
            moved = false;
            for (from, to) in (0..systems).flat_map(|from| (0..systems).map(move |to| (from, to))) {
                let amount = weights[from].min(step);
                if from == to || amount <= 0.0 {
                    continue;
                }
                let mut tried = weights.clone();
                tried[from] -= amount;
                tried[to] += amount;
                let found = loss(&tried);
                if found < value - 1e-9 {
                    (value, weights, moved) = (found, tried, true);
                }
            }
        }
    }
    (value, weights)
}
