//! Whether the ranges of a leaderboard by `fgd_set` hold all true ranks, where systems differ and where none does.

use std::error::Error;

use fgd_metrics::MetricError;
use fgd_metrics::compare::all_pairs;
use fgd_metrics::inference::{SetInference, set_inference};
use fgd_metrics::units::Units;
use ndarray::Axis;

use crate::Plan;
use crate::cells::{images, share, spread, stream};
use crate::population::{Population, System};

/// How far apart the systems of the board are in `fgd_set`: two are equal, others by 3% and more.
const BOARD: [f64; 6] = [0.0300, 0.0300, 0.0309, 0.0340, 0.0400, 0.0403];

/// Six systems of unequal distance.
pub fn ranks(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    board("ranges of six systems", BOARD, population, plan)
}

/// Six systems of one distance, unlike in kind: every range must hold all six ranks, so what misses is the error of Holm's tests
/// taken together.
pub fn holm(population: &Population, plan: &Plan) -> Result<(), Box<dyn Error>> {
    board("ranges of six equal systems", [BOARD[0]; 6], population, plan)
}

/// Systems of these distances, ranked against references of other images and of the same.
fn board(
    title: &str,
    distances: [f64; 6],
    population: &Population,
    plan: &Plan,
) -> Result<(), Box<dyn Error>> {
    let systems: Vec<System> = (distances.iter().enumerate())
        .map(|(k, &distance)| match k % 2 {
            0 => population.noise(distance, 200 + k as u64),
            _ => population.tuned("mixed", distance, |size| {
                population.elsewhere(population.perturbed(size, 300 + k as u64), 20)
            }),
        })
        .collect::<Result<_, _>>()?;
    let mut held = vec![[0; 2]; plan.sizes.len()];
    // What the differences of pairs are off by in standard errors: their spread is 1 where these are right.
    let mut errors = vec![[const { Vec::new() }; 2]; plan.sizes.len()];
    for done in 1..=plan.draws {
        for (at, &n) in plan.sizes.iter().enumerate() {
            let mut rng = stream(plan.first + done - 1, n);
            let [own, others] = [0, 1].map(|_| images(&mut rng, n, population.references.nrows()));
            let same: Vec<usize> = (0..n).collect();
            let designs =
                [(&others, Units::independent(n, n)), (&own, Units::of_labels(&same, &same))];
            for (d, (drawn, units)) in designs.iter().enumerate() {
                let y = population.references.select(Axis(0), drawn);
                let found: Vec<SetInference> = (systems.iter())
                    .map(|system| {
                        let x = system.rows.select(Axis(0), &own);
                        Ok(set_inference(x.view(), y.view(), units, 0)??)
                    })
                    .collect::<Result<_, Box<dyn Error>>>()?;
                let pairs = all_pairs(systems.len(), |a, b| {
                    let difference = found[a].difference(&found[b])?;
                    Ok::<_, MetricError>((difference.corrected, difference.p_value()))
                })?;
                // A range misses a true rank only where a pair is told the wrong way round; of equal systems either way is wrong.
                let wrong = pairs.iter().filter(|pair| pair.p_holm < 0.05).any(|pair| {
                    let truth = distances[pair.first] - distances[pair.second];
                    truth == 0.0 || (truth > 0.0) != (pair.estimate.value > 0.0)
                });
                held[at][d] += usize::from(!wrong);
                errors[at][d].extend(pairs.iter().map(|pair| {
                    let truth = distances[pair.first] - distances[pair.second];
                    (pair.estimate.value - truth) / pair.estimate.se
                }));
            }
        }
        if done % 20 == 0 || done == plan.draws {
            println!("\n{title}: {done} draws, all true ranks held in %\n");
            println!("| N | unpaired | spread, beyond 1.96 | same images | spread, beyond 1.96 |");
            println!("|---:|---:|---:|---:|---:|");
            for (at, n) in plan.sizes.iter().enumerate() {
                let of = |d: usize| {
                    let errors: &[f64] = &errors[at][d];
                    let beyond = errors.iter().filter(|z| z.abs() > 1.96).count();
                    let beyond = share(beyond, errors.len());
                    format!("{} | {:.2}, {beyond}", share(held[at][d], done), spread(errors))
                };
                println!("| {n} | {} | {} |", of(0), of(1));
            }
        }
    }
    Ok(())
}
