use ndarray::{Array2, arr2};

use super::*;

#[test]
fn references_of_an_image_are_averaged_first() {
    let candidates = arr2(&[[1.0_f32, 0.0], [0.0, 2.0]]);
    let references = arr2(&[[0.0_f32, 1.0], [0.0, 2.0], [1.0, 0.0]]);
    let pairs = Pairs {
        candidates: candidates.view(),
        references: references.view(),
        image_of: &[0, 1, 0],
    };
    let paired = fgd_paired(&pairs).expect("valid pairs");
    assert_eq!(paired.per_image, [1.0, 0.0]);
    assert_eq!(paired.value, 0.5);
    let estimate = paired.estimate().expect("two images");
    assert!((estimate.se - 0.5).abs() < 1e-15);
    assert_eq!(estimate.ci95[0], 0.0, "a distance is not negative");
    assert!((paired.mean_cosine - 0.75).abs() < 1e-15);
    assert_eq!(paired.cosines, [0.5, 1.0]);
}

#[test]
fn inconsistent_pairs_say_what_is_wrong() {
    let rows = Array2::<f32>::ones((2, 3));
    let message = |candidates: &Array2<f32>, references: &Array2<f32>, image_of: &[usize]| {
        let pairs =
            Pairs { candidates: candidates.view(), references: references.view(), image_of };
        fgd_paired(&pairs).expect_err("inconsistent").to_string()
    };
    assert!(message(&rows, &rows, &[0]).contains("image_of has 1 entries"));
    assert!(message(&rows, &rows, &[0, 2]).contains("reference 1 belongs to candidate 2"));
    assert!(message(&rows, &rows, &[1, 1]).contains("candidate 0 has no reference"));
    assert!(message(&rows, &Array2::ones((2, 4)), &[0, 1]).contains("3 and 4 dimensions"));
    assert!(message(&rows, &Array2::zeros((2, 3)), &[0, 1]).contains("references row 0"));
    assert!(message(&rows, &(&rows * f32::NAN), &[0, 1]).contains("NaN"));
    let none = Array2::ones((0, 3));
    assert!(message(&none, &none, &[]).contains("images: 0 found"));
}

#[test]
fn one_image_has_a_distance_and_no_interval() {
    let (a, b) = (arr2(&[[1.0_f32, 0.0]]), arr2(&[[0.0_f32, 1.0]]));
    let pairs = Pairs { candidates: a.view(), references: b.view(), image_of: &[0] };
    let found = fgd_paired(&pairs).expect("a pair");
    assert_eq!(found.value, 2.0);
    assert_eq!(found.estimate(), Err(Unavailable::TooFew { n: 1, needed: 2 }));
}
