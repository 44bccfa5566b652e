use ndarray::{Array1, Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::compare::paired_difference;
use crate::frechet::fgd_set;
use crate::sufficient::Statistics;

/// Two captioners and one to three references per image, anisotropic unit vectors.
struct Sample {
    a: Array2<f32>,
    b: Array2<f32>,
    references: Array2<f32>,
    image_of: Vec<usize>,
}

fn sample(images: usize, d: usize, seed: u64, per_image: impl Fn(usize) -> usize) -> Sample {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut noise =
        |rows: usize| Array2::from_shape_simple_fn((rows, d), || rng.random_range(-1.0..1.0));
    let spread = |i: usize| 1.0 / (i as f64 + 2.0);
    let meaning = noise(images);
    let unit = |rows: Array2<f64>, centre: f64, stretch: f64| {
        let mut rows = rows;
        for mut row in rows.outer_iter_mut() {
            for (i, value) in row.iter_mut().enumerate() {
                let own = if i % 2 == 0 { stretch } else { 1.0 };
                *value = *value * spread(i) * own + if i < 3 { centre } else { 0.1 };
            }
            let norm = row.dot(&row).sqrt();
            row /= norm;
        }
        rows.mapv(|v| v as f32)
    };
    let image_of: Vec<usize> =
        (0..images).flat_map(|image| std::iter::repeat_n(image, per_image(image))).rev().collect();
    let of_references = meaning.select(Axis(0), &image_of) + 0.5 * noise(image_of.len());
    Sample {
        a: unit(&meaning + 0.6 * noise(images), 0.5, 1.2),
        b: unit(&meaning + 0.8 * noise(images), 0.45, 0.9),
        references: unit(of_references, 0.4, 1.0),
        image_of,
    }
}

impl Sample {
    fn difference(&self, resampling: &Resampling) -> Difference {
        set_difference(
            self.a.view(),
            self.b.view(),
            self.references.view(),
            &self.image_of,
            resampling,
        )
        .unwrap()
    }

    /// Both distances of the replicate, from its rows written out.
    fn replicate(&self, counts: &[u32]) -> [f64; 2] {
        let images: Vec<usize> = (counts.iter().enumerate())
            .flat_map(|(i, &n)| std::iter::repeat_n(i, n as usize))
            .collect();
        let references: Vec<usize> = (self.image_of.iter().enumerate())
            .flat_map(|(j, &i)| std::iter::repeat_n(j, counts[i] as usize))
            .collect();
        let references = self.references.select(Axis(0), &references);
        [&self.a, &self.b].map(|rows| {
            fgd_set(rows.select(Axis(0), &images).view(), references.view()).unwrap().value
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    mean(&values.iter().map(|v| (v - centre).powi(2)).collect::<Vec<_>>()).sqrt()
}

#[test]
fn observed_is_the_difference_of_the_two_distances() {
    let sample = sample(80, 12, 1, |_| 1);
    let distance =
        |rows: &Array2<f32>| fgd_set(rows.view(), sample.references.view()).unwrap().value;
    let expected = distance(&sample.a) - distance(&sample.b);
    let found = sample.difference(&Resampling { replicates: 10, randomisations: 10, seed: 1 });
    assert!((found.observed - expected).abs() < 1e-12, "{} {expected}", found.observed);
}

/// The promise of the module: replicates by expansion, all of it, are replicates by decomposition to third order.
///
/// Beside the spread the third order is 1/N: four times the images leave a quarter of the error.
#[test]
fn replicates_follow_the_exact_ones() {
    for per_image in [|_: usize| 1, |image: usize| 1 + image % 3] {
        let few = expansion_error(&sample(500, 10, 2, per_image));
        let many = expansion_error(&sample(2_000, 10, 2, per_image));
        assert!(few < 0.06 && many < 0.4 * few, "{few} {many}");
    }
}

/// Root mean square error of expanded replicates of the difference, over the spread of the exact ones.
fn expansion_error(sample: &Sample) -> f64 {
    let images = sample.a.nrows();
    let by_image = ByImage::new(images, &sample.image_of);
    let references = Moments::from_rows(sample.references.view());
    let expansions = [&sample.a, &sample.b]
        .map(|rows| Expansion::new(&Moments::from_rows(rows.view()), &references).unwrap());
    let of = |at: usize, rows: &Array2<f32>| {
        System::new(&expansions[at], rows.view(), sample.references.view(), &by_image)
    };
    let (first, second) = (of(0, &sample.a), of(1, &sample.b));
    let linear = Linear::new(&first, &second, &by_image);
    let observed = expansions[0].value - expansions[1].value;

    let (mut exact, mut errors) = (Vec::new(), Vec::new());
    for replicate in 0..200 {
        let drawn = draw_counts(images, 5, replicate);
        let counts = Array2::from_shape_fn((1, images), |(_, i)| drawn[i] as f32);
        let second_order = |system: &System<'_>| {
            let on = drawn.iter().zip(&system.quadratic.diagonal);
            let on: f64 = on.map(|(&n, own)| (f64::from(n) - 1.0).powi(2) * own).sum();
            let expected = system.quadratic.diagonal.iter().sum::<f64>() / images as f64;
            on + system.quadratic.off_diagonal(&counts)[0] + expected
        };
        let expanded = linear.change(&drawn) + second_order(&first) - second_order(&second);
        let [a, b] = sample.replicate(&drawn);
        exact.push(a - b - observed);
        errors.push(expanded - (a - b - observed));
    }
    mean(&errors.iter().map(|e: &f64| e * e).collect::<Vec<_>>()).sqrt() / deviation(&exact)
}

/// Near equality, where the second order is a good part: claimed errors against the spread over fresh samples.
#[test]
fn standard_errors_are_the_spread_over_samples() {
    let resampling = Resampling { replicates: 100, randomisations: 1, seed: 0 };
    let found: Vec<Difference> = (0..300)
        .map(|draw| {
            let mut sample = sample(120, 8, 100 + draw, |_| 1);
            sample.b = self::sample(120, 8, 5_000 + draw, |_| 1).a;
            sample.references = self::sample(120, 8, 9_000 + draw, |_| 1).a;
            sample.difference(&resampling)
        })
        .collect();
    let spread = deviation(&found.iter().map(|f| f.influence.value).collect::<Vec<_>>());
    for se in [|f: &Difference| f.influence.se, |f: &Difference| f.bootstrap.se] {
        let claimed = mean(&found.iter().map(|f| se(f).powi(2)).collect::<Vec<_>>()).sqrt();
        assert!((claimed / spread - 1.0).abs() < 0.15, "{claimed} {spread}");
    }
}

/// One distance, where the bias is not a difference that could cancel.
#[test]
fn second_order_holds_the_bias_of_one_distance() {
    let sample = sample(400, 10, 3, |image| 1 + image % 2);
    let (of_a, of_references) =
        (Moments::from_rows(sample.a.view()), Moments::from_rows(sample.references.view()));
    let expansion = Expansion::new(&of_a, &of_references).unwrap();
    let by_image = ByImage::new(400, &sample.image_of);
    let candidates = expansion.coordinates(&expansion.candidates, sample.a.view());
    let references = expansion.coordinates(&expansion.references, sample.references.view());
    let quadratic = Quadratic::new(&expansion, &candidates, &references, &by_image);
    let exact: Vec<f64> = (0..600)
        .map(|replicate| sample.replicate(&draw_counts(400, 9, replicate))[0] - expansion.value)
        .collect();
    let standard_error = deviation(&exact) / (600.0f64).sqrt();
    assert!(quadratic.bias > 5.0 * standard_error, "the test has no power");
    // Third order is left: a few percent of the bias at this size.
    let tolerance = 4.0 * standard_error + 0.05 * quadratic.bias;
    assert!(
        (mean(&exact) - quadratic.bias).abs() < tolerance,
        "{} {}",
        mean(&exact),
        quadratic.bias
    );
}

/// The swap test's statistic is the difference of the distances after the swap, to third order.
#[test]
fn exchanges_move_the_difference_as_the_linear_statistic_says() {
    let sample = sample(600, 8, 4, |_| 1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut pooled = Moments::from_rows(sample.a.view());
    pooled.push_rows(sample.b.view()).unwrap();
    let pooled = Expansion::new(&pooled, &Moments::from_rows(sample.references.view())).unwrap();
    let terms = exchange_terms(&pooled, sample.a.view(), sample.b.view());
    let (mut exact, mut linear) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let (mut a, mut b) = (sample.a.clone(), sample.b.clone());
        let mut sum = 0.0;
        for (image, term) in terms.iter().enumerate() {
            let swap: bool = rng.random();
            sum += if swap { -term } else { *term };
            if swap {
                let row: Array1<f32> = a.row(image).to_owned();
                a.row_mut(image).assign(&b.row(image));
                b.row_mut(image).assign(&row);
            }
        }
        let distance =
            |rows: &Array2<f32>| fgd_set(rows.view(), sample.references.view()).unwrap().value;
        exact.push(distance(&a) - distance(&b));
        linear.push(sum / 600.0);
    }
    let errors: Vec<f64> = exact.iter().zip(&linear).map(|(e, l)| e - l).collect();
    assert!(
        deviation(&errors) < 0.03 * deviation(&exact),
        "{} {}",
        deviation(&errors),
        deviation(&exact)
    );
}

/// Fewer images than dimensions, and captions that are all the same: rank-deficient, but numbers.
#[test]
fn missing_rank_is_no_obstacle() {
    let resampling = Resampling { replicates: 20, randomisations: 50, seed: 3 };
    let mut sample = sample(15, 40, 9, |image| 1 + image % 2);
    let distance = |rows: &Array2<f32>, sample: &Sample| {
        fgd_set(rows.view(), sample.references.view()).unwrap().value
    };
    for _ in 0..2 {
        let expected = distance(&sample.a, &sample) - distance(&sample.b, &sample);
        let found = sample.difference(&resampling);
        assert!((found.observed - expected).abs() < 1e-9, "{} {expected}", found.observed);
        assert!(
            found.bootstrap.ci95.iter().all(|v| v.is_finite()) && found.influence.se.is_finite()
        );
        let constant = sample.a.row(0).to_owned();
        sample.a.outer_iter_mut().for_each(|mut row| row.assign(&constant));
    }
}

#[test]
fn the_order_of_the_systems_changes_the_sign_only() {
    let sample = sample(120, 6, 6, |_| 2);
    let resampling = Resampling { replicates: 50, randomisations: 200, seed: 3 };
    let forth = sample.difference(&resampling);
    let back = Sample { a: sample.b, b: sample.a, ..sample }.difference(&resampling);
    assert!((forth.observed + back.observed).abs() < 1e-12);
    assert!((forth.bias + back.bias).abs() < 1e-9);
    assert!((forth.bootstrap.se - back.bootstrap.se).abs() < 1e-9);
    assert_eq!(forth.p_value, back.p_value);
}

#[test]
fn a_system_does_not_differ_from_itself() {
    let mut sample = sample(60, 5, 7, |_| 1);
    sample.b = sample.a.clone();
    let found = sample.difference(&Resampling { replicates: 20, randomisations: 50, seed: 3 });
    assert_eq!((found.observed, found.bias, found.p_value), (0.0, 0.0, 1.0));
    assert_eq!((found.bootstrap.se, found.influence.se), (0.0, 0.0));
}

#[test]
fn threads_do_not_change_a_bit() {
    let sample = sample(700, 20, 8, |image| 1 + image % 2);
    let resampling = Resampling { replicates: 64, randomisations: 300, seed: 3 };
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let [paired, other] = [&sample.a, &sample.b].map(|rows| {
                Statistics::mean(rows.column(0).iter().map(|&v| f64::from(v)).collect())
            });
            (
                sample.difference(&resampling),
                paired_difference(&paired, &other, &resampling).unwrap(),
            )
        })
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn systems_of_different_images_are_refused() {
    let sample = sample(20, 4, 1, |_| 1);
    let short = sample.b.slice(ndarray::s![..19, ..]);
    let found = set_difference(
        sample.a.view(),
        short,
        sample.references.view(),
        &sample.image_of,
        &Resampling::default(),
    );
    assert!(matches!(found, Err(MetricError::InvalidPairs(_))));
}
