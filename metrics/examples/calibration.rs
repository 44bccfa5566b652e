//! How often does the comparison of two equally good systems call them different?
//!
//! A simulation, not a test: it takes minutes to hours. Draws images with anisotropic unit-vector captions of two
//! systems that are equally far from the references, compares them, and prints the share of draws whose p-value is
//! at most 0.05 and whose 95% intervals leave out the true difference of zero. All should be near 5%.
//!
//!     cargo run --release -p fgd-metrics --example calibration -- [DRAWS] [IMAGES] [DIMENSION] [NULL]
//!
//! NULL is `interchangeable` (both systems draw captions alike) or `equal` (they stray in different
//! directions, equally far: the distances are equal, the systems are not).

use std::f64::consts::TAU;

use fgd_metrics::compare::{Difference, Resampling, paired_difference, set_difference};
use fgd_metrics::paired::{Pairs, fgd_paired};
use fgd_metrics::sufficient::Statistics;
use fgd_metrics::text::{Corpus, bleu};
use ndarray::Array2;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough for shares of 5%: with 199 exchanges, p ≤ 0.05 has probability 10/200 under the null.
const RESAMPLING: Resampling = Resampling { replicates: 200, randomisations: 199, seed: 1 };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: usize| arguments.get(at).map_or(Ok(default), |a| a.parse());
    let (draws, images, dimension) = (number(0, 1_000)?, number(1, 400)?, number(2, 32)?);
    let null = arguments.get(3).map_or("interchangeable", String::as_str);
    let interchangeable = match null {
        "interchangeable" => true,
        "equal" => false,
        other => return Err(format!("no null hypothesis is called {other}").into()),
    };
    let image_of: Vec<usize> = (0..images).collect();
    let mut rejected = [[0; 3]; 3];
    for draw in 0..draws {
        let [references, a, b] = sample(images, dimension, interchangeable, draw as u64);
        let set = set_difference(a.view(), b.view(), references.view(), &image_of, &RESAMPLING)?;
        let per_image = |candidates: &Array2<f32>| {
            let (candidates, references) = (candidates.view(), references.view());
            let pairs = Pairs { candidates, references, image_of: &image_of };
            fgd_paired(&pairs).map(|distance| Statistics::mean(distance.per_image))
        };
        let paired = paired_difference(&per_image(&a)?, &per_image(&b)?, &RESAMPLING)?;
        let words = bleu_difference(images, draw as u64)?;
        for (counts, difference) in rejected.iter_mut().zip([paired, set, words]) {
            for (count, rejects) in counts.iter_mut().zip(rejections(&difference)) {
                *count += usize::from(rejects);
            }
        }
    }
    println!("{draws} draws of {images} images, {dimension} dimensions, {null} systems");
    println!("share of draws that reject the null at 5%:");
    for (name, counts) in ["fgd_paired", "fgd_set", "bleu_4"].iter().zip(rejected) {
        let [p_value, bootstrap, influence] = counts.map(|count| {
            let share = count as f64 / draws as f64;
            let se = (share * (1.0 - share) / draws as f64).sqrt();
            format!("{:.1}% ± {:.1}", 100.0 * share, 100.0 * se)
        });
        println!("  {name:10}  p-value {p_value}  bootstrap {bootstrap}  influence {influence}");
    }
    Ok(())
}

/// BLEU-4 of two systems that copy each word of a reference with probability 0.7; sentences have 6 to 14 words of a vocabulary of 40.
fn bleu_difference(images: usize, seed: u64) -> Result<Difference, Box<dyn std::error::Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(!seed);
    let mut captions: [Vec<Vec<String>>; 3] = Default::default();
    for _ in 0..images {
        let length = rng.random_range(6..15);
        let mut word = || format!("w{}", rng.random_range(0..40));
        let reference: Vec<String> = (0..length).map(|_| word()).collect();
        let [of_reference, systems @ ..] = &mut captions;
        for system in systems {
            let copied = reference.iter().map(|said| {
                let other = format!("w{}", rng.random_range(0..40));
                if rng.random_bool(0.7) { said.clone() } else { other }
            });
            system.push(copied.collect());
        }
        of_reference.push(reference);
    }
    let [references, a, b] = captions;
    let references: Vec<_> = references.into_iter().map(|words| vec![words]).collect();
    let statistics = |candidates: &[Vec<String>]| {
        let [.., bleu_4] = bleu(&Corpus::from_tokens(candidates, &references)?);
        Ok::<_, fgd_metrics::text::CorpusError>(bleu_4.statistics)
    };
    Ok(paired_difference(&statistics(&a)?, &statistics(&b)?, &RESAMPLING)?)
}

fn rejections(difference: &Difference) -> [bool; 3] {
    let leaves_out_zero = |[low, high]: [f64; 2]| low > 0.0 || high < 0.0;
    [
        difference.p_value <= 0.05,
        leaves_out_zero(difference.bootstrap.ci95),
        leaves_out_zero(difference.influence.ci95),
    ]
}

/// References and two systems, with the spectrum 1/(i + 4) and the mean cosine of about 0.8 of real captions.
fn sample(images: usize, dimension: usize, interchangeable: bool, seed: u64) -> [Array2<f32>; 3] {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = |rows: usize| {
        Array2::from_shape_simple_fn((rows, dimension), || {
            let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
            (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
        })
    };
    // Directions come in pairs of one variance, so that straying along either half is equally far.
    let total: f64 = (0..dimension).map(|i| 1.0 / ((i / 2) as f64 + 4.0)).sum();
    let spread = |i: usize| (0.25 / total / ((i / 2) as f64 + 4.0)).sqrt();
    let unit = |mut rows: Array2<f64>, half: usize| {
        for mut row in rows.outer_iter_mut() {
            for (i, value) in row.iter_mut().enumerate() {
                let strays = half < 2 && i % 2 == half;
                *value *= spread(i) * if strays { 1.3 } else { 1.0 };
                *value += if strays { 0.1 * spread(i) } else { 0.0 };
                *value += 1.0 / (dimension as f64).sqrt();
            }
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        rows.mapv(|v| v as f32)
    };
    let meaning = normal(images);
    let half = usize::from(!interchangeable);
    let references = unit(&meaning + 0.5 * normal(images), 2);
    let a = unit(&meaning + 0.6 * normal(images), 0);
    let b = unit(&meaning + 0.6 * normal(images), half);
    [references, a, b]
}
