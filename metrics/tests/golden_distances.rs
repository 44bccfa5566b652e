//! The kernel distances, PRDC and the Vendi score against their definitions in numpy
//! (`fixtures/metrics/make_golden_distances.py`).

use std::path::Path;

use fgd_metrics::mmd::{Kernel, median_distance, mmd2, mmd2_all};
use fgd_metrics::paired::Pairs;
use fgd_metrics::samples::TwoSamples;
use fgd_metrics::{prdc::prdc, vendi::vendi_score};
use ndarray::Array2;
use serde_json::Value;

struct Golden {
    candidates: Array2<f32>,
    references: Array2<f32>,
    image_of: Vec<usize>,
    expected: Value,
}

impl Golden {
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/metrics/distances");
        let text = std::fs::read_to_string(folder.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&text).unwrap();
        let images = expected["image_of"].as_array().unwrap();
        Golden {
            candidates: ndarray_npy::read_npy(folder.join("candidates.npy")).unwrap(),
            references: ndarray_npy::read_npy(folder.join("references.npy")).unwrap(),
            image_of: images.iter().map(|v| v.as_u64().unwrap() as usize).collect(),
            expected,
        }
    }

    fn pairs(&self) -> Pairs<'_> {
        let (candidates, references) = (self.candidates.view(), self.references.view());
        Pairs { candidates, references, image_of: &self.image_of }
    }

    fn number(&self, pointer: &str) -> f64 {
        self.expected.pointer(pointer).and_then(Value::as_f64).unwrap()
    }
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-2), "{found} {expected}");
}

#[test]
fn kernel_distances() {
    let golden = Golden::read();
    let bandwidth = golden.number("/bandwidth");
    let kernels = [Kernel::Rbf { bandwidth }, Kernel::Cubic { gamma: 1.0 }, Kernel::Distance];
    let independent =
        TwoSamples::independent(golden.candidates.view(), golden.references.view()).unwrap();
    let by_image = TwoSamples::by_image(&golden.pairs()).unwrap();
    for (name, samples) in [("independent", independent), ("by_image", by_image)] {
        let together = mmd2_all(&samples, &kernels).unwrap();
        for ((kernel, together), key) in
            kernels.into_iter().zip(together).zip(["rbf", "cubic", "energy"])
        {
            assert_close(together.value, golden.number(&format!("/{name}/{key}")));
            assert_eq!(mmd2(&samples, kernel).unwrap(), together);
        }
    }
}

#[test]
fn median_heuristic() {
    let golden = Golden::read();
    let found = median_distance(golden.references.view(), 1);
    assert_close(found, golden.number("/bandwidth"));
}

#[test]
fn nearest_neighbours() {
    let golden = Golden::read();
    let k = golden.number("/neighbours") as usize;
    let found = prdc(&TwoSamples::by_image(&golden.pairs()).unwrap(), k).unwrap();
    assert_close(found.precision.value, golden.number("/prdc/precision"));
    assert_close(found.recall.value, golden.number("/prdc/recall"));
    assert_close(found.density.value, golden.number("/prdc/density"));
    assert_close(found.coverage.value, golden.number("/prdc/coverage"));
}

#[test]
fn effective_number_of_captions() {
    let golden = Golden::read();
    assert_close(
        vendi_score(golden.candidates.view()).unwrap().value,
        golden.number("/vendi/candidates"),
    );
    assert_close(
        vendi_score(golden.references.view()).unwrap().value,
        golden.number("/vendi/references"),
    );
}
