//! Do the 95% intervals cover the truth? `cargo run --release -p fgd-metrics --example coverage -- [draws] [N…]`
//!
//! Draws pairs of unit vectors in 384 dimensions from a fixed anisotropic model of two captioning systems on the same
//! images, scores each draw, and counts how often the intervals of `fgd_paired` and `fgd_set` (paired and independent)
//! hold the value of the population. That value comes from a sample of 400,000, corrected for the little bias it has.

use std::rc::Rc;

use fgd_metrics::frechet::from_moments;
use fgd_metrics::moments::Moments;
use fgd_metrics::paired::{Pairs, fgd_paired};
use fgd_metrics::statistics::set_statistics;
use fgd_metrics::transport::Sampling;
use ndarray::{Array1, Array2, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const D: usize = 384;
const POPULATION: usize = 400_000;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a whole number"));
    let draws = arguments.next().unwrap_or(1_000);
    let mut sizes: Vec<usize> = arguments.collect();
    if sizes.is_empty() {
        sizes = vec![1_000, 4_000];
    }
    let mut cells = Vec::new();
    for (name, tilt) in [("moderately different", 0.5), ("similar", 0.15)] {
        let model = Rc::new(Model::new(tilt));
        let truth = Rc::new(Truth::of(&model));
        println!("{name}: fgd_paired {:.5}, fgd_set {:.5}", truth.paired, truth.set);
        cells.extend(sizes.iter().map(|&n| Cell {
            name,
            n,
            model: model.clone(),
            truth: truth.clone(),
            paired_hits: 0,
            set: Default::default(),
        }));
    }
    for draw in 0..draws {
        cells.iter_mut().for_each(|cell| cell.draw(draw));
        // A long run can be watched, and stopped early.
        if (draw + 1) % 50 == 0 || draw + 1 == draws {
            println!("{} draws", draw + 1);
            cells.iter().for_each(|cell| cell.report(draw + 1));
        }
    }
}

/// One pair of systems at one size of the sample.
struct Cell {
    name: &'static str,
    n: usize,
    model: Rc<Model>,
    truth: Rc<Truth>,
    paired_hits: usize,
    set: [Tally; 2],
}

impl Cell {
    fn draw(&mut self, draw: usize) {
        let image_of: Vec<usize> = (0..self.n).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1_000 + draw as u64);
        let (x, y) = self.model.draw(&mut rng, self.n);
        let (_, unrelated) = self.model.draw(&mut rng, self.n);
        let pairs = Pairs { candidates: x.view(), references: y.view(), image_of: &image_of };
        let paired = fgd_paired(&pairs).expect("valid pairs");
        self.paired_hits += usize::from(holds(paired.ci95, self.truth.paired));
        let samplings =
            [(&y, Sampling::Paired { image_of: &image_of }), (&unrelated, Sampling::Independent)];
        for ((y, sampling), tally) in samplings.into_iter().zip(&mut self.set) {
            let statistics = set_statistics(x.view(), y.view(), sampling).expect("valid sets");
            let second_order =
                statistics.bias.expect("more rows than dimensions").second_order_se.powi(2);
            let corrected = statistics.corrected.expect("more rows than dimensions");
            tally.raw.push(statistics.distance.value);
            tally.corrected.push(corrected.value);
            tally.se.push(corrected.se);
            tally.influence.push(statistics.influence.se.powi(2));
            tally.quadratic.push(second_order);
            tally.hits += usize::from(holds(corrected.ci95, self.truth.set));
        }
    }

    fn report(&self, draws: usize) {
        let share = |hits: usize| {
            let share = hits as f64 / draws as f64;
            let se = (share * (1.0 - share) / draws as f64).sqrt();
            format!("{:.1}% ± {:.1}", 100.0 * share, 100.0 * se)
        };
        println!("  {}, N = {}: fgd_paired covered {}", self.name, self.n, share(self.paired_hits));
        for (name, tally) in ["paired", "independent"].into_iter().zip(&self.set) {
            let corrected = mean(&tally.corrected);
            println!(
                "    fgd_set, {name}: covered {}; raw {:.5}, corrected {corrected:.5} ({:+.1}%), spread {:.6}, mean se {:.6} (influence {:.6}, quadratic part {:.6})",
                share(tally.hits),
                mean(&tally.raw),
                100.0 * (corrected / self.truth.set - 1.0),
                tally.spread(),
                mean(&tally.se),
                mean(&tally.influence).sqrt(),
                mean(&tally.quadratic).sqrt(),
            );
        }
    }
}

fn holds([low, high]: [f64; 2], truth: f64) -> bool {
    (low..=high).contains(&truth)
}

/// What the draws of one sampling gave.
#[derive(Default)]
struct Tally {
    hits: usize,
    raw: Vec<f64>,
    corrected: Vec<f64>,
    se: Vec<f64>,
    /// Variances by the influence alone, and of the quadratic part.
    influence: Vec<f64>,
    quadratic: Vec<f64>,
}

impl Tally {
    /// Standard deviation of the corrected value over draws.
    fn spread(&self) -> f64 {
        let centre = mean(&self.corrected);
        let squares: f64 = self.corrected.iter().map(|v| (v - centre).powi(2)).sum();
        (squares / (self.corrected.len() as f64 - 1.0)).sqrt()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

struct Truth {
    paired: f64,
    set: f64,
}

impl Truth {
    fn of(model: &Model) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let (mut mx, mut my) = (Moments::new(D), Moments::new(D));
        let (mut paired, chunk) = (0.0, 10_000);
        for _ in 0..POPULATION / chunk {
            let (x, y) = model.draw(&mut rng, chunk);
            mx.push_rows(x.view()).expect("384 dimensions");
            my.push_rows(y.view()).expect("384 dimensions");
            paired += (&x - &y).iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        }
        // Twice the bias at half the size: the last sample of 10,000 tells c in c/N well enough for 400,000.
        let (x, y) = model.draw(&mut rng, chunk);
        let image_of: Vec<usize> = (0..chunk).collect();
        let sampling = Sampling::Paired { image_of: &image_of };
        let statistics = set_statistics(x.view(), y.view(), sampling).expect("valid sets");
        let bias = statistics.bias.expect("more rows than dimensions").bias;
        let raw = from_moments(&mx, &my).expect("moments").value;
        Self {
            paired: paired / POPULATION as f64,
            set: raw - bias * chunk as f64 / POPULATION as f64,
        }
    }
}

/// Captions of one image share content; the systems differ in style (mean), variety (spread) and noise.
struct Model {
    mean: [Array1<f32>; 2],
    spread: [Array1<f32>; 2],
    mix: f32,
}

impl Model {
    fn new(tilt: f32) -> Self {
        let index = Array1::from_iter((0..D).map(|j| j as f32));
        let base = index.mapv(|j| 1.0 / (1.0 + j / 12.0).sqrt());
        let tilted = index.mapv(|j| 1.0 + tilt * (0.7 * j).sin());
        let mean = index.mapv(|j| 0.35 * (1.3 * j).cos());
        let shift = index.mapv(|j| 0.12 * tilt * (0.3 * j).sin());
        Self {
            mean: [mean.clone(), mean + shift],
            spread: [base.clone(), base * tilted],
            mix: 0.4 * tilt,
        }
    }

    /// `n` candidates and the reference of each.
    fn draw(&self, rng: &mut ChaCha8Rng, n: usize) -> (Array2<f32>, Array2<f32>) {
        let mut sides = (Array2::zeros((n, D)), Array2::zeros((n, D)));
        for i in 0..n {
            let content = normals(rng);
            let mut x = sides.0.row_mut(i);
            let own = normals(rng);
            x.assign(&(&self.mean[0] + &self.spread[0] * &(&content * 0.8 + &own * 0.6)));
            let mut y = sides.1.row_mut(i);
            let own = normals(rng);
            let mut content = content * 0.8 + own * 0.6;
            // Neighbouring directions turned into each other: the covariances do not commute.
            let shifted = content.slice(s![..D - 1]).to_owned() * self.mix;
            let mut rest = content.slice_mut(s![1..]);
            rest += &shifted;
            y.assign(&(&self.mean[1] + &self.spread[1] * &content));
            for row in [&mut x, &mut y] {
                let norm = row.dot(row).sqrt();
                *row /= norm;
            }
        }
        sides
    }
}

/// Standard normal values, by Box and Muller.
fn normals(rng: &mut ChaCha8Rng) -> Array1<f32> {
    let mut values = Array1::zeros(D);
    for pair in values.exact_chunks_mut(2) {
        let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * rng.random::<f32>()).sin_cos();
        let mut pair = pair;
        pair[0] = radius * cos;
        pair[1] = radius * sin;
    }
    values
}
