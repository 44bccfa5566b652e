//! Records to documents, and the job that needs no session.

use std::convert::Infallible;
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
    of_records(py, vec![text.to_owned()], |records| Ok::<_, Infallible>(records[0].to_json()))
}

/// A record as `text`, `json`, `csv` or `md`.
#[pyfunction]
#[pyo3(signature = (record, format, width=100))]
pub fn render(py: Python<'_>, record: &str, format: &str, width: usize) -> PyResult<String> {
    let format: Format = format.parse().map_err(|error| error::usage(py, error))?;
    of_records(py, vec![record.to_owned()], move |records| {
        let style = Style { color: false, width };
        Ok::<_, Infallible>(fgd_reports::render(&records[0], format, &style))
    })
}

/// One page of the records that needs no other file.
#[pyfunction]
pub fn page(py: Python<'_>, records: Vec<String>) -> PyResult<String> {
    of_records(py, records, pages::page)
}

/// A site of the records in a folder; answers its first page.
#[pyfunction]
pub fn site(py: Python<'_>, records: Vec<String>, folder: PathBuf) -> PyResult<PathBuf> {
    of_records(py, records, move |records| pages::write(records, &folder))
}

/// The chart of a record, as SVG.
#[pyfunction]
pub fn chart(py: Python<'_>, record: &str) -> PyResult<String> {
    of_records(py, vec![record.to_owned()], |records| export::chart(&records[0]))
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

/// What is made of records, beside Python.
fn of_records<T: Send + 'static, E: ToString>(
    py: Python<'_>,
    texts: Vec<String>,
    make: impl FnOnce(&[Record]) -> Result<T, E> + Send + 'static,
) -> PyResult<T> {
    let made = run(py, None, move |_| {
        let records: Result<Vec<Record>, _> =
            texts.iter().map(|text| Record::from_json(text)).collect();
        make(&records.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
    });
    made?.map_err(|message| error::usage(py, message))
}
