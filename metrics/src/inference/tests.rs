//! What must hold of the inference for every sample; the numbers themselves are held to numpy in tests/golden_inference.rs.

use ndarray::{Array2, Axis, concatenate, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Nearly Gaussian rows of unequal spread.
fn rows(n: usize, d: usize, seed: u64) -> Array2<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_fn((n, d), |(_, j)| {
        ((0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0) / (1.0 + j as f32)
    })
}

fn same(n: usize) -> Units {
    let images: Vec<usize> = (0..n).collect();
    Units::of_labels(&images, &images)
}

fn infer(x: &Array2<f32>, y: &Array2<f32>, units: &Units) -> Result<SetInference, Unavailable> {
    set_inference(x.view(), y.view(), units, 0).expect("valid sets")
}

#[test]
fn a_set_beside_itself_has_no_distance() {
    let x = rows(120, 6, 1);
    let found = infer(&x, &x, &same(120)).unwrap();
    assert!(found.corrected.value.abs() < 1e-9 && found.corrected.se < 1e-9, "{found:?}");
    assert!(found.difference(&found).unwrap().corrected.value == 0.0);
}

/// One system has said two references word for word, so that their units are joined; the other has not.
#[test]
fn systems_of_unlike_units_are_compared_by_units_of_both() {
    let (x, y) = (rows(150, 5, 1), rows(150, 5, 2));
    let mut retrieved = x.clone();
    [0, 1].into_iter().for_each(|i| retrieved.row_mut(i).assign(&y.row(i)));
    let images: Vec<usize> = (0..300).collect();
    let apart = Units::independent(150, 150);
    let linked: Vec<usize> = (0..150).map(|j| if j < 2 { j } else { 150 + j }).collect();
    let together = Units::of_labels(&images[..150], &linked);
    let [found, other] =
        [(&retrieved, &together), (&x, &apart)].map(|(x, units)| infer(x, &y, units).unwrap());
    let difference = found.difference(&other).unwrap();
    let expected = found.corrected.value - other.corrected.value;
    assert!((difference.corrected.value - expected).abs() < 1e-12);
    let turned = other.difference(&found).unwrap().corrected;
    assert!((turned.se / difference.corrected.se - 1.0).abs() < 1e-12);
    assert!(difference.corrected.se > 0.0 && difference.corrected.se < other.corrected.se);
}

/// Whatever the jackknife makes of captions beside references of other images.
#[test]
fn the_same_captions_of_other_images_are_equally_far_as_a_set() {
    let (x, y) = (rows(120, 6, 1), rows(120, 6, 2));
    let turned = x.select(Axis(0), &(0..120).map(|i| (7 * i + 3) % 120).collect::<Vec<_>>());
    let [found, again] = [&x, &turned].map(|x| infer(x, &y, &same(120)).unwrap());
    assert!((found.corrected.value - again.corrected.value).abs() > 1e-6);
    let difference = found.difference(&again).unwrap();
    assert!(difference.same_rows && difference.p_value() == 1.0);
    assert_eq!((difference.corrected.value, difference.corrected.se), (0.0, 0.0));
    // On whatever scale the rows are, others are others.
    let [small, other] =
        [&x, &rows(120, 6, 3)].map(|x| infer(&(x * 1e-7), &(&y * 1e-7), &same(120)).unwrap());
    assert!(!small.difference(&other).unwrap().same_rows);
}

#[test]
fn the_order_of_rows_and_units_within_a_side_is_immaterial() {
    let (x, y) = (rows(90, 5, 2), rows(90, 5, 3));
    let found = infer(&x, &y, &same(90)).unwrap();
    // The same pairs, the references in another order of rows.
    let backwards = y.slice(s![..;-1, ..]).to_owned();
    let (first, second): (Vec<usize>, Vec<usize>) = ((0..90).collect(), (0..90).rev().collect());
    let again = infer(&x, &backwards, &Units::of_labels(&first, &second)).unwrap();
    assert!((found.corrected.value - again.corrected.value).abs() < 1e-12);
    assert!((found.corrected.se - again.corrected.se).abs() < 1e-12);
}

#[test]
fn repeating_every_row_in_its_unit_changes_little() {
    let (x, y) = (rows(200, 5, 4), rows(260, 5, 5));
    let single = infer(&x, &y, &Units::independent(200, 260)).unwrap();
    let twice = |rows: &Array2<f32>| concatenate![Axis(0), *rows, *rows];
    let label =
        |n: usize, from: usize| -> Vec<usize> { (0..2 * n).map(|i| from + i % n).collect() };
    let units = Units::of_labels(&label(200, 0), &label(260, 200));
    let double = infer(&twice(&x), &twice(&y), &units).unwrap();
    // ddof 1 of so many rows and of twice as many.
    assert!((single.corrected.se / double.corrected.se - 1.0).abs() < 0.03);
    assert!(
        (single.bias() / double.bias() - 1.0).abs() < 0.1,
        "{} {}",
        single.bias(),
        double.bias()
    );
    // As if they were draws of their own, the error is too small by √2.
    let naive = infer(&twice(&x), &twice(&y), &Units::independent(400, 520)).unwrap();
    assert!(naive.corrected.se < 0.8 * single.corrected.se);
}

#[test]
fn two_units_for_each_direction_are_a_small_sample() {
    // The jackknives themselves: so few units are marked for other reasons too.
    for (n, enough) in [(12, false), (13, true)] {
        let (x, y, units) = (rows(n, 6, 20), rows(900, 6, 21), Units::independent(n, 900));
        let sums = Groups::of([x.view(), y.view()], &units, &units.deal(n, 0), n);
        let jackknives = Jackknives::of(&sums.total, &sums.groups, 6, 1.0).unwrap();
        assert_eq!(jackknives.enough, enough, "{n}");
    }
}

#[test]
fn too_few_units_or_one_that_is_all_have_a_reason() {
    let (x, y) = (rows(9, 8, 6), rows(40, 8, 7));
    let few = infer(&x, &y, &Units::independent(9, 40));
    assert_eq!(few, Err(Unavailable::RankDeficient { n: 9, d: 8 }));
    // Captions that repeat span fewer directions than there are images; there are still too few of them.
    let (x, y) = (rows(20, 24, 16), rows(20, 24, 17));
    let twice = |rows: &Array2<f32>| {
        concatenate![Axis(0), rows.slice(s![..10, ..]), rows.slice(s![..10, ..])]
    };
    let repeated = infer(&twice(&x), &twice(&y), &same(20));
    assert_eq!(repeated, Err(Unavailable::RankDeficient { n: 20, d: 24 }));
    let x = rows(60, 4, 8);
    let one: Vec<usize> = (0..60).map(|i| if i < 20 { 0 } else { i }).collect();
    let references: Vec<usize> = (100..140).collect();
    let units = Units::of_labels(&one, &references);
    let y = rows(40, 4, 9);
    assert_eq!(infer(&x, &y, &units), Err(Unavailable::OneCluster { share: 1.0 / 3.0 }));
}

#[test]
fn fewer_than_two_rows_a_side_are_an_error() {
    for [n, m] in [[0, 0], [0, 3], [1, 3], [3, 1]] {
        let found =
            set_inference(rows(n, 2, 1).view(), rows(m, 2, 2).view(), &Units::independent(n, m), 0);
        assert!(matches!(found, Err(MetricError::TooFew { n: 0 | 1, needed: 2, .. })), "{found:?}");
    }
}

#[test]
fn references_that_are_all_alike_have_a_distance() {
    let (x, y) = (rows(60, 4, 22), Array2::from_elem((60, 4), 0.5));
    for units in [same(60), Units::independent(60, 60)] {
        let found = infer(&x, &y, &units).unwrap();
        assert!((found.raw / found.corrected.value - 1.0).abs() < 0.1, "{found:?}");
    }
}

#[test]
fn a_whole_population_has_neither_bias_nor_error() {
    let (x, y) = (rows(150, 5, 10), rows(150, 5, 11));
    let found = infer(&x, &y, &same(150)).unwrap();
    let whole = found.of_finite_population(1.0);
    assert!((whole.corrected.value - found.raw).abs() < 1e-12 && whole.corrected.se < 1e-12);
    let half = found.of_finite_population(0.5);
    assert!((half.bias() / found.bias() - 0.5).abs() < 1e-9);
    assert!(half.corrected.se < found.corrected.se);
}

#[test]
fn equal_populations_are_marked_and_their_value_may_be_negative() {
    let mut negative = 0;
    for seed in 0..20 {
        let (x, y) = (rows(60, 6, 100 + seed), rows(60, 6, 200 + seed));
        let found = infer(&x, &y, &Units::independent(60, 60)).unwrap();
        assert!(found.nearly_equal && found.corrected.ci95[0] == 0.0, "{found:?}");
        negative += usize::from(found.corrected.value < 0.0);
    }
    assert!((3..18).contains(&negative), "{negative}");
}

#[test]
fn near_equality_the_standard_error_is_the_spread() {
    // Where no unit makes a difference by itself all of the variance is that of pairs, which the influences hold twice.
    let found: Vec<SetInference> = (0..200)
        .map(|seed| {
            let (x, y) = (rows(100, 4, 1_000 + seed), rows(120, 4, 2_000 + seed));
            infer(&x, &y, &Units::independent(100, 120)).unwrap()
        })
        .collect();
    let mean = |of: &dyn Fn(&SetInference) -> f64| found.iter().map(of).sum::<f64>() / 200.0;
    let centre = mean(&|found| found.corrected.value);
    let spread = mean(&|found| (found.corrected.value - centre).powi(2));
    let ratio = mean(&|found| found.corrected.se.powi(2)) / spread;
    assert!((0.75..1.5).contains(&ratio), "{ratio}");
}

#[test]
fn threads_change_nothing() {
    let (x, y) = (rows(300, 12, 12), rows(300, 12, 13));
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| infer(&x, &y, &same(300)).unwrap())
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn other_rows_are_not_compared() {
    let of = |n: usize| infer(&rows(n, 4, 14), &rows(n, 4, 15), &same(n)).unwrap();
    assert!(matches!(of(60).difference(&of(50)), Err(MetricError::InvalidPairs(_))));
}

#[test]
fn a_few_rows_far_from_all_others_mark_the_sample_small() {
    let (x, y) = (rows(600, 5, 18), rows(600, 5, 19));
    let marked = |outliers: usize| {
        let mut x = x.clone();
        x.slice_mut(s![..outliers, 0]).fill(40.0);
        infer(&x, &y, &same(600)).unwrap().small_sample
    };
    assert!(!marked(0) && marked(6), "{} {}", marked(0), marked(6));
}
