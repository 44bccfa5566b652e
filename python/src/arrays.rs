//! Distances of numpy arrays, which are looked at where they lie.

use fgd_metrics::MetricError;
use fgd_metrics::frechet::{fgd_set, from_moments};
use fgd_metrics::moments::Moments;
use fgd_metrics::paired::{Pairs, fgd_paired};
use ndarray::ArrayView2;
use numpy::{Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;

use crate::work::run;
use crate::{error, pool};

/// Of embeddings without a count: any that has a covariance.
const SOME: u64 = 2;

/// Fréchet distance of two sets known by mean `[d]` and covariance `[d, d]`.
#[pyfunction]
pub fn frechet_distance(
    py: Python<'_>,
    mu1: PyReadonlyArray1<'_, f64>,
    sigma1: PyReadonlyArray2<'_, f64>,
    mu2: PyReadonlyArray1<'_, f64>,
    sigma2: PyReadonlyArray2<'_, f64>,
) -> PyResult<f64> {
    let (mu1, mu2) = (mu1.as_array().to_owned(), mu2.as_array().to_owned());
    let (sigma1, sigma2) = (sigma1.as_array().to_owned(), sigma2.as_array().to_owned());
    compute(py, move || {
        let a = Moments::from_mean_covariance(SOME, mu1, sigma1, 1)?;
        let b = Moments::from_mean_covariance(SOME, mu2, sigma2, 1)?;
        Ok(from_moments(&a, &b)?.value)
    })
}

/// Fréchet distance of the rows of two arrays `[n, d]`, `[m, d]`.
#[pyfunction]
pub fn set_distance(py: Python<'_>, a: Py<PyArray2<f32>>, b: Py<PyArray2<f32>>) -> PyResult<f64> {
    compute(py, move || where_it_lies(&a, |a| where_it_lies(&b, |b| Ok(fgd_set(a, b)?.value))))
}

/// Value, standard error, interval, mean cosine and the value of each image.
type Paired<'py> = (f64, Option<f64>, Option<(f64, f64)>, f64, Bound<'py, PyArray1<f64>>);

/// Paired distance of candidates `[n, d]` from references `[m, d]`, of which `image_of` `[m]` says whose they are.
#[pyfunction]
pub fn paired_distance<'py>(
    py: Python<'py>,
    candidates: Py<PyArray2<f32>>,
    references: Py<PyArray2<f32>>,
    image_of: PyReadonlyArray1<'py, i64>,
) -> PyResult<Paired<'py>> {
    // A negative index is no image, as one that is too large is none.
    let image_of: Vec<usize> =
        image_of.as_array().iter().map(|&i| usize::try_from(i).unwrap_or(usize::MAX)).collect();
    let found = compute(py, move || {
        where_it_lies(&candidates, |candidates| {
            where_it_lies(&references, |references| {
                fgd_paired(&Pairs { candidates, references, image_of: &image_of })
            })
        })
    })?;
    let estimate = found.estimate().ok();
    Ok((
        found.value,
        estimate.as_ref().map(|estimate| estimate.se),
        estimate.as_ref().map(|estimate| (estimate.ci95[0], estimate.ci95[1])),
        found.mean_cosine,
        PyArray1::from_vec(py, found.per_image),
    ))
}

/// On the threads of the package, beside Python.
pub fn compute<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, MetricError> + Send + 'static,
) -> PyResult<T> {
    let pool = pool::pool(py, 0)?;
    run(py, None, move |_| pool.install(work))?.map_err(|error| error::of_metric(py, &error))
}

/// Work beside Python on an array, which lives as long as the work, even where it is left alone.
pub fn where_it_lies<T: Element + Sync, R: Send>(
    array: &Py<PyArray2<T>>,
    work: impl FnOnce(ArrayView2<'_, T>) -> R + Send,
) -> R {
    Python::attach(|py| {
        let array = array.bind(py).readonly();
        let rows = array.as_array();
        py.detach(move || work(rows))
    })
}
