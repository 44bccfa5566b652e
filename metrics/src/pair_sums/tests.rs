use ndarray::{Array2, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::estimate::Unavailable;
use crate::inference::set_inference_by_groups;
use crate::samples::Sample;
use crate::statistics::set_statistics;
use crate::units::Units;

struct Captions {
    ids: Vec<String>,
    candidates: Array2<f32>,
    references: Array2<f32>,
}

/// Unit vectors around a common direction, those of a pair alike.
fn captions(n: usize, d: usize, seed: u64) -> Captions {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    let shared = Array2::from_shape_fn((n, d), |(_, j)| normal() / (1.0 + j as f32));
    let mut side = |shift: f32| {
        let own = Array2::from_shape_fn((n, d), |(_, j)| {
            normal() / (2.0 + j as f32) + if j == 0 { 3.0 } else { shift }
        });
        let mut rows = &shared + &own;
        for mut row in rows.outer_iter_mut() {
            let length = row.dot(&row).sqrt();
            row.mapv_inplace(|x| x / length);
        }
        rows
    };
    let (candidates, references) = (side(0.3), side(0.0));
    Captions { ids: (0..n).map(|i| format!("{seed}/{i}.jpg")).collect(), candidates, references }
}

impl Captions {
    fn sums(&self, order: &[usize]) -> PairSums {
        let pick = |rows: &Array2<f32>| rows.select(Axis(0), order);
        let ids: Vec<&str> = order.iter().map(|&i| self.ids[i].as_str()).collect();
        let mut sums = PairSums::new(self.candidates.ncols());
        sums.push(&ids, pick(&self.candidates).view(), pick(&self.references).view()).unwrap();
        sums
    }

    fn all(&self) -> PairSums {
        self.sums(&(0..self.ids.len()).collect::<Vec<_>>())
    }
}

#[test]
fn any_cut_in_any_order_gives_the_same_bytes() {
    let captions = captions(301, 5, 1);
    let whole = captions.all();
    let mut order: Vec<usize> = (0..301).collect();
    for step in [1, 17, 100] {
        order.reverse();
        order.rotate_left(step);
        let mut merged = PairSums::new(5);
        for part in order.chunks(step).rev() {
            let bytes = captions.sums(part).to_bytes();
            merged.merge(&PairSums::from_bytes(&bytes).unwrap()).unwrap();
        }
        assert!(merged == whole && merged.to_bytes() == whole.to_bytes());
    }
    assert_eq!((whole.n(), whole.groups.len()), (301, GROUPS));
}

#[test]
fn the_numbers_are_those_of_the_rows() {
    let captions = captions(400, 6, 2);
    let found = captions.all().score().unwrap();
    let image_of: Vec<usize> = (0..400).collect();
    let (a, b) = (captions.candidates.view(), captions.references.view());
    let sample = Sample::of_embeddings(a, b, Some(&image_of));
    let plain = set_statistics(&sample).unwrap();
    let paired = crate::paired::fgd_paired(&sample.pairs().unwrap()).unwrap();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-11, "{a} {b}");
    near(found.paired, paired.value);
    near(found.mean_cosine.value, paired.mean_cosine);
    // The embeddings' lengths are 1 but for the rounding of f32, which the sums do not see.
    let of_rows = Estimate::of_mean(&paired.cosines).unwrap().se;
    assert!((found.mean_cosine.se / of_rows - 1.0).abs() < 1e-6);
    near(found.estimate.se, paired.estimate.unwrap().se);
    near(found.set.distance.value, plain.distance.value);
    let (parts, plain_parts) = (found.set.decomposition, plain.decomposition.unwrap());
    near(parts.mean_shift, plain_parts.mean_shift);
    near(parts.covariance, plain_parts.covariance);
    near(parts.misalignment, plain_parts.misalignment);
    // The jackknives of the same groups.
    let units = Units::of_labels(&image_of, &image_of);
    let groups: Vec<usize> =
        captions.ids.iter().map(|id| (place(id) % GROUPS as u64) as usize).collect();
    let by_rows = set_inference_by_groups(a, b, &units, &groups).unwrap().unwrap();
    let by_sums = found.set.inference.unwrap();
    near(by_sums.raw, by_rows.raw);
    near(by_sums.corrected.value, by_rows.corrected.value);
    near(by_sums.systematic, by_rows.systematic);
}

/// Its variance is a sample of 20 values, so one of them says little; many must agree with those of influences.
#[test]
fn the_standard_error_is_right_on_the_average() {
    let (mut by_groups, mut by_influence) = (0.0, 0.0);
    for seed in 0..40 {
        let captions = captions(300, 4, 100 + seed);
        let found = captions.all().score().unwrap().set.inference.unwrap();
        let image_of: Vec<usize> = (0..300).collect();
        let (a, b) = (captions.candidates.view(), captions.references.view());
        let sample = Sample::of_embeddings(a, b, Some(&image_of));
        let plain = set_statistics(&sample).unwrap().inference.unwrap();
        by_groups += found.corrected.se.powi(2);
        by_influence += plain.corrected.se.powi(2);
    }
    let ratio = by_groups / by_influence;
    assert!((0.85..1.25).contains(&ratio), "{ratio}");
}

#[test]
fn a_set_is_nothing_apart_from_itself() {
    let captions = captions(60, 3, 3);
    let mut sums = PairSums::new(3);
    sums.push(&captions.ids, captions.candidates.view(), captions.candidates.view()).unwrap();
    let found = sums.score().unwrap();
    let corrected = found.set.inference.unwrap().corrected;
    assert_eq!((found.paired, found.set.distance.value), (0.0, 0.0));
    assert_eq!((corrected.value, corrected.se), (0.0, 0.0));
}

#[test]
fn what_has_no_sums_is_refused() {
    let captions = captions(50, 3, 4);
    let mut undivided = PairSums::new(3);
    undivided.merge_undivided(&captions.all()).unwrap();
    let divided = captions.all().score().unwrap();
    let score = undivided.score().unwrap();
    assert!(matches!(score.set.inference, Err(Unavailable::NoInterval(_))));
    assert_eq!((score.paired, score.set.distance), (divided.paired, divided.set.distance));

    let bytes = captions.all().to_bytes();
    for cut in [0, 8, 20, bytes.len() - 1] {
        assert!(PairSums::from_bytes(&bytes[..cut]).is_err());
    }
    let mut sums = PairSums::new(3);
    assert!(sums.score().is_err() && sums.merge(&PairSums::new(4)).is_err());
    let (a, mut b) = (captions.candidates, captions.references);
    b.row_mut(7).mapv_inplace(|x| 2.0 * x);
    let error = sums.push(&captions.ids, a.view(), b.view()).unwrap_err().to_string();
    assert!(error.contains("4/7.jpg") && error.contains("unit length"), "{error}");
    b.row_mut(7).fill(0.0);
    assert!(sums.push(&captions.ids, a.view(), b.view()).is_err());
    assert!(sums.push(&captions.ids[1..], a.view(), b.view()).is_err());
    assert_eq!(sums.n(), 0);
    assert!(sums.push(&captions.ids, a.slice(s![.., ..2]), b.view()).is_err());
}

#[test]
fn parts_are_summed_beside_the_whole() {
    let captions = captions(90, 3, 5);
    let colour = |i: usize| if i.is_multiple_of(3) { "red" } else { "blue" }.to_owned();
    let part = |rows: &dyn Fn(&usize) -> bool| {
        captions.sums(&(0..90).filter(|i| rows(i)).collect::<Vec<_>>())
    };
    let mut all = SlicedSums::new(3, 1);
    let mut halves = [all.clone(), all.clone()];
    for value in ["red", "blue"] {
        all.add(&[value.into()], &part(&|&i| colour(i) == value)).unwrap();
        for (half, sums) in halves.iter_mut().enumerate() {
            let own = part(&|&i| colour(i) == value && (i < 30) == (half == 0));
            sums.add(&[value.into()], &own).unwrap();
        }
    }
    let [mut merged, second] = halves;
    merged.merge(&SlicedSums::from_bytes(&second.to_bytes()).unwrap()).unwrap();
    assert!(merged == all && all.whole == captions.all());
    assert_eq!((all.slices[0]["red"].n(), all.slices[0]["blue"].n()), (30, 60));
    let bytes = all.to_bytes();
    assert!(SlicedSums::from_bytes(&bytes[..bytes.len() - 3]).is_err());
    assert!(all.add(&[], &captions.all()).is_err() && all.merge(&SlicedSums::new(3, 2)).is_err());
}
