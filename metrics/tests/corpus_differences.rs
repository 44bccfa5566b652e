//! Differences of two systems in metrics of the whole corpus, against all exchanges and all redraws
//! (`fixtures/text-metrics/make_differences.py`).

use fgd_metrics::compare::{Difference, Resampling, paired_difference};
use fgd_metrics::sufficient::Statistics;
use fgd_metrics::text::{Corpus, bleu, cider_d};

const REFERENCES: [[&str; 2]; 6] = [
    ["a red bus drives down the street", "a bus on a city street"],
    ["two dogs run on the beach", "two dogs play in the sand on the beach"],
    ["a man rides a wave on a surfboard", "a surfer on a big wave"],
    ["a plate of food with rice and beans", "rice and beans on a white plate"],
    ["a cat sleeps on a sofa", "the cat is asleep on the sofa"],
    ["a group of people fly kites in a park", "people are flying kites in the park"],
];
const A: [&str; 6] = [
    "a red bus drives down a city street",
    "two dogs play in the sand on the beach",
    "a man rides a wave on a surfboard",
    "a white plate of rice and beans",
    "a cat sleeps on the sofa",
    "people fly kites in a park on a hill",
];
const B: [&str; 6] = [
    "a red bus on a street",
    "two dogs run in the water on the beach",
    "a man on a wave in the sea",
    "a plate of food with rice and meat on it",
    "a cat sleeps on the sofa",
    "a group of people are flying kites in the park",
];

const RESAMPLING: Resampling = Resampling { replicates: 20_000, randomisations: 999, seed: 5 };

fn corpus(candidates: &[&str]) -> Corpus {
    Corpus::new(candidates, &REFERENCES.map(Vec::from)).expect("a valid corpus")
}

fn difference(a: &Statistics, b: &Statistics) -> Difference {
    paired_difference(a, b, &RESAMPLING).expect("the same images")
}

/// Value of each, p-value and jackknife error. So few images are not redrawn: their interval is Student's.
fn assert_brute_force(a: &Statistics, b: &Statistics, values: [f64; 2], p: f64, se: f64) {
    let found = difference(a, b);
    assert!((a.value() - values[0]).abs() < 1e-12 && (b.value() - values[1]).abs() < 1e-12);
    assert!((found.observed - (values[0] - values[1])).abs() < 1e-12);
    assert_eq!(found.exchange.p_value, p);
    assert!((found.influence.se - se).abs() < 1e-9, "{found:?}");
    assert_eq!(found.bootstrap, found.influence);
    // The 97.5% point of Student's t with 5 degrees of freedom.
    let half = 2.570_581_835_636 * se;
    assert!((found.bootstrap.ci95[1] - found.observed - half).abs() < 1e-8, "{found:?}");
}

#[test]
fn bleu_4_against_brute_force() {
    let [[.., a], [.., b]] = [A, B].map(|candidates| bleu(&corpus(&candidates)));
    let values = [0.777_852_732_611_525_4, 0.573_503_430_869_078];
    assert_brute_force(&a, &b, values, 28.0 / 64.0, 0.217_115_479_148_339_3);
}

#[test]
fn cider_d_against_brute_force() {
    let [a, b] = [A, B].map(|candidates| cider_d(&corpus(&candidates)));
    let values = [4.887_207_046_816_31, 3.765_587_686_257_939_4];
    assert_brute_force(&a, &b, values, 16.0 / 64.0, 0.813_394_621_574_478_1);
}

/// A mean can be written as a quotient of sums; both roads lead to the same place.
#[test]
fn pooled_statistics_of_a_mean_are_its_sign_flips() {
    let values = |shift: f64| -> Vec<f64> {
        (0..200)
            .map(|i| f64::from(i * 37 % 101) / 101.0 + shift * f64::from(i * 53 % 97) / 97.0)
            .collect()
    };
    let (a, b) = (values(0.3), values(-0.2));
    let quotient = |values: &[f64]| {
        let rows: Vec<[f64; 2]> = values.iter().map(|&v| [v, 1.0]).collect();
        Statistics::pooled(&rows, |sums| sums[0] / sums[1])
    };
    let resampling = Resampling { replicates: 400, ..RESAMPLING };
    let pooled = paired_difference(&quotient(&a), &quotient(&b), &resampling).unwrap();
    let mean = paired_difference(&Statistics::mean(a), &Statistics::mean(b), &resampling).unwrap();
    assert_eq!(pooled.exchange.p_value, mean.exchange.p_value);
    for (pooled, mean) in [
        (pooled.observed, mean.observed),
        (pooled.influence.se, mean.influence.se),
        (pooled.bootstrap.se, mean.bootstrap.se),
        (pooled.bootstrap.ci95[0], mean.bootstrap.ci95[0]),
        (pooled.bootstrap.ci95[1], mean.bootstrap.ci95[1]),
    ] {
        assert!((pooled - mean).abs() < 1e-9, "{pooled} {mean}");
    }
}

#[test]
fn images_without_anything_to_count_take_no_part() {
    let recall = |rows: &[[f64; 2]]| Statistics::pooled(rows, |sums| sums[0] / sums[1]);
    let [a, b] = [2.0, 1.0].map(|found| [[found, 3.0], [found, 4.0], [3.0, 3.0]]);
    let compare = |a: &[[f64; 2]], b: &[[f64; 2]]| {
        paired_difference(&recall(a), &recall(b), &RESAMPLING).unwrap()
    };
    let silent = |rows: &[[f64; 2]]| [rows, &[[0.0, 0.0]; 5]].concat();
    let found = compare(&silent(&a), &silent(&b));
    assert_eq!(found, compare(&a, &b));
    assert_eq!(found.images, 3);
}

#[test]
fn statistics_of_other_metrics_or_images_are_refused() {
    let mean = Statistics::mean(vec![0.1, 0.2]);
    let pooled = Statistics::pooled(&[[1.0], [2.0]], |sums| sums[0]);
    for other in [&pooled, &mean.subset(&[0])] {
        let refused = paired_difference(&mean, other, &RESAMPLING);
        assert!(refused.is_err(), "{refused:?}");
    }
}
