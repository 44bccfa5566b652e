//! Errors of the library as exceptions of the package, with file, row and id.

use fgd::jobs::JobError;
use fgd_metrics::MetricError;
use pyo3::prelude::*;
use serde_json::json;

/// The exception for an error, made by `pyfgd._errors`.
pub fn exception(py: Python<'_>, error: &JobError) -> PyErr {
    match error {
        JobError::Usage(message) => make(py, "usage", message, None),
        JobError::Failed(error) => make(py, "failed", &error.to_string(), None),
        JobError::Invalid { message, findings } => {
            let all = findings.iter().flat_map(|(file, findings)| {
                let file = file.display().to_string();
                findings.iter().map(move |finding| json!({ "file": file, "finding": finding }))
            });
            let all = serde_json::Value::from_iter(all).to_string();
            make(py, "invalid", message, Some(&all))
        }
    }
}

/// Numbers that have no distance are the caller's.
pub fn of_metric(py: Python<'_>, error: &MetricError) -> PyErr {
    make(py, "usage", &error.to_string(), None)
}

/// What was asked for makes no sense.
pub fn usage(py: Python<'_>, message: impl ToString) -> PyErr {
    make(py, "usage", &message.to_string(), None)
}

/// A panic that nobody caught: a defect of the library, which the process survives.
pub fn defect(py: Python<'_>, panic: &(dyn std::any::Any + Send)) -> PyErr {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    let message =
        format!("a defect of fgd ({text}); please report it with what FGD_LOG=debug adds");
    make(py, "failed", &message, None)
}

fn make(py: Python<'_>, kind: &str, message: &str, findings: Option<&str>) -> PyErr {
    let made = py.import("pyfgd._errors").and_then(|module| {
        module.call_method1("exception", (kind, message, findings.unwrap_or("[]")))
    });
    made.map_or_else(|error| error, PyErr::from_value)
}
