//! Jobs and embeddings from Python: one session of the library, which keeps its encoder loaded from one call to the next.

use std::mem::{forget, replace};
use std::sync::{Arc, Mutex, PoisonError};

use fgd::jobs::embedding::Embedding;
use fgd::jobs::features;
use fgd::jobs::options::Encoding;
use fgd::jobs::provenance::encoder_info;
use fgd::jobs::request::Request;
use fgd::jobs::{self, JobError};
use fgd::settings::Settings;
use numpy::{IntoPyArray, PyArray2, PyReadwriteArray2};
use pyo3::prelude::*;
use serde::de::DeserializeOwned;

use crate::work::{Link, run};
use crate::{command, error, pool};

/// What the jobs of one caller share. Calls wait for each other; every process that is forked begins one of its own.
#[pyclass(frozen, module = "pyfgd._native")]
pub struct Session {
    threads: usize,
    settings: Settings,
    held: Mutex<Held>,
}

struct Held {
    process: u32,
    session: Arc<Mutex<jobs::Session>>,
}

#[pymethods]
impl Session {
    /// `threads`: how many are worked on; one for each core where it is not said.
    #[new]
    #[pyo3(signature = (threads=None))]
    fn new(py: Python<'_>, threads: Option<i64>) -> PyResult<Self> {
        let threads = match threads.map(usize::try_from) {
            None => 0,
            Some(Ok(count)) if count > 0 => count,
            _ => return Err(error::usage(py, "threads: give at least one thread")),
        };
        let settings = Settings::from_env(command::program(py)?, false);
        let held = Mutex::new(Held::new(&settings));
        Ok(Self { threads, settings, held })
    }

    /// Does a job, in JSON as `fgd job` takes it, and answers its record.
    #[pyo3(signature = (request, listener=None))]
    fn run(
        &self,
        py: Python<'_>,
        request: &str,
        listener: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        let request: Request = parse(py, request)?;
        let job = move |session: &mut jobs::Session| Ok(request.run(session)?.to_json());
        self.with(py, listener, job)
    }

    /// Makes the features that training begins at, the one job that answers no record: request and answer in JSON.
    #[pyo3(signature = (request, listener=None))]
    fn features(
        &self,
        py: Python<'_>,
        request: &str,
        listener: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<String> {
        let request: features::Request = parse(py, request)?;
        let made = self.with(py, listener, move |session| features::run(&request, session))?;
        serde_json::to_string(&made).map_err(|error| error::usage(py, error))
    }

    /// Embeddings `[texts, d]` of captions; into `out`, where it is given.
    #[pyo3(signature = (encoding, texts, out=None, listener=None))]
    fn embed<'py>(
        &self,
        py: Python<'py>,
        encoding: &str,
        texts: Vec<String>,
        out: Option<PyReadwriteArray2<'py, f32>>,
        listener: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyArray2<f32>>>> {
        let encoding: Encoding = parse(py, encoding)?;
        let rows = self.with(py, listener, move |session| {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            Embedding::new(session, &encoding, texts.len() as u64).embed(&texts)
        })?;
        let Some(mut out) = out else { return Ok(Some(rows.into_pyarray(py))) };
        let mut out = out.as_array_mut();
        if out.dim() != rows.dim() {
            let (found, wanted) = (out.dim(), rows.dim());
            return Err(error::usage(
                py,
                format!("out has shape {found:?}, and {wanted:?} is needed"),
            ));
        }
        out.assign(&rows);
        Ok(None)
    }

    /// Which encoder it is, in JSON as records have it.
    fn encoder(&self, py: Python<'_>, encoding: &str) -> PyResult<String> {
        let encoding: Encoding = parse(py, encoding)?;
        let info = self.with(py, None, move |session| {
            session.embedder(&encoding).map(|embedder| encoder_info(embedder))
        })?;
        serde_json::to_string(&info).map_err(|error| error::usage(py, error))
    }
}

impl Session {
    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        listener: Option<&Bound<'_, PyAny>>,
        job: impl FnOnce(&mut jobs::Session) -> Result<T, JobError> + Send + 'static,
    ) -> PyResult<T> {
        let pool = pool::pool(py, self.threads)?;
        let session = self.session();
        let done = run(py, listener, move |link: Link| {
            // Before the pool is entered: a thread of the pool that waited here could be one that the holder waits for.
            let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
            session.progress = Arc::new(link.clone());
            session.interrupt = link.interrupt();
            let session = &mut *session;
            pool.install(move || job(session))
        });
        if done.is_err() {
            // The work may be unfinished, or still at it: what comes next does not wait for it.
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Held::new(&self.settings);
        }
        done?.map_err(|error| error::exception(py, &error))
    }

    fn session(&self) -> Arc<Mutex<jobs::Session>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.process != std::process::id() {
            // Open files of the parent are its own to close.
            forget(replace(&mut *held, Held::new(&self.settings)));
        }
        held.session.clone()
    }
}

impl Held {
    fn new(settings: &Settings) -> Self {
        let session = Arc::new(Mutex::new(jobs::Session::new(settings.clone())));
        Self { process: std::process::id(), session }
    }
}

fn parse<T: DeserializeOwned>(py: Python<'_>, text: &str) -> PyResult<T> {
    serde_json::from_str(text).map_err(|error| error::usage(py, error))
}
