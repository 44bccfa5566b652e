//! Moments from Python: any stream of arrays, in memory that does not grow.

use fgd_metrics::moments;
use fgd_store::arrays::piece_rows;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use crate::arrays::compute;
use crate::error;

/// What the bytes of saved moments begin with.
const MAGIC: &[u8; 8] = b"fgdmom\x00\x01";

/// Rows of f32 or f64, as they lie.
#[derive(FromPyObject)]
pub enum Rows<'py> {
    #[pyo3(transparent)]
    Single(PyReadonlyArray2<'py, f32>),
    #[pyo3(transparent)]
    Double(PyReadonlyArray2<'py, f64>),
}

/// Count, mean and co-moment of a set of embeddings.
#[pyclass(module = "pyfgd")]
pub struct Moments(moments::Moments);

#[pymethods]
impl Moments {
    /// Of no rows in `dim` dimensions.
    #[new]
    fn new(dim: usize) -> Self {
        Self(moments::Moments::new(dim))
    }

    /// Adds the rows of an array `[n, dim]`.
    fn update(&mut self, py: Python<'_>, rows: Rows<'_>) -> PyResult<()> {
        match rows {
            Rows::Single(rows) => self.push(py, rows.as_array()),
            Rows::Double(rows) => self.push(py, rows.as_array()),
        }
    }

    /// Adds the set that `other` describes.
    fn merge(&mut self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<()> {
        self.0.merge(&other.0).map_err(|error| error::of_metric(py, &error))
    }

    /// Number of rows.
    #[getter]
    fn n(&self) -> u64 {
        self.0.n()
    }

    /// Dimensions of a row.
    #[getter]
    fn dim(&self) -> usize {
        self.0.dim()
    }

    /// Mean of the rows, `[dim]`.
    #[getter]
    fn mean<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        self.0.mean().to_owned().into_pyarray(py)
    }

    /// Covariance `[dim, dim]`.
    #[pyo3(signature = (ddof=1))]
    fn covariance<'py>(&self, py: Python<'py>, ddof: u8) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let covariance = self.0.covariance(ddof).map_err(|error| error::of_metric(py, &error))?;
        Ok(covariance.into_pyarray(py))
    }

    /// Fréchet distance from another set.
    fn distance(&self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<f64> {
        let (a, b) = (&self.0, &other.0);
        compute(py, || Ok(fgd_metrics::frechet::from_moments(a, b)?.value))
    }

    /// Everything, to the bit.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.0.n().to_le_bytes());
        bytes.extend((self.0.dim() as u64).to_le_bytes());
        let numbers = self.0.mean().into_iter().chain(self.0.comoment());
        numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
        PyBytes::new(py, &bytes)
    }

    /// What `to_bytes` wrote.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        parse(data).map(Self).ok_or_else(|| error::usage(py, "these bytes are no moments"))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> (Bound<'py, PyType>, (usize,), Bound<'py, PyBytes>) {
        let (py, this) = (slf.py(), slf.borrow());
        (slf.get_type(), (this.dim(),), this.to_bytes(py))
    }

    fn __setstate__(&mut self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        *self = Self::from_bytes(py, data)?;
        Ok(())
    }

    fn __repr__(&self) -> String {
        format!("Moments(n={}, dim={})", self.0.n(), self.0.dim())
    }
}

impl Moments {
    /// Piece by piece as files are read, so that both give the same bits, and Ctrl-C is heard in between.
    fn push<T: moments::Embedded>(
        &mut self,
        py: Python<'_>,
        rows: ArrayView2<'_, T>,
    ) -> PyResult<()> {
        let mut sum = self.0.clone();
        let rows_at_once = piece_rows(rows.ncols() * size_of::<T>());
        for piece in rows.axis_chunks_iter(Axis(0), rows_at_once) {
            py.check_signals()?;
            compute(py, || sum.push_rows(piece))?;
        }
        self.0 = sum;
        Ok(())
    }
}

fn parse(data: &[u8]) -> Option<moments::Moments> {
    let (head, numbers) = data.strip_prefix(MAGIC)?.split_at_checked(16)?;
    let (counts, _) = head.as_chunks::<8>();
    let (n, dim) = (u64::from_le_bytes(counts[0]), u64::from_le_bytes(counts[1]));
    let dim = usize::try_from(dim).ok()?;
    let (numbers, rest) = numbers.as_chunks::<8>();
    if !rest.is_empty() || dim.checked_mul(dim.checked_add(1)?)? != numbers.len() {
        return None;
    }
    let numbers: Vec<f64> = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let (mean, comoment) = numbers.split_at(dim);
    let comoment = Array2::from_shape_vec((dim, dim), comoment.to_vec()).ok()?;
    moments::Moments::from_comoment(n, Array1::from(mean.to_vec()), comoment).ok()
}
