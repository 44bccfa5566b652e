//! Records to documents, and the job that needs no session.

use std::path::PathBuf;

use fgd::jobs::{leaderboard, validate as job};
use fgd_record::Record;
use fgd_reports::{Format, Style, export, site as pages};
use fgd_store::file;
use pyo3::prelude::*;

use crate::error;
use crate::work::run;

/// A record's JSON as this version writes it.
#[pyfunction]
pub fn check_record(py: Python<'_>, text: &str) -> PyResult<String> {
    Ok(read(py, text)?.to_json())
}

/// A record as `text`, `json`, `csv` or `md`.
#[pyfunction]
#[pyo3(signature = (record, format, width=100))]
pub fn render(py: Python<'_>, record: &str, format: &str, width: usize) -> PyResult<String> {
    let format: Format = format.parse().map_err(|error| error::usage(py, error))?;
    let record = read(py, record)?;
    Ok(fgd_reports::render(&record, format, &Style { color: false, width }))
}

/// One page of the records that needs no other file.
#[pyfunction]
pub fn page(py: Python<'_>, records: Vec<String>) -> PyResult<String> {
    let records = read_all(py, &records)?;
    pages::page(&records).map_err(|error| error::usage(py, error))
}

/// A site of the records in a folder; answers its first page.
#[pyfunction]
pub fn site(py: Python<'_>, records: Vec<String>, folder: PathBuf) -> PyResult<PathBuf> {
    let records = read_all(py, &records)?;
    pages::write(&records, &folder).map_err(|error| error::usage(py, error))
}

/// The chart of a record, as SVG.
#[pyfunction]
pub fn chart(py: Python<'_>, record: &str) -> PyResult<String> {
    export::chart(&read(py, record)?).map_err(|error| error::usage(py, error))
}

/// Writes a text whole or not at all.
#[pyfunction]
pub fn write(py: Python<'_>, path: PathBuf, text: &str) -> PyResult<()> {
    file::write(&path, text.as_bytes()).map_err(|error| error::exception(py, &error.into()))
}

/// The submissions of a folder, but the references.
#[pyfunction]
pub fn submissions(py: Python<'_>, folder: PathBuf, references: PathBuf) -> PyResult<Vec<String>> {
    let files = leaderboard::submissions(&folder, &references);
    let (files, _) = files.map_err(|error| error::exception(py, &error))?;
    Ok(files.iter().map(|file| file.to_string_lossy().into_owned()).collect())
}

/// Checks a submission: request and answer in JSON.
#[pyfunction]
pub fn validate(py: Python<'_>, request: &str) -> PyResult<String> {
    let request: job::Request =
        serde_json::from_str(request).map_err(|error| error::usage(py, error))?;
    let found = run(py, None, move |_| job::run(&request))?;
    let found = found.map_err(|error| error::exception(py, &error))?;
    serde_json::to_string(&found).map_err(|error| error::usage(py, error))
}

fn read(py: Python<'_>, text: &str) -> PyResult<Record> {
    Record::from_json(text).map_err(|error| error::usage(py, error))
}

fn read_all(py: Python<'_>, texts: &[String]) -> PyResult<Vec<Record>> {
    texts.iter().map(|text| read(py, text)).collect()
}
