use ndarray::{Array2, Axis, s};
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

/// Adds images of one reference each.
fn push<I: AsRef<str>>(
    sums: &mut PairSums,
    ids: &[I],
    candidates: &Array2<f32>,
    references: &Array2<f32>,
) -> Result<(), MetricError> {
    let image_of: Vec<usize> = (0..references.nrows()).collect();
    let (candidates, references) = (candidates.view(), references.view());
    sums.push(ids, &Pairs { candidates, references, image_of: &image_of })
}

impl Captions {
    fn sums(&self, order: &[usize]) -> PairSums {
        let pick = |rows: &Array2<f32>| rows.select(Axis(0), order);
        let ids: Vec<&str> = order.iter().map(|&i| self.ids[i].as_str()).collect();
        let mut sums = PairSums::new(self.candidates.ncols());
        push(&mut sums, &ids, &pick(&self.candidates), &pick(&self.references)).unwrap();
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
    assert_eq!((whole.n(), whole.classes.len()), (301, GROUPS));
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
    near(found.estimate.se, paired.estimate().unwrap().se);
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

/// Its variance is a sample of 20 values, so one of them says little; many must agree with those of influences. So must that of the
/// difference of two systems, in which what they share cancels.
#[test]
fn the_standard_error_is_right_on_the_average() {
    let (mut by_groups, mut by_influence) = ([0.0; 2], [0.0; 2]);
    for seed in 0..40 {
        let captions = captions(300, 4, 100 + seed);
        // Its first captions, but for noise.
        let mut other = captions.candidates.clone();
        other.zip_mut_with(&self::captions(300, 4, 500 + seed).candidates, |a, b| {
            *a += 0.3 * b;
        });
        for mut row in other.outer_iter_mut() {
            let length = row.dot(&row).sqrt();
            row.mapv_inplace(|x| x / length);
        }
        let image_of: Vec<usize> = (0..300).collect();
        let both = [&captions.candidates, &other].map(|candidates| {
            let mut sums = PairSums::new(4);
            push(&mut sums, &captions.ids, candidates, &captions.references).unwrap();
            let found = sums.score().unwrap().set.inference.unwrap();
            let (a, b) = (candidates.view(), captions.references.view());
            let sample = Sample::of_embeddings(a, b, Some(&image_of));
            (found, set_statistics(&sample).unwrap().inference.unwrap())
        });
        let [(a, plain_a), (b, plain_b)] = &both;
        let difference = a.difference(b).unwrap();
        assert_eq!(difference.degrees, Some(GROUPS - 1));
        let plain = plain_a.difference(plain_b).unwrap();
        assert!(a.difference(plain_b).is_err());
        for (sum, se) in by_groups.iter_mut().zip([a.corrected.se, difference.corrected.se]) {
            *sum += se.powi(2);
        }
        for (sum, se) in by_influence.iter_mut().zip([plain_a.corrected.se, plain.corrected.se]) {
            *sum += se.powi(2);
        }
    }
    for (groups, influence) in by_groups.iter().zip(by_influence) {
        let ratio = groups / influence;
        assert!((0.85..1.25).contains(&ratio), "{ratio}");
    }
}

#[test]
fn a_set_is_nothing_apart_from_itself() {
    let captions = captions(60, 3, 3);
    let mut sums = PairSums::new(3);
    push(&mut sums, &captions.ids, &captions.candidates, &captions.candidates).unwrap();
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
    for scale in [2.0, 0.25, 0.0] {
        b.row_mut(7).mapv_inplace(|x| scale * x);
        let error = push(&mut sums, &captions.ids, &a, &b).unwrap_err().to_string();
        assert!(error.contains("4/7.jpg") && error.contains("unit length"), "{error}");
    }
    assert!(push(&mut sums, &captions.ids[1..], &a, &b).is_err());
    assert_eq!(sums.n(), 0);
    assert!(push(&mut sums, &captions.ids, &a.slice(s![.., ..2]).to_owned(), &b).is_err());
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

/// Captions with one to three references each, and the image of every reference.
fn several(n: usize, d: usize, seed: u64, equal: bool) -> (Captions, Vec<usize>) {
    let counts = |image: usize| if equal { 3 } else { 1 + image % 3 };
    let image_of: Vec<usize> =
        (0..n).flat_map(|image| std::iter::repeat_n(image, counts(image))).collect();
    let Captions { ids, candidates, .. } = captions(n, d, seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 1_000);
    let mut references = candidates.select(Axis(0), &image_of);
    for mut row in references.outer_iter_mut() {
        row.iter_mut().enumerate().for_each(|(j, x)| {
            *x += 0.3 * (rng.random::<f32>() - 0.5) + if j == 1 { 0.1 } else { 0.0 };
        });
        let length = row.dot(&row).sqrt();
        row.mapv_inplace(|x| x / length);
    }
    (Captions { ids, candidates, references }, image_of)
}

fn sums_of(captions: &Captions, image_of: &[usize]) -> PairSums {
    let mut sums = PairSums::new(captions.candidates.ncols());
    let (candidates, references) = (captions.candidates.view(), captions.references.view());
    sums.push(&captions.ids, &Pairs { candidates, references, image_of }).unwrap();
    sums
}

#[test]
fn several_references_of_an_image_count_as_one_observation() {
    for (equal, tolerance) in [(true, 1e-9), (false, 1e-9)] {
        let (captions, image_of) = several(500, 5, 7, equal);
        let sums = sums_of(&captions, &image_of);
        assert_eq!(PairSums::from_bytes(&sums.to_bytes()).unwrap(), sums);
        let found = sums.score().unwrap();
        let (a, b) = (captions.candidates.view(), captions.references.view());
        let sample = Sample::of_embeddings(a, b, Some(&image_of));
        let plain = set_statistics(&sample).unwrap();
        let paired = crate::paired::fgd_paired(&sample.pairs().unwrap()).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < tolerance, "{equal}: {a} {b}");
        near(found.paired, paired.value);
        near(found.mean_cosine.value, paired.mean_cosine);
        near(found.estimate.se, paired.estimate().unwrap().se);
        near(found.set.distance.value, plain.distance.value);
        let (parts, plain_parts) = (found.set.decomposition, plain.decomposition.unwrap());
        near(parts.mean_shift, plain_parts.mean_shift);
        near(parts.covariance, plain_parts.covariance);
        // The sum of an image's references is rounded once.
        assert!((parts.misalignment - plain_parts.misalignment).abs() < 1e-7);
        assert_eq!((found.n, found.references), (500, image_of.len() as u64));
    }
}

/// The Gaussian bias goes by covariances within images, and not by fourth moments of the rows.
#[test]
fn the_bias_of_several_references_is_that_of_their_images() {
    for equal in [true, false] {
        let (captions, image_of) = several(600, 4, 8, equal);
        let found = sums_of(&captions, &image_of).score().unwrap().set.inference.unwrap();
        let (a, b) = (captions.candidates.view(), captions.references.view());
        let images: Vec<usize> = (0..600).collect();
        let units = Units::of_labels(&images, &image_of);
        let groups: Vec<usize> =
            captions.ids.iter().map(|id| (place(id) % GROUPS as u64) as usize).collect();
        let by_rows = set_inference_by_groups(a, b, &units, &groups).unwrap().unwrap();
        assert!((found.raw - by_rows.raw).abs() < 1e-9);
        let bias = found.bias() / by_rows.bias();
        assert!((0.8..1.25).contains(&bias), "{equal}: {bias}, {found:?} {by_rows:?}");
    }
}

#[test]
fn no_image_has_more_references_than_can_be_summed() {
    let (captions, _) = several(2, 3, 9, true);
    let image_of = [vec![0; MOST_REFERENCES + 1], vec![1]].concat();
    let rows = captions.references.select(Axis(0), &vec![0; image_of.len()]);
    let (candidates, references) = (captions.candidates.view(), rows.view());
    let pairs = Pairs { candidates, references, image_of: &image_of };
    let error = PairSums::new(3).push(&captions.ids, &pairs).unwrap_err().to_string();
    assert!(error.contains("9/0.jpg: 65 references"), "{error}");
}

#[test]
fn a_field_has_the_tests_of_the_differences_image_by_image() {
    let [first, second, third] = [10, 11, 12].map(|seed| captions(300, 4, seed).candidates);
    let captions = captions(300, 4, 13);
    let image_of: Vec<usize> = (0..300).collect();
    let distances = |candidates: &Array2<f32>, images: &[usize]| {
        let [candidates, references] =
            [candidates, &captions.references].map(|rows| rows.select(Axis(0), images));
        let (candidates, references) = (candidates.view(), references.view());
        let pairs = Pairs { candidates, references, image_of: &image_of[..images.len()] };
        let ids: Vec<&str> = images.iter().map(|&image| captions.ids[image].as_str()).collect();
        let mut distances = Distances::default();
        distances.push(&ids, &pairs).unwrap();
        Distances::from_bytes(&distances.to_bytes()).unwrap()
    };
    let systems = [&first, &second, &third, &first];
    let mut whole = FieldSums::new(4);
    whole.push(&systems.map(|system| distances(system, &image_of))).unwrap();
    // In parts, and each system in an order of its own.
    let mut parts = FieldSums::new(4);
    for part in image_of.chunks(77).rev() {
        let mut images = part.to_vec();
        let of = systems.map(|system| {
            images.rotate_left(5);
            distances(system, &images)
        });
        parts.push(&of).unwrap();
    }
    assert_eq!(parts, whole);
    assert_eq!(FieldSums::from_bytes(&whole.to_bytes()).unwrap(), whole);

    let paired = |candidates: &Array2<f32>| {
        let (candidates, references) = (candidates.view(), captions.references.view());
        let pairs = Pairs { candidates, references, image_of: &image_of };
        crate::paired::fgd_paired(&pairs).unwrap().per_image
    };
    for (i, j) in [(0, 1), (1, 2), (2, 0)] {
        let [a, b] = [i, j].map(|system| paired(systems[system]));
        let plain = crate::compare::mean_difference(&a, &b, None).unwrap();
        let found = whole.difference(i, j).unwrap();
        assert_eq!(found.observations, plain.observations);
        let (found, plain) = (found.estimate, plain.estimate);
        assert!(
            (found.value - plain.value).abs() < 1e-13 && (found.se / plain.se - 1.0).abs() < 1e-12
        );
        assert_eq!(whole.outcomes(i, j), crate::compare::outcomes(&a, &b, true).unwrap());
        let mean = a.iter().sum::<f64>() / 300.0;
        assert!((whole.mean(i) - mean).abs() < 1e-14);
    }
    let same = whole.difference(0, 3).unwrap().estimate;
    assert_eq!((same.value, same.se, whole.outcomes(0, 3).ties), (0.0, 0.0, 300));

    let all = systems.map(|system| distances(system, &image_of));
    let error = |systems: &[Distances]| FieldSums::new(4).push(systems).unwrap_err().to_string();
    assert!(error(&all[1..]).contains("3 systems, and not 4"));
    let mut other = all.clone();
    other[2] = distances(&third, &image_of[1..]);
    assert!(error(&other).contains("system 2 has other images"));
    let twice = all.map(|mut distances| {
        distances.merge(&distances.clone());
        distances
    });
    assert!(error(&twice).contains("one place"));
    assert!(
        FieldSums::new(2).difference(0, 1).is_err() && FieldSums::from_bytes(b"fgdfield").is_err()
    );
}
