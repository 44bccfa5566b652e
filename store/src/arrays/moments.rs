//! Moments in `.npz`: `mu`, `sigma` (ddof 1) and `n`, as pytorch-fid writes and reads them.
//!
//! pytorch-fid itself leaves `n` out. Distances can be computed without it; bias, intervals and
//! merging need it.

use super::ArrayError;
use fgd_metrics::moments::Moments;
use ndarray::{Array1, Array2};
use npyz::{NpyFile, Order, WriterBuilder};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Largest array that a moments file may hold: sigma of 16,384 dimensions.
const MOST_NUMBERS: u64 = 1 << 28;

/// Reads moments. The count is `None` where the file has no `n`; the moments then carry `n = 2`,
/// the least for which a covariance exists.
pub fn read_moments(path: &Path) -> Result<(Moments, Option<u64>), ArrayError> {
    let io = |source| ArrayError::Io {
        path: path.into(),
        source,
    };
    let format = |reason: String| ArrayError::Format {
        path: path.into(),
        reason,
    };
    let file = BufReader::new(File::open(path).map_err(io)?);
    let mut archive =
        ZipArchive::new(file).map_err(|error| format(format!("not a .npz file ({error})")))?;
    let (mu_shape, mu) = array(&mut archive, "mu")
        .map_err(&format)?
        .ok_or_else(|| format("no array `mu`; pytorch-fid writes `mu` and `sigma`".into()))?;
    let (sigma_shape, sigma) = array(&mut archive, "sigma")
        .map_err(&format)?
        .ok_or_else(|| format("no array `sigma`; pytorch-fid writes `mu` and `sigma`".into()))?;
    let count = array(&mut archive, "n").map_err(&format)?;
    let d = mu.len();
    if mu_shape.len() != 1 || d == 0 || sigma_shape != [d as u64, d as u64] {
        return Err(format(format!(
            "mu of shape {mu_shape:?} and sigma of shape {sigma_shape:?} do not belong together; [d] and [d, d] do"
        )));
    }
    let n = match count {
        None => None,
        Some((_, values)) => match values.as_slice() {
            &[n] if n >= 2.0 && n.fract() == 0.0 && n < 9e15 => Some(n as u64),
            _ => return Err(format("`n` is not a whole number of at least 2".into())),
        },
    };
    let moments = Moments::from_mean_covariance(
        n.unwrap_or(2),
        Array1::from(mu),
        Array2::from_shape_vec((d, d), sigma).expect("the shape was checked above"),
        1,
    )
    .map_err(|error| format(error.to_string()))?;
    Ok((moments, n))
}

/// An array of the archive: its shape and its values.
type Array = (Vec<u64>, Vec<f64>);

/// Reads one array, `None` where the archive has none of that name.
fn array(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Result<Option<Array>, String> {
    let entry = match archive.by_name(&npyz::npz::file_name_from_array_name(name)) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(format!("array `{name}`: {error}")),
    };
    let file = NpyFile::new(entry).map_err(|error| format!("array `{name}`: {error}"))?;
    let shape = file.shape().to_vec();
    if shape.iter().product::<u64>() > MOST_NUMBERS {
        return Err(format!("array `{name}` of shape {shape:?} is too large"));
    }
    // A symmetric matrix and a vector read the same in both orders.
    let _: Order = file.order();
    let values = match file.try_data::<f64>() {
        Ok(data) => data.collect::<io::Result<Vec<f64>>>(),
        Err(file) => match file.try_data::<f32>() {
            Ok(data) => data.map(|value| value.map(f64::from)).collect(),
            Err(file) => match file.try_data::<i64>() {
                Ok(data) => data.map(|value| value.map(|value| value as f64)).collect(),
                Err(file) => {
                    return Err(format!(
                        "array `{name}` is of type {}; save it as float64",
                        file.dtype().descr()
                    ));
                }
            },
        },
    }
    .map_err(|error| format!("array `{name}`: {error}"))?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(format!(
            "array `{name}` holds a value that is not a finite number"
        ));
    }
    Ok(Some((shape, values)))
}

/// Writes moments so that pytorch-fid and [`read_moments`] read them.
///
/// # Errors
/// With fewer than two embeddings there is no covariance to write.
pub fn write_moments(out: impl Write + Seek, moments: &Moments) -> io::Result<()> {
    let sigma = moments.covariance(1).map_err(io::Error::other)?;
    let d = sigma.nrows() as u64;
    // A fixed time, so that the same moments are the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    let mut archive = ZipWriter::new(out);
    let mut put = |name: &str, shape: &[u64], values: &mut dyn Iterator<Item = f64>| {
        archive.start_file(npyz::npz::file_name_from_array_name(name), options)?;
        let mut writer = npyz::WriteOptions::<f64>::new()
            .default_dtype()
            .shape(shape)
            .writer(&mut archive)
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    };
    put("mu", &[d], &mut moments.mean().iter().copied())?;
    put("sigma", &[d, d], &mut sigma.iter().copied())?;
    put("n", &[], &mut std::iter::once(moments.n() as f64))?;
    archive.finish()?;
    Ok(())
}
