//! How often the 95% interval of the corrected distance holds the population's.

use std::error::Error;

use fgd_metrics::inference::{SetInference, set_inference};
use fgd_metrics::units::Units;
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use rand::seq::index;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Plan;
use crate::population::{Population, distance};

/// A table is printed again after so many draws.
const REPORT_EVERY: usize = 20;
/// References of one image in the table of clusters.
const REFERENCES: usize = 5;
/// Alike images of one album there.
const ALBUM: usize = 4;

/// One system under one way of drawing, and what came of it.
struct Cell {
    name: String,
    n: usize,
    truth: f64,
    found: Vec<SetInference>,
    withheld: usize,
}

impl Cell {
    fn new(name: String, n: usize, truth: f64) -> Self {
        Self { name, n, truth, found: Vec::new(), withheld: 0 }
    }

    fn add(
        &mut self,
        x: ArrayView2<f32>,
        y: ArrayView2<f32>,
        units: &Units,
        population: Option<f64>,
    ) -> Result<(), Box<dyn Error>> {
        match set_inference(x, y, units, 0)? {
            Ok(found) => self.found.push(match population {
                Some(share) => found.of_finite_population(share),
                None => found,
            }),
            Err(_) => self.withheld += 1,
        }
        Ok(())
    }

    fn report(&self) {
        let values: Vec<f64> = self.found.iter().map(|found| found.corrected.value).collect();
        if values.len() < 2 {
            println!(
                "| {} | {} | {:.5} | withheld ({}) |",
                self.name, self.n, self.truth, self.withheld
            );
            return;
        }
        let holds = |found: &&SetInference| {
            (found.corrected.ci95[0]..=found.corrected.ci95[1]).contains(&self.truth)
        };
        let is_marked = |found: &&SetInference| found.small_sample;
        let mean = mean(&values);
        let spread = spread(&values);
        let se = crate::cells::mean(
            &self.found.iter().map(|found| found.corrected.se.powi(2)).collect::<Vec<_>>(),
        )
        .sqrt();
        let raw = crate::cells::mean(&self.found.iter().map(|f| f.raw).collect::<Vec<_>>());
        let all = self.found.len();
        let marked = self.found.iter().filter(is_marked).count();
        let equal = self.found.iter().filter(|found| found.nearly_equal).count();
        let unmarked = all - marked;
        let held = self.found.iter().filter(|found| !is_marked(found)).filter(holds).count();
        println!(
            "| {} | {} | {:.5} | {:+.1}% | {:+.1}% | {:+.2} | {} | {} | {:.0}% | {:.0}% | {:.2} |",
            self.name,
            self.n,
            self.truth,
            100.0 * (raw / self.truth - 1.0),
            100.0 * (mean / self.truth - 1.0),
            (mean - self.truth) / se,
            share(self.found.iter().filter(holds).count(), all),
            share(held, unmarked),
            100.0 * marked as f64 / all as f64,
            100.0 * equal as f64 / all as f64,
            se / spread,
        );
    }
}

/// A share in per cent with its Monte Carlo standard error.
pub fn share(part: usize, all: usize) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    let share = part as f64 / all as f64;
    let se = (share * (1.0 - share) / all as f64).sqrt();
    format!("{:.1} ± {:.1}", 100.0 * share, 100.0 * se)
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn spread(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: f64 = values.iter().map(|v| (v - centre).powi(2)).sum();
    (squares / (values.len() as f64 - 1.0)).sqrt()
}

fn report(title: &str, draws: usize, cells: &[Cell]) {
    println!("\n{title}: {draws} draws\n");
    println!(
        "| system | N | truth | raw | corrected | error/se | covered | unmarked covered | small sample | nearly equal | se/sd |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    cells.iter().for_each(Cell::report);
}

/// Runs draws of all cells.
fn run(
    title: &str,
    plan: &Plan,
    cells: &mut [Cell],
    mut draw: impl FnMut(usize, &mut [Cell]) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for done in 1..=plan.draws {
        draw(plan.first + done - 1, cells)?;
        if done % REPORT_EVERY == 0 || done == plan.draws {
            report(title, done, cells);
        }
    }
    Ok(())
}

/// A random stream of each draw and size.
pub fn stream(draw: usize, n: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(draw as u64);
    rng.set_stream(n as u64);
    rng
}

/// `n` of `all` images with replacement: captions yet to come.
pub fn images(rng: &mut ChaCha8Rng, n: usize, all: usize) -> Vec<usize> {
    (0..n).map(|_| rng.random_range(0..all)).collect()
}

/// Captions of the same images, and of others, yet to come.
pub fn coverage(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    designs("coverage", population, plan, images, false)
}

/// Samples without replacement of a population that is itself the target.
pub fn finite(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let without = |rng: &mut ChaCha8Rng, n, all| index::sample(rng, all, n).into_vec();
    designs("finite population", population, plan, without, true)
}

/// Both designs for every system; `draw` gives `n` of `all` images.
fn designs(
    title: &str,
    population: &Population,
    plan: &Plan,
    draw: impl Fn(&mut ChaCha8Rng, usize, usize) -> Vec<usize> + Sync,
    is_target: bool,
) -> Result<(), Box<dyn Error>> {
    let systems = population.systems(&plan.systems)?;
    let all = population.references.nrows();
    let of = if is_target { format!(", of {all}") } else { String::new() };
    let mut cells = Vec::new();
    for design in ["same images", "unpaired"] {
        for system in &systems {
            let name = format!("{}, {design}{of}", system.name);
            cells.extend(plan.sizes.iter().map(|&n| Cell::new(name.clone(), n, system.truth)));
        }
    }
    run(title, plan, &mut cells, |nth, cells| {
        for (at, &n) in plan.sizes.iter().enumerate() {
            let mut rng = stream(nth, n);
            let [own, others] = [0, 1].map(|_| draw(&mut rng, n, all));
            let same: Vec<usize> = (0..n).collect();
            let designs =
                [(&own, Units::of_labels(&same, &same)), (&others, Units::independent(n, n))];
            let share = is_target.then(|| n as f64 / all as f64);
            for (d, (drawn, units)) in designs.iter().enumerate() {
                let y = population.references.select(Axis(0), drawn);
                for (s, system) in systems.iter().enumerate() {
                    let x = system.rows.select(Axis(0), &own);
                    let cell = (d * systems.len() + s) * plan.sizes.len() + at;
                    cells[cell].add(x.view(), y.view(), units, share)?;
                }
            }
        }
        Ok(())
    })
}

/// Several references of one image, and albums of alike images.
pub fn clusters(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let systems = population.systems(&plan.systems)?;
    let system = &systems[0];
    // Each reference said in five ways.
    let said: Vec<Array2<f32>> =
        (0..REFERENCES).map(|k| population.perturbed(0.3, 100 + k as u64)).collect();
    let views: Vec<ArrayView2<f32>> = said.iter().map(|rows| rows.view()).collect();
    let all = concatenate(Axis(0), &views)?;
    let many = distance(&system.rows, &all)?;
    let albums = by_album(population);
    let mut cells = Vec::new();
    for (design, truth) in [
        ("5 references, same images", many),
        ("5 references, unpaired", many),
        ("albums of 4, same images", system.truth),
        ("albums of 4, unpaired", system.truth),
    ] {
        let name = format!("{}, {design}", system.name);
        cells.extend(plan.sizes.iter().map(|&n| Cell::new(name.clone(), n, truth)));
    }
    let images_of = population.references.nrows();
    run("clusters", plan, &mut cells, |draw, cells| {
        for (at, &n) in plan.sizes.iter().enumerate() {
            let mut rng = stream(draw, n);
            let [own, others] = [0, 1].map(|_| images(&mut rng, n, images_of));
            let x = system.rows.select(Axis(0), &own);
            let label: Vec<usize> = (0..n).collect();
            let five: Vec<usize> = (0..n * REFERENCES).map(|j| j / REFERENCES).collect();
            let apart: Vec<usize> = five.iter().map(|image| n + image).collect();
            for (d, (drawn, of)) in [(&own, &five), (&others, &apart)].into_iter().enumerate() {
                let rows: Vec<usize> = (drawn.iter())
                    .flat_map(|&image| (0..REFERENCES).map(move |k| k * images_of + image))
                    .collect();
                let y = all.select(Axis(0), &rows);
                let units = Units::of_labels(&label, of);
                cells[d * plan.sizes.len() + at].add(x.view(), y.view(), &units, None)?;
            }
            let [own, others] = [0, 1].map(|_| {
                let drawn = images(&mut rng, n / ALBUM, albums.len());
                drawn.iter().flat_map(|&album| albums[album].clone()).collect::<Vec<usize>>()
            });
            let x = system.rows.select(Axis(0), &own);
            let label: Vec<usize> = (0..own.len()).map(|i| i / ALBUM).collect();
            let apart: Vec<usize> = label.iter().map(|album| n + album).collect();
            for (d, (drawn, of)) in [(&own, &label), (&others, &apart)].into_iter().enumerate() {
                let y = population.references.select(Axis(0), drawn);
                let units = Units::of_labels(&label, of);
                cells[(2 + d) * plan.sizes.len() + at].add(x.view(), y.view(), &units, None)?;
            }
        }
        Ok(())
    })
}

/// Albums of images with alike references: neighbours along the direction of largest variance, nearly.
fn by_album(population: &Population) -> Vec<Vec<usize>> {
    let references = &population.references;
    let mean = references.mean_axis(Axis(0)).expect("rows");
    let mut axis = &references.row(0) - &mean;
    for _ in 0..20 {
        let along = (references - &mean).dot(&axis);
        axis = (references - &mean).t().dot(&along);
        axis /= axis.dot(&axis).sqrt();
    }
    let along = references.dot(&axis);
    let mut order: Vec<usize> = (0..references.nrows()).collect();
    order.sort_by(|&a, &b| along[a].total_cmp(&along[b]));
    order.chunks_exact(ALBUM).map(<[usize]>::to_vec).collect()
}
