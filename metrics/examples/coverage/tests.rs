//! How often the test of equal distance calls two systems different: where they are equal, and where they are not.

use std::error::Error;

use fgd_metrics::compare::{Resampling, all_differences, exchange_test};
use fgd_metrics::estimate::Estimate;
use fgd_metrics::inference::set_inference;
use fgd_metrics::paired::{Pairs, fgd_paired};
use fgd_metrics::units::Units;
use ndarray::{Array2, Axis};

use crate::Plan;
use crate::cells::{images, mean, share, spread, stream};
use crate::population::{Population, System};

const LEVEL: f64 = 0.05;
/// Enough for shares of 5%: with 199 exchanges, p ≤ 0.05 has probability 10/200 under the null.
const EXCHANGES: Resampling = Resampling { replicates: 100, randomisations: 199, seed: 1 };

/// Two systems, and how often each test called them different.
struct Pair {
    name: String,
    systems: [System; 2],
    /// Of every size.
    found: Vec<Found>,
}

#[derive(Default, Clone)]
struct Found {
    /// Differences of the corrected `fgd_set`, and the squares of their standard errors.
    differences: Vec<f64>,
    variances: Vec<f64>,
    /// How often the test of equal `fgd_set` rejected, that of `fgd_paired`, the exchange test.
    rejected: [usize; 3],
}

impl Pair {
    fn new(name: &str, systems: [System; 2], plan: &Plan) -> Self {
        Self { name: name.to_owned(), systems, found: vec![Found::default(); plan.sizes.len()] }
    }
}

/// Pairs of equal distance, unlike and interchangeable.
pub fn equal(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let first = match &population.truncated {
        Some(rows) => population.system("trunc", rows.clone())?,
        None => population.noise(0.04, 20)?,
    };
    let noise = || population.noise(first.truth, 1);
    let mixed = population.tuned("mixed", first.truth, |size| {
        population.elsewhere(population.perturbed(size, 2), 10)
    })?;
    let constant =
        population.system("dup", population.constant(population.perturbed(0.2, 3), 5))?;
    let level = population.noise(constant.truth, 4)?;
    let copy = System { name: "noise", rows: noise()?.rows, truth: first.truth };
    let other = population.noise(first.truth, 99)?;
    let pairs = vec![
        Pair::new("trunc and noise", [first, noise_of(&copy)], plan),
        Pair::new("mixed and noise", [mixed, noise_of(&copy)], plan),
        Pair::new("one caption on 20% and noise", [constant, level], plan),
        Pair::new("interchangeable: noise and other noise", [copy, other], plan),
    ];
    run("equal distance", population, plan, pairs)
}

fn noise_of(system: &System) -> System {
    System { name: system.name, rows: system.rows.clone(), truth: system.truth }
}

/// Systems that are 2% and 5% apart, in `fgd_set`: one of them moved towards the references, and two that share nothing.
pub fn power(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    let first = match &population.truncated {
        Some(rows) => population.system("trunc", rows.clone())?,
        None => population.noise(0.04, 20)?,
    };
    let mut pairs = Vec::new();
    for apart in [0.02, 0.05] {
        // The same system, a little nearer to the references image by image.
        let nearer = population.tuned("nearer", first.truth * (1.0 - apart), |size| {
            // `tuned` expects a distance that grows with its argument.
            let step = 0.5 * size;
            let mut rows = &first.rows * step + &population.references * (1.0 - step);
            for mut row in rows.outer_iter_mut() {
                let length = row.dot(&row).sqrt();
                row /= length;
            }
            rows
        })?;
        let percent = 100.0 * apart;
        let name = format!("{percent:.0}% apart, captions alike");
        pairs.push(Pair::new(&name, [noise_of(&first), nearer], plan));
        let name = format!("{percent:.0}% apart, captions unlike");
        let two = [(first.truth, 1), (first.truth * (1.0 - apart), 99)];
        let [a, b] = two.map(|(distance, seed)| population.noise(distance, seed));
        pairs.push(Pair::new(&name, [a?, b?], plan));
    }
    run("power", population, plan, pairs)
}

fn run(
    title: &str,
    population: &Population,
    plan: &Plan,
    mut pairs: Vec<Pair>,
) -> Result<(), Box<dyn Error>> {
    let is_named = |pair: &Pair| plan.systems.iter().any(|name| pair.name.starts_with(name));
    pairs.retain(|pair| plan.systems.is_empty() || is_named(pair));
    for done in 1..=plan.draws {
        for (at, &n) in plan.sizes.iter().enumerate() {
            let mut rng = stream(plan.first + done - 1, n);
            let drawn = images(&mut rng, n, population.references.nrows());
            let references = population.references.select(Axis(0), &drawn);
            for pair in &mut pairs {
                let rows = [0, 1].map(|k| pair.systems[k].rows.select(Axis(0), &drawn));
                let (difference, rejected) = tested(&rows, &references, plan.exchanges)?;
                let found = &mut pair.found[at];
                found.differences.push(difference.value);
                found.variances.push(difference.se.powi(2));
                let counts = found.rejected.iter_mut().zip(rejected);
                counts.for_each(|(count, is)| *count += usize::from(is));
            }
        }
        if done % 20 == 0 || done == plan.draws {
            println!("\n{title}: {done} draws, rejected at 5% in %\n");
            println!(
                "| systems | fgd_set of each | N | equal fgd_set | se/sd | equal fgd_paired | exchange |"
            );
            println!("|---|---|---:|---:|---:|---:|---:|");
            for pair in &pairs {
                for (n, found) in plan.sizes.iter().zip(&pair.found) {
                    let [set, paired, exchange] = found.rejected;
                    let [set, paired] = [set, paired].map(|times| share(times, done));
                    let exchange = share(exchange, if plan.exchanges { done } else { 0 });
                    let of_se = mean(&found.variances).sqrt() / spread(&found.differences);
                    let [a, b] = [0, 1].map(|k| pair.systems[k].truth);
                    println!(
                        "| {} | {a:.5}, {b:.5} | {n} | {set} | {of_se:.2} | {paired} | {exchange} |",
                        pair.name
                    );
                }
            }
        }
    }
    Ok(())
}

/// The difference, and whether each test calls the systems different; the exchange test never does where it is not wanted.
fn tested(
    rows: &[Array2<f32>; 2],
    references: &Array2<f32>,
    exchanges: bool,
) -> Result<(Estimate, [bool; 3]), Box<dyn Error>> {
    let image_of: Vec<usize> = (0..references.nrows()).collect();
    let units = Units::of_labels(&image_of, &image_of);
    let [a, b] = rows;
    let infer = |x: &Array2<f32>| set_inference(x.view(), references.view(), &units, 0);
    let difference = infer(a)??.difference(&infer(b)??)?;
    let distances = |x: &Array2<f32>| {
        let (candidates, references) = (x.view(), references.view());
        fgd_paired(&Pairs { candidates, references, image_of: &image_of }).map(|d| d.per_image)
    };
    let paired = all_differences(&[&distances(a)?, &distances(b)?])?;
    let exchanged =
        || exchange_test(a.view(), b.view(), references.view(), &image_of, None, &EXCHANGES);
    let exchange = exchanges && exchanged()?.p_value <= LEVEL;
    let rejected = [difference.p_value() < LEVEL, paired[0].p_value < LEVEL, exchange];
    Ok((difference.corrected, rejected))
}
