//! What must hold for every input: the algebra of moments, and how the two distances relate.

use fgd_metrics::decomposition::decompose;
use fgd_metrics::frechet::{fgd_set, from_moments};
use fgd_metrics::moments::Moments;
use fgd_metrics::paired::{Pairs, fgd_paired};
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};
use proptest::prelude::*;

/// Rows that are neither centred nor isotropic.
fn embeddings(rows: usize, columns: usize) -> impl Strategy<Value = Array2<f32>> {
    prop::collection::vec(-1.0_f32..1.0, rows * columns).prop_map(move |values| {
        let mut matrix =
            Array2::from_shape_vec((rows, columns), values).expect("as many values as entries");
        for (j, mut column) in matrix.axis_iter_mut(Axis(1)).enumerate() {
            column.mapv_inplace(|v| 0.3 + v / (1 + j) as f32);
        }
        matrix
    })
}

/// Candidates, references and `image_of`, with one to three references per image.
fn pairs() -> impl Strategy<Value = (Array2<f32>, Array2<f32>, Vec<usize>)> {
    (2_usize..24, 1_usize..10).prop_flat_map(|(n, d)| {
        prop::collection::vec(1_usize..4, n).prop_flat_map(move |counts| {
            let image_of: Vec<usize> =
                counts.iter().enumerate().flat_map(|(i, &k)| vec![i; k]).collect();
            let m = image_of.len();
            (embeddings(n, d), embeddings(m, d), Just(image_of).prop_shuffle())
        })
    })
}

fn view<'a>(
    candidates: &'a Array2<f32>,
    references: &'a Array2<f32>,
    image_of: &'a [usize],
) -> Pairs<'a> {
    Pairs { candidates: candidates.view(), references: references.view(), image_of }
}

fn assert_same(a: &Moments, b: &Moments, tolerance: f64) {
    assert_eq!(a.n(), b.n());
    let close = |x: f64, y: f64| (x - y).abs() <= tolerance * (1.0 + x.abs());
    assert!(a.mean().iter().zip(b.mean()).all(|(&x, &y)| close(x, y)));
    assert!(a.comoment().iter().zip(b.comoment()).all(|(&x, &y)| close(x, y)));
}

fn merged(parts: &[ArrayView2<f32>]) -> Moments {
    let mut all = Moments::new(parts[0].ncols());
    for part in parts {
        all.merge(&Moments::from_rows(*part)).expect("one dimension");
    }
    all
}

fn rotated(image_of: &[usize], n: usize) -> Vec<usize> {
    image_of.iter().map(|&image| (image + 1) % n).collect()
}

proptest! {
    #[test]
    fn merge_is_associative_and_commutative(
        rows in embeddings(40, 7), i in 0_usize..=40, j in 0_usize..=40,
    ) {
        let (i, j) = (i.min(j), i.max(j));
        let (a, b, c) = (rows.slice(s![..i, ..]), rows.slice(s![i..j, ..]), rows.slice(s![j.., ..]));
        let whole = Moments::from_rows(rows.view());
        assert_same(&merged(&[a, b, c]), &whole, 1e-12);
        assert_same(&merged(&[c, a, b]), &whole, 1e-12);
        let mut right = merged(&[b, c]);
        right.merge(&Moments::from_rows(a)).expect("one dimension");
        assert_same(&right, &whole, 1e-12);
    }

    #[test]
    fn moments_survive_a_covariance_file(rows in embeddings(12, 5)) {
        let moments = Moments::from_rows(rows.view());
        let covariance = moments.covariance(1).expect("12 rows");
        let read = Moments::from_mean_covariance(12, moments.mean().to_owned(), covariance, 1)
            .expect("its own covariance");
        assert_same(&read, &moments, 1e-12);
    }

    #[test]
    fn a_set_has_distance_zero_from_itself((x, _, _) in pairs()) {
        let distance = fgd_set(x.view(), x.view()).expect("two rows");
        prop_assert!((0.0..1e-12).contains(&distance.value), "{}", distance.value);
        let moments = Moments::from_rows(x.view());
        let distance = from_moments(&moments, &moments).expect("two rows");
        prop_assert!((0.0..1e-12).contains(&distance.value), "{}", distance.value);
    }

    #[test]
    fn the_set_distance_is_symmetric_and_sees_no_order((x, y, _) in pairs()) {
        let forward = fgd_set(x.view(), y.view()).expect("two rows").value;
        let backward = fgd_set(y.view(), x.view()).expect("two rows").value;
        let reversed = fgd_set(x.slice(s![..;-1, ..]), y.view()).expect("two rows").value;
        prop_assert!((forward - backward).abs() < 1e-12);
        prop_assert!((forward - reversed).abs() < 1e-9);
    }

    #[test]
    fn decomposition_sums_to_the_paired_distance((x, y, image_of) in pairs()) {
        let pairs = view(&x, &y, &image_of);
        let parts = decompose(&pairs).expect("valid pairs");
        let sum = parts.mean_shift + parts.covariance + parts.misalignment;
        let paired = fgd_paired(&pairs).expect("valid pairs").value;
        prop_assert!((sum - paired).abs() < 1e-12, "{sum} against {paired}");
        prop_assert!(parts.mean_shift >= 0.0 && parts.covariance >= 0.0);
        prop_assert!(parts.misalignment >= 0.0);
    }

    #[test]
    fn re_pairing_moves_the_paired_distance_only((x, y, _) in pairs()) {
        let n = x.nrows();
        let y = y.slice(s![..n, ..]).to_owned();
        let straight: Vec<usize> = (0..n).collect();
        let other = rotated(&straight, n);
        let (before, after) = (view(&x, &y, &straight), view(&x, &y, &other));
        let (a, b) = (decompose(&before).expect("valid"), decompose(&after).expect("valid"));
        prop_assert!((a.mean_shift + a.covariance - b.mean_shift - b.covariance).abs() < 1e-12);
        let moved = fgd_paired(&after).expect("valid").value - fgd_paired(&before).expect("valid").value;
        prop_assert!((b.misalignment - a.misalignment - moved).abs() < 1e-12);
        prop_assert!(moved != 0.0);
    }
}

#[test]
fn blocks_make_no_difference_beyond_rounding() {
    let rows = Array2::from_shape_fn((9_000, 5), |(i, j)| ((i * 31 + j * 17) % 101) as f32 / 50.0);
    let whole = Moments::from_rows(rows.view());
    let mut pushed = Moments::new(5);
    for part in rows.axis_chunks_iter(Axis(0), 1234) {
        pushed.push_rows(part).expect("one dimension");
    }
    assert_same(&pushed, &whole, 1e-12);
    let doubled = concatenate![Axis(0), rows, rows];
    assert_same(&merged(&[rows.view(), rows.view()]), &Moments::from_rows(doubled.view()), 1e-12);
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let x = Array2::from_shape_fn((3_000, 24), |(i, j)| ((i * 37 + j * j * 11) % 97) as f32 / 97.0);
    let y = Array2::from_shape_fn((3_000, 24), |(i, j)| ((i * 53 + j * 29) % 89) as f32 / 80.0);
    let image_of: Vec<usize> = (0..3_000).collect();
    let pairs = view(&x, &y, &image_of);
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            (
                fgd_set(x.view(), y.view()).expect("valid"),
                fgd_paired(&pairs).expect("valid"),
                decompose(&pairs).expect("valid"),
            )
        })
    };
    assert_eq!(with_threads(1), with_threads(3));
}
