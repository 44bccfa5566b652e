//! An adapter merged into its checkpoint, on disk: W + s·B·A in f32, rounded once to the type that W has there.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;

use super::adapter::{Adapter, CONFIG};
use super::files::TensorFiles;
use super::matrix::HostMatrix;
use super::write::{Header, put_f32, write_tensors};
use crate::error::{Error, Result};

/// Writes the checkpoint with the adapter merged in to `output`, a new or empty directory. The configuration comes last: without it
/// nobody takes the directory for a checkpoint. Returns the number of matrices that were changed. `progress` is told every file.
///
/// # Errors
/// A checkpoint or adapter that cannot be read or do not fit each other, a directory that is not empty or cannot be written.
pub fn merge(
    checkpoint: &Path,
    adapter: &Path,
    output: &Path,
    progress: &dyn Fn(usize, usize),
) -> Result<usize> {
    let files = TensorFiles::open_dir(checkpoint)?;
    let adapter = Adapter::read(adapter, &files)?;
    let mut problems = Vec::new();
    for module in adapter.modules() {
        let entry = files.get(&format!("{module}.weight"));
        let change = adapter.get(module);
        match entry.map(|entry| entry.shape.as_slice()) {
            Some(&[rows, columns]) => problems.extend(
                change
                    .and_then(|change| change.mismatch(rows, columns))
                    .map(|problem| format!("{module}: {problem}")),
            ),
            _ => problems.push(format!("{module} is no matrix of this checkpoint")),
        }
    }
    if !problems.is_empty() {
        return Err(Error::Tensors { path: checkpoint.into(), problems });
    }
    std::fs::create_dir_all(output).map_err(Error::io(output))?;
    if std::fs::read_dir(output).map_err(Error::io(output))?.next().is_some() {
        return Err(Error::checkpoint(output, "is not empty; give a new directory"));
    }
    let mut changed = 0;
    for (done, path) in files.paths().iter().enumerate() {
        progress(done, files.paths().len());
        let name = path.file_name().unwrap_or_default();
        changed += merge_file(path, &adapter, &output.join(name))?;
    }
    progress(files.paths().len(), files.paths().len());
    copy_the_rest(checkpoint, output)?;
    Ok(changed)
}

fn merge_file(path: &Path, adapter: &Adapter, output: &Path) -> Result<usize> {
    let files = TensorFiles::open(std::slice::from_ref(&path.to_path_buf()))?;
    let headers: Vec<Header> = files
        .names()
        .filter_map(|name| {
            let entry = files.get(name)?;
            Some(Header { name: name.into(), dtype: entry.dtype, shape: entry.shape.clone() })
        })
        .collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut changed = 0;
    write_tensors(output, &metadata, &headers, |header, to| {
        let Some(entry) = files.get(&header.name) else { return Ok(()) };
        let change = header.name.strip_suffix(".weight").and_then(|module| adapter.get(module));
        let failed = Error::io(output);
        let (Some(change), [rows, columns]) = (change, &header.shape[..]) else {
            to.write_all(entry.bytes()).map_err(failed)?;
            entry.release();
            return Ok(());
        };
        let matrix = HostMatrix::from_entry(entry, *rows, *columns).ok_or_else(|| {
            Error::checkpoint(path, format!("{}: expected F32, F16 or BF16", header.name))
        })?;
        let mut values = matrix.to_f32();
        change.apply(&mut values)?;
        changed += 1;
        match header.dtype {
            Dtype::BF16 => {
                let bytes = values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes());
                to.write_all(&bytes.collect::<Vec<u8>>())
            }
            Dtype::F16 => {
                let bytes = values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes());
                to.write_all(&bytes.collect::<Vec<u8>>())
            }
            _ => put_f32(&values, to),
        }
        .map_err(failed)?;
        entry.release();
        Ok(())
    })?;
    Ok(changed)
}

/// Everything beside the weights: tokenizer, configuration, index; not what belongs to an adapter in the same folder.
fn copy_the_rest(checkpoint: &Path, output: &Path) -> Result<()> {
    const LAST: &str = "config.json";
    let mut names = Vec::new();
    for entry in std::fs::read_dir(checkpoint).map_err(Error::io(checkpoint))? {
        let entry = entry.map_err(Error::io(checkpoint))?;
        let name = entry.file_name();
        let kept =
            Path::new(&name).extension().is_some_and(|e| e == "json" || e == "txt" || e == "model");
        if kept && name != LAST && name != CONFIG && entry.path().is_file() {
            names.push(name);
        }
    }
    names.push(LAST.into());
    for name in names {
        let from = checkpoint.join(&name);
        let bytes = std::fs::read(&from).map_err(Error::io(&from))?;
        fgd_store::file::write(&output.join(&name), &bytes)?;
    }
    Ok(())
}
