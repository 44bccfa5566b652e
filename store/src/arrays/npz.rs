//! Moments in `.npz`: `mu`, `sigma` (ddof 1) and `n`, as pytorch-fid writes and reads them.
//!
//! pytorch-fid itself leaves `n` out. Distances can be computed without it; bias, intervals and
//! merging need it. `exact` holds the sums of `fgd moments --exact`, and `shards` says of which parts of a whole they are; others
//! pass over both.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, Write};
use std::path::Path;

use ndarray::{Array1, Array2};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::header::Header;
use super::{ArrayError, MOST_DIMENSIONS};

/// The name of exact sums.
const EXACT: &str = "exact";

/// The name of the parts of a whole.
const SHARDS: &str = "shards";

/// Largest array that a moments file may hold: a sigma.
const MOST_NUMBERS: u64 = (MOST_DIMENSIONS * MOST_DIMENSIONS) as u64;

/// Most bytes that the arrays of a file of `raw` bytes may decompress to: zeros compress without end.
fn most_unpacked(raw: u64) -> u64 {
    raw.saturating_mul(32).saturating_add(32 << 20)
}

/// What a file of moments holds.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanCovariance {
    /// Mean `[d]`.
    pub mu: Array1<f64>,
    /// Covariance [d × d] with n − 1 in the denominator.
    pub sigma: Array2<f64>,
    /// How many embeddings they were made of, at least 2, where the file says so.
    pub n: Option<u64>,
    /// The sums that they were made of, as integers, where the file has them; see `fgd_metrics::moments::ExactSums`.
    pub exact: Option<Vec<i128>>,
    /// The parts that they are of, where that is known: which of how many, from 1, a hash of the whole, and one of the encoder.
    pub shards: Vec<[u64; 4]>,
}

/// Reads moments: all numbers are finite, and mu and sigma belong together.
///
/// # Errors
/// A file that cannot be read, arrays that are missing or are not such numbers.
pub fn read_moments(path: &Path) -> Result<MeanCovariance, ArrayError> {
    let (io, format) = (ArrayError::io(path), ArrayError::format(path));
    let file = File::open(path).map_err(&io)?;
    let metadata = file.metadata().map_err(&io)?;
    if metadata.is_dir() {
        return Err(io(ErrorKind::IsADirectory.into()));
    }
    let most = most_unpacked(metadata.len());
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        format(format!(
            "not a .npz file ({error}); moments are what `fgd moments` and pytorch-fid write"
        ))
    })?;
    let names = names(&archive);
    let mut array = |name: &str| {
        read_array(&mut archive, name, most)
            .map_err(|problem| format(format!("array `{name}`{problem}")))
    };
    let missing = |name| {
        format(format!(
            "no array `{name}`, only {names}; pytorch-fid writes `mu` and `sigma`: numpy.savez(FILE, mu=…, sigma=…)"
        ))
    };
    let (mu_shape, mu) = array("mu")?.ok_or_else(|| missing("mu"))?;
    let (sigma_shape, sigma) = array("sigma")?.ok_or_else(|| missing("sigma"))?;
    let d = mu.len();
    if mu_shape.len() != 1 || d == 0 || sigma_shape != [d as u64, d as u64] {
        return Err(format(format!(
            "mu of shape {mu_shape:?} and sigma of shape {sigma_shape:?} do not belong together; [d] and [d, d] do"
        )));
    }
    let n = match array("n")? {
        None => None,
        Some((_, values)) => match values.as_slice() {
            &[n] if n >= 2.0 && n.fract() == 0.0 && n < 9e15 => Some(n as u64),
            _ => return Err(format("`n` is not a whole number of at least 2".into())),
        },
    };
    let mut whole = |name: &str, width: u64| -> Result<Option<Vec<u8>>, ArrayError> {
        read_whole(&mut archive, name, width, most)
            .map_err(|problem| format(format!("array `{name}`{problem}")))
    };
    let exact = whole(EXACT, 2)?.map(|bytes| convert(&bytes, i128::from_le_bytes));
    let shards = convert(&whole(SHARDS, 4)?.unwrap_or_default(), u64::from_le_bytes);
    Ok(MeanCovariance {
        mu: Array1::from(mu),
        sigma: Array2::from_shape_vec((d, d), sigma).expect("the shape was checked above"),
        n,
        exact,
        shards: shards.as_chunks().0.to_vec(),
    })
}

/// The names of the arrays that are there, for a message.
fn names(archive: &ZipArchive<impl Read + Seek>) -> String {
    const MOST: usize = 8;
    let plain = |c: char| if c.is_control() { '?' } else { c };
    let mut names: Vec<String> = archive
        .file_names()
        .flatten()
        .take(MOST)
        .map(|name| {
            name.strip_suffix(".npy").unwrap_or(&name).chars().take(60).map(plain).collect()
        })
        .map(|name: String| format!("`{name}`"))
        .collect();
    names.sort();
    if archive.len() > MOST {
        names.push(format!("{} more", archive.len() - MOST));
    }
    if names.is_empty() { "nothing at all".into() } else { names.join(", ") }
}

/// An array of the archive: its shape and its values. The order is of no concern, as a vector and a symmetric matrix read the
/// same in both.
type Array = (Vec<u64>, Vec<f64>);

/// Reads one array, `None` where the archive has none of that name. The problem goes on after the array's name.
fn read_array(
    archive: &mut ZipArchive<impl Read + Seek>,
    name: &str,
    most_bytes: u64,
) -> Result<Option<Array>, String> {
    let Some((header, bytes)) = read_bytes(archive, name, most_bytes)? else { return Ok(None) };
    let values = match header.number_type() {
        Some(("f8", true)) => convert(&bytes, f64::from_le_bytes),
        Some(("f8", false)) => convert(&bytes, f64::from_be_bytes),
        Some(("f4", true)) => convert(&bytes, |b| f32::from_le_bytes(b).into()),
        Some(("f4", false)) => convert(&bytes, |b| f32::from_be_bytes(b).into()),
        Some(("i8", true)) => convert(&bytes, |b| i64::from_le_bytes(b) as f64),
        Some(("i8", false)) => convert(&bytes, |b| i64::from_be_bytes(b) as f64),
        _ => {
            return Err(format!(" is of type {}; save it as float64", header.shown_type()));
        }
    };
    if values.iter().any(|value| !value.is_finite()) {
        return Err(" holds a value that is not a finite number".into());
    }
    Ok(Some((header.shape, values)))
}

/// Reads rows of so many whole numbers of 64 bits: exact sums (the lower and the upper bits of each) and shards.
fn read_whole(
    archive: &mut ZipArchive<impl Read + Seek>,
    name: &str,
    width: u64,
    most_bytes: u64,
) -> Result<Option<Vec<u8>>, String> {
    let Some((header, bytes)) = read_bytes(archive, name, most_bytes)? else { return Ok(None) };
    if header.number_type() != Some(("u8", true)) || header.shape.get(1..) != Some(&[width]) {
        return Err(" is none that `fgd moments` wrote".into());
    }
    Ok(Some(bytes))
}

/// The header and the bytes of an array of numbers of four or eight bytes; none of those of another type.
fn read_bytes(
    archive: &mut ZipArchive<impl Read + Seek>,
    name: &str,
    most_bytes: u64,
) -> Result<Option<(Header, Vec<u8>)>, String> {
    let mut entry = match archive.by_name(&file_name(name)) {
        Ok(entry) => entry,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(format!(": {error}")),
    };
    let header = Header::read(&mut entry).map_err(|error| format!(": {error}"))?;
    let numbers = header.numbers().filter(|&numbers| numbers <= MOST_NUMBERS);
    let Some(numbers) = numbers else {
        return Err(format!(" of shape {:?} is too large", header.shape));
    };
    let width = match header.number_type() {
        Some(("f4", _)) => 4,
        Some(("f8" | "i8" | "u8", _)) => 8,
        _ => 0,
    };
    if numbers * width > most_bytes {
        return Err(format!(" of shape {:?} is too large for a file of this size", header.shape));
    }
    let mut bytes = Vec::new();
    let read = entry.take(numbers * width).read_to_end(&mut bytes);
    match read.map_err(|error| format!(": {error}"))? as u64 == numbers * width {
        true => Ok(Some((header, bytes))),
        false => Err(": cut short".to_owned()),
    }
}

fn convert<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|b| read(*b)).collect()
}

/// Writes moments so that pytorch-fid and [`read_moments`] read them, as a file without `exact` and `shards` where there are none.
///
/// # Errors
/// What `out` refuses.
pub fn write_moments(out: impl Write + Seek, moments: &MeanCovariance) -> io::Result<()> {
    let MeanCovariance { mu, sigma, n, exact, shards } = moments;
    let mut archive = ZipWriter::new(out);
    let floats =
        |values: &mut dyn Iterator<Item = f64>| values.flat_map(f64::to_le_bytes).collect();
    put(&mut archive, "mu", "<f8", mu.shape(), floats(&mut mu.iter().copied()))?;
    put(&mut archive, "sigma", "<f8", sigma.shape(), floats(&mut sigma.iter().copied()))?;
    if let Some(n) = n {
        put(&mut archive, "n", "<f8", &[], floats(&mut std::iter::once(*n as f64)))?;
    }
    if let Some(exact) = exact {
        let bytes = exact.iter().flat_map(|value| value.to_le_bytes()).collect();
        put(&mut archive, EXACT, "<u8", &[exact.len(), 2], bytes)?;
    }
    if !shards.is_empty() {
        let bytes = shards.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        put(&mut archive, SHARDS, "<u8", &[shards.len(), 4], bytes)?;
    }
    archive.finish()?;
    Ok(())
}

fn put(
    archive: &mut ZipWriter<impl Write + Seek>,
    name: &str,
    descr: &str,
    shape: &[usize],
    bytes: Vec<u8>,
) -> io::Result<()> {
    // A fixed time, so that the same moments are the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    archive.start_file(file_name(name), options)?;
    let header = Header {
        descr: format!("'{descr}'"),
        fortran_order: false,
        shape: shape.iter().map(|&size| size as u64).collect(),
    };
    header.write(archive)?;
    archive.write_all(&bytes)
}

/// How numpy names the entry of an array.
fn file_name(array: &str) -> String {
    format!("{array}.npy")
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn written(arrays: &[(&str, &str, &[u64], Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut archive = ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, descr, shape, bytes) in arrays {
            archive.start_file(file_name(name), options).unwrap();
            let header =
                Header { descr: (*descr).into(), fortran_order: false, shape: shape.to_vec() };
            header.write(&mut archive).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8]) -> Result<MeanCovariance, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read_moments(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_written_is_read_to_the_bit() {
        let (mu, sigma) = (array![0.1, -2.0], array![[1.0, 0.3], [0.3, 2.0]]);
        for (exact, shards) in [
            (None, vec![[2, 3, 7, 0], [1, 2, u64::MAX, 9]]),
            (Some(vec![0, -1, i128::MAX, i128::MIN, 1 << 85, 3]), Vec::new()),
        ] {
            let moments =
                MeanCovariance { mu: mu.clone(), sigma: sigma.clone(), n: Some(7), exact, shards };
            let mut bytes = io::Cursor::new(Vec::new());
            write_moments(&mut bytes, &moments).unwrap();
            assert_eq!(read(bytes.get_ref()), Ok(moments));
        }
    }

    #[test]
    fn every_number_type_and_order_of_bytes_is_read() {
        let values = [1.0, 0.5, 0.5, 2.0];
        let bytes = |to: &dyn Fn(f64) -> Vec<u8>| values.iter().flat_map(|v| to(*v)).collect();
        let sigma = array![[1.0, 0.5], [0.5, 2.0]];
        let spellings: [(&str, Vec<u8>); 4] = [
            ("'<f8'", bytes(&|v| v.to_le_bytes().into())),
            ("'>f8'", bytes(&|v| v.to_be_bytes().into())),
            ("'<f4'", bytes(&|v| (v as f32).to_le_bytes().into())),
            ("'>f4'", bytes(&|v| (v as f32).to_be_bytes().into())),
        ];
        let mu: Vec<u8> = [3i64, -4].iter().flat_map(|v| v.to_le_bytes()).collect();
        for (descr, bytes) in spellings {
            for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
                let arrays = [
                    ("mu", "'<i8'", &[2][..], mu.clone()),
                    ("sigma", descr, &[2, 2], bytes.clone()),
                ];
                let moments = read(&written(&arrays, method)).unwrap();
                assert_eq!((moments.sigma, moments.n), (sigma.clone(), None), "{descr}");
                assert_eq!(moments.mu, array![3.0, -4.0]);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_array() {
        let of = |arrays: &[_]| read(&written(arrays, CompressionMethod::Stored)).unwrap_err();
        let mu = ("mu", "'<f8'", &[1][..], 1f64.to_le_bytes().to_vec());
        let sigma = |descr, shape: &'static [u64], value: f64| {
            ("sigma", descr, shape, value.to_le_bytes().to_vec())
        };
        for (arrays, message) in [
            (vec![mu.clone()], "no array `sigma`, only `mu`; pytorch-fid writes"),
            (vec![mu.clone(), sigma("'<f8'", &[1, 2], 1.0)], "array `sigma`: cut short"),
            (vec![mu.clone(), sigma("'<f8'", &[1], 1.0)], "do not belong together"),
            (
                vec![mu.clone(), sigma("'|S8'", &[1, 1], 1.0)],
                "is of type '|S8'; save it as float64",
            ),
            (vec![mu.clone(), sigma("'<f8'", &[1, 1], f64::NAN)], "array `sigma` holds a value"),
            (vec![mu.clone(), sigma("'<f8'", &[1 << 40, 1 << 40], 1.0)], "is too large"),
        ] {
            let text = of(&arrays);
            assert!(text.contains(message), "{text}");
        }
        let exact = ("exact", "'<i8'", &[1, 2][..], vec![0; 16]);
        let text = of(&[mu.clone(), sigma("'<f8'", &[1, 1], 1.0), exact]);
        assert!(text.contains("`exact` is none that `fgd moments` wrote"), "{text}");
        let n = ("n", "'<f8'", &[][..], 1f64.to_le_bytes().to_vec());
        let text = of(&[mu, sigma("'<f8'", &[1, 1], 1.0), n]);
        assert!(text.ends_with("`n` is not a whole number of at least 2"), "{text}");
        let zeros = [("mu", "'<f8'", &[2_200][..], vec![0; 2_200 * 8])];
        let sigma = ("sigma", "'<f8'", &[2_200, 2_200][..], vec![0; 2_200 * 2_200 * 8]);
        let bomb = written(&[zeros[0].clone(), sigma], CompressionMethod::Deflated);
        assert!(bomb.len() < 100_000 && read(&bomb).unwrap_err().contains("too large"));
        assert!(read(b"neither").unwrap_err().contains("not a .npz file"));
    }
}
