//! Moments from Python: any stream of arrays, in memory that does not grow.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fgd_metrics::moments::{self, BLOCK_ROWS, Embedded, Stream};
use fgd_store::arrays::MOST_DIMENSIONS;
use ndarray::{Array1, Array2, Axis};
use numpy::{Element, IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyBytes, PyType};

use crate::arrays::{compute, where_it_lies};
use crate::work::run;
use crate::{error, pool};

/// What the bytes of saved moments begin with.
const MAGIC: &[u8; 8] = b"fgdmom\x00\x01";

/// Rows of f32 or f64, as they lie.
#[derive(FromPyObject)]
pub enum Rows<'py> {
    #[pyo3(transparent)]
    Single(Bound<'py, PyArray2<f32>>),
    #[pyo3(transparent)]
    Double(Bound<'py, PyArray2<f64>>),
}

/// Count, mean and co-moment of a set of embeddings. Threads wait for each other.
#[pyclass(frozen, module = "pyfgd")]
pub struct Moments(Mutex<Gathered>);

/// What was gathered.
#[derive(Clone)]
struct Gathered {
    /// What was merged, or came as bytes.
    merged: moments::Moments,
    /// What came as rows since, of one type at a time.
    rows: Coming,
}

#[derive(Clone)]
enum Coming {
    Nothing,
    Single(Stream<f32>),
    Double(Stream<f64>),
}

#[pymethods]
impl Moments {
    /// Of no rows in `dim` dimensions.
    #[new]
    fn new(py: Python<'_>, dim: usize) -> PyResult<Self> {
        if dim > MOST_DIMENSIONS {
            let message = format!("{dim} dimensions: there are {MOST_DIMENSIONS} at most");
            return Err(error::usage(py, message));
        }
        Ok(moments::Moments::new(dim).into())
    }

    /// Adds the rows of an array `[n, dim]`.
    fn update(&self, py: Python<'_>, rows: &Bound<'_, PyAny>) -> PyResult<()> {
        let rows = py.import("pyfgd._numbers")?.call_method1("floats", (rows,))?;
        let mut gathered = self.lock(py);
        match rows.extract()? {
            Rows::Single(rows) => gathered.push(&rows),
            Rows::Double(rows) => gathered.push(&rows),
        }
    }

    /// Adds the set that `other` describes.
    fn merge(&self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<()> {
        // Read before it is written: both may be the same.
        let other = other.whole(py)?;
        let mut gathered = self.lock(py);
        let mut merged = gathered.whole(py)?;
        merged.merge(&other).map_err(|error| error::of_metric(py, &error))?;
        *gathered = merged.into();
        Ok(())
    }

    /// Number of rows.
    #[getter]
    fn n(&self, py: Python<'_>) -> u64 {
        self.lock(py).n()
    }

    /// Dimensions of a row.
    #[getter]
    fn dim(&self, py: Python<'_>) -> usize {
        self.lock(py).merged.dim()
    }

    /// Mean of the rows, `[dim]`.
    #[getter]
    fn mean<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray1<f64>>> {
        Ok(self.whole(py)?.mean().to_owned().into_pyarray(py))
    }

    /// Covariance `[dim, dim]`.
    #[pyo3(signature = (ddof=1))]
    fn covariance<'py>(&self, py: Python<'py>, ddof: u8) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let covariance = self.whole(py)?.covariance(ddof);
        Ok(covariance.map_err(|error| error::of_metric(py, &error))?.into_pyarray(py))
    }

    /// Fréchet distance from another set.
    fn distance(&self, py: Python<'_>, other: PyRef<'_, Self>) -> PyResult<f64> {
        let (a, b) = (self.whole(py)?, other.whole(py)?);
        compute(py, move || Ok(fgd_metrics::frechet::from_moments(&a, &b)?.value))
    }

    /// Everything, to the bit.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let whole = self.whole(py)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(whole.n().to_le_bytes());
        bytes.extend((whole.dim() as u64).to_le_bytes());
        let numbers = whole.mean().into_iter().chain(whole.comoment());
        numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
        Ok(PyBytes::new(py, &bytes))
    }

    /// What `to_bytes` wrote.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> PyResult<Self> {
        parse(data).map(Self::from).ok_or_else(|| error::usage(py, "these bytes are no moments"))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let (py, this) = (slf.py(), slf.get());
        Ok((slf.get_type(), (this.dim(py),), this.to_bytes(py)?))
    }

    fn __setstate__(&self, py: Python<'_>, data: &[u8]) -> PyResult<()> {
        *self.lock(py) = Self::from_bytes(py, data)?.lock(py).clone();
        Ok(())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("Moments(n={}, dim={})", self.n(py), self.dim(py))
    }
}

impl From<moments::Moments> for Moments {
    fn from(merged: moments::Moments) -> Self {
        Self(Mutex::new(merged.into()))
    }
}

impl From<moments::Moments> for Gathered {
    fn from(merged: moments::Moments) -> Self {
        Self { merged, rows: Coming::Nothing }
    }
}

impl Moments {
    /// Without the GIL while another thread has it.
    fn lock(&self, py: Python<'_>) -> MutexGuard<'_, Gathered> {
        self.0.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
    }

    fn whole(&self, py: Python<'_>) -> PyResult<moments::Moments> {
        self.lock(py).whole(py)
    }
}

impl Gathered {
    fn n(&self) -> u64 {
        let coming = match &self.rows {
            Coming::Nothing => 0,
            Coming::Single(rows) => rows.n(),
            Coming::Double(rows) => rows.n(),
        };
        self.merged.n() + coming
    }

    fn whole(&self, py: Python<'_>) -> PyResult<moments::Moments> {
        let Self { merged: mut whole, rows } = self.clone();
        compute(py, move || {
            match &rows {
                Coming::Nothing => {}
                Coming::Single(rows) => whole.merge(&rows.moments())?,
                Coming::Double(rows) => whole.merge(&rows.moments())?,
            }
            Ok(whole)
        })
    }

    fn push<T: Kept>(&mut self, rows: &Bound<'_, PyArray2<T>>) -> PyResult<()> {
        let py = rows.py();
        let pool = pool::pool(py, 0)?;
        let threads = pool.current_num_threads();
        if T::stream(&mut self.rows).is_none() {
            self.merged = self.whole(py)?;
            self.rows = T::coming(Stream::new(self.merged.dim(), threads));
        }
        let Some(stream) = T::stream(&mut self.rows) else { unreachable!("it was just made") };
        let refused = |error| error::of_metric(py, &error);
        if stream.has_room_for(rows.dims()[0]) {
            // A copy of some rows is not worth other threads.
            return stream.push_rows(rows.readonly().as_array()).map_err(refused);
        }
        // Ctrl-C ends it between pieces, and takes back the whole update.
        let (mut longer, rows) = (stream.clone(), rows.clone().unbind());
        let pushed = run(py, None, move |link| {
            let is_interrupted = link.interrupt();
            where_it_lies(&rows, |rows| {
                let pieces = rows.axis_chunks_iter(Axis(0), BLOCK_ROWS * threads);
                let mut wanted = pieces.take_while(|_| !is_interrupted());
                pool.install(|| wanted.try_for_each(|piece| longer.push_rows(piece)))?;
                Ok(longer)
            })
        })?;
        *stream = pushed.map_err(refused)?;
        Ok(())
    }
}

/// A type of numbers that comes as it is.
trait Kept: Embedded + Element + 'static {
    fn coming(stream: Stream<Self>) -> Coming;
    fn stream(coming: &mut Coming) -> Option<&mut Stream<Self>>;
}

impl Kept for f32 {
    fn coming(stream: Stream<Self>) -> Coming {
        Coming::Single(stream)
    }

    fn stream(coming: &mut Coming) -> Option<&mut Stream<Self>> {
        if let Coming::Single(stream) = coming { Some(stream) } else { None }
    }
}

impl Kept for f64 {
    fn coming(stream: Stream<Self>) -> Coming {
        Coming::Double(stream)
    }

    fn stream(coming: &mut Coming) -> Option<&mut Stream<Self>> {
        if let Coming::Double(stream) = coming { Some(stream) } else { None }
    }
}

/// What pickle asks for: a class, what it is called with, and a state.
type Reduced<'py> = (Bound<'py, PyType>, (usize,), Bound<'py, PyBytes>);

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
