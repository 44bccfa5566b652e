use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::sufficient::Statistics;

/// The comparison of two systems in a mean.
fn paired_difference(
    a: &[f64],
    b: &[f64],
    resampling: &Resampling,
) -> Result<Difference, MetricError> {
    let [a, b] = [a, b].map(|values| Statistics::mean(values.to_vec()));
    super::paired_difference(&a, &b, resampling)
}

#[test]
fn few_images_are_enumerated() {
    // Of the 8 sign patterns of 1, 2, 4 only the two extreme ones reach 7; 0 is a tie whatever its sign.
    let found =
        paired_difference(&[1.0, 2.0, 4.0, 3.0], &[0.0, 0.0, 0.0, 3.0], &Resampling::default())
            .unwrap();
    assert_eq!(found.exchange, Exchange { p_value: 0.25, differing: 3, drawn: None });
    // 2 − 1 + 0.5 = 1.5 is reached by sums of ±2 ±1 ±0.5: 3.5, 2.5, 1.5 and their opposites.
    let found =
        paired_difference(&[2.0, 0.0, 0.5], &[0.0, 1.0, 0.0], &Resampling::default()).unwrap();
    assert_eq!(found.exchange.p_value, 0.75);
}

/// Drawn exchanges agree with the tail of the normal that the sum of many signed terms follows.
#[test]
fn drawn_exchanges_estimate_the_tail() {
    let a: Vec<f64> = (0..400).map(|i| if i % 20 < 11 { 1.0 } else { -1.0 }).collect();
    let found = paired_difference(
        &a,
        &vec![0.0; 400],
        &Resampling { randomisations: 20_000, ..Default::default() },
    );
    // 220 of 400 signs: P(|X − 200| ≥ 20) for X ~ Binomial(400, ½) = 0.0510.
    let Exchange { p_value, drawn, .. } = found.unwrap().exchange;
    assert_eq!(drawn, Some(20_000));
    assert!((p_value - 0.0510).abs() < 0.006, "{p_value}");
}

#[test]
fn bootstrap_of_a_mean_agrees_with_its_influence() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let a: Vec<f64> = (0..800).map(|_| rng.random::<f64>()).collect();
    let b: Vec<f64> = (0..800).map(|_| rng.random::<f64>() * 0.9).collect();
    let found =
        paired_difference(&a, &b, &Resampling { replicates: 4_000, ..Default::default() }).unwrap();
    assert!((found.bootstrap.se / found.influence.se - 1.0).abs() < 0.05);
    for (boot, normal) in found.bootstrap.ci95.iter().zip(found.influence.ci95) {
        assert!((boot - normal).abs() < 0.2 * found.influence.se);
    }
}

/// Skewed data: BCa moves the interval towards the long tail, where a percentile interval falls short.
#[test]
fn bca_leans_towards_the_long_tail() {
    let a: Vec<f64> = (0..60).map(|i| if i < 4 { 10.0 } else { 0.1 * f64::from(i % 5) }).collect();
    let found =
        paired_difference(&a, &[0.0; 60], &Resampling { replicates: 4_000, ..Default::default() })
            .unwrap();
    let [low, high] = found.bootstrap.ci95;
    assert!(high - found.observed > 1.2 * (found.observed - low), "{low} {high}");
}

/// Images on which nobody differs are exchanged for nothing, and a bootstrap that hardly draws the others knows nothing of them.
#[test]
fn a_few_that_differ_are_few_however_many_there_are() {
    let a: Vec<f64> =
        (0..120).map(|i| if i < 4 { 0.1 + 0.2 * f64::from(i) } else { 0.0 }).collect();
    let found = paired_difference(&a, &[0.0; 120], &Resampling::default()).unwrap();
    assert_eq!(found.exchange, Exchange { p_value: 0.125, differing: 4, drawn: None });
    assert_eq!(found.bootstrap, found.influence);
    let of = |differing| Power {
        test: Test::Exchange { differing },
        se: found.influence.se,
        observations: 120,
        left_out: 1.0,
    };
    assert_eq!((of(4).detectable(), of(4).needed(1.0)), (None, Some(180)));
    assert!(of(6).detectable().is_some());
}

#[test]
fn outcomes_follow_the_direction_of_the_metric() {
    let (a, b) = ([0.1, 0.5, 0.3, 0.2], [0.2, 0.5, 0.1, 0.4]);
    assert_eq!(outcomes(&a, &b, true).unwrap(), Outcomes { wins: 2, ties: 1, losses: 1 });
    assert_eq!(outcomes(&a, &b, false).unwrap(), Outcomes { wins: 1, ties: 1, losses: 2 });
}

#[test]
fn holm_adjusts_step_down() {
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.6]);
    let expected = [0.04, 0.09, 0.09, 0.6];
    assert!(adjusted.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-15), "{adjusted:?}");
    assert_eq!(holm(&[0.7, 0.8]), [1.0, 1.0]);
    assert!(holm(&[]).is_empty());
}

#[test]
fn of_a_population_that_is_known_whole_nothing_is_left_to_chance() {
    let [a, b] = [[0.1, 0.2, 0.4, 0.3], [0.1, 0.1, 0.1, 0.2]];
    let found = paired_difference(&a, &b, &Resampling::default()).unwrap();
    let (half, p_value) = found.of_finite_population(0.5);
    assert!((half.se / found.influence.se - 0.5_f64.sqrt()).abs() < 1e-12);
    assert_eq!(p_value, student::two_sided(half.value / half.se, 1.0, 3));
    let (whole, p_value) = found.of_finite_population(0.0);
    assert_eq!((whole.ci95, p_value), ([found.observed; 2], 0.0));
}

#[test]
fn normal_quantiles_are_those_of_the_tables() {
    for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_984_540_054), (0.8, 0.841_621_233_572_914_2)] {
        assert!((normal::quantile(p) - z).abs() < 1e-12);
        assert!((normal::cdf(z) - p).abs() < 1e-12);
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let resampling = Resampling::default();
    assert!(matches!(
        paired_difference(&[1.0], &[1.0], &resampling),
        Err(MetricError::TooFew { .. })
    ));
    assert!(matches!(
        paired_difference(&[1.0; 3], &[1.0; 2], &resampling),
        Err(MetricError::InvalidPairs(_))
    ));
    assert!(matches!(
        paired_difference(&[1.0; 2], &[f64::NAN; 2], &resampling),
        Err(MetricError::NotFinite { .. })
    ));
    let none = Resampling { replicates: 0, ..resampling };
    assert!(matches!(
        paired_difference(&[1.0; 2], &[1.0; 2], &none),
        Err(MetricError::InvalidSetting(_))
    ));
}
