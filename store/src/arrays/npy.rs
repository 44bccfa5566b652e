//! Embeddings in `.npy`: rows of floats, read in pieces so that memory does not grow with the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};

use super::header::Header;
use super::{ArrayError, MOST_DIMENSIONS};

/// Bytes of one piece while streaming.
const PIECE: usize = 8 << 20;

/// Most numbers of a file: their bytes can still be counted in 64 bits with a sign.
const MOST_NUMBERS: u64 = 1 << 59;

#[derive(Debug, Clone, Copy)]
enum Float {
    Half,
    Single,
    Double,
}

impl Float {
    fn width(self) -> usize {
        match self {
            Self::Half => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }
}

/// The rows of a two-dimensional `.npy` file of little-endian floats (`f2`, `f4` or `f8`), in pieces.
#[derive(Debug)]
pub struct EmbeddingRows {
    path: PathBuf,
    reader: BufReader<File>,
    float: Float,
    rows: u64,
    dim: usize,
    next: u64,
}

impl EmbeddingRows {
    /// Opens the file and reads its header.
    ///
    /// # Errors
    /// A file that cannot be read, or is not a matrix of such floats, row by row.
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let (io, format) = (ArrayError::io(path), ArrayError::format(path));
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let header = Header::read(&mut reader).map_err(|error| format(not_npy(path, &error)))?;
        let float = float_type(&header).ok_or_else(|| {
            if header.shown_type().contains('O') {
                return format(
                    "holds Python objects, which only pickle reads; save numpy.asarray(embeddings, dtype=numpy.float32)".into(),
                );
            }
            format(format!(
                "numbers of type {} where little-endian floats are needed; save as numpy float32",
                header.shown_type()
            ))
        })?;
        let &[rows, dim] = header.shape.as_slice() else {
            return Err(format(format!(
                "an array of {} dimensions where rows of embeddings [N, d] are needed",
                header.shape.len()
            )));
        };
        if header.fortran_order && rows > 1 && dim > 1 {
            return Err(format(
                "columns stand one after the other; save numpy.ascontiguousarray(embeddings)"
                    .into(),
            ));
        }
        if rows == 0 || dim == 0 {
            return Err(format("holds no embedding".into()));
        }
        if header.numbers().is_none_or(|numbers| numbers > MOST_NUMBERS) {
            return Err(format(format!("{rows} rows of {dim} numbers are more than a file holds")));
        }
        let dim = usize::try_from(dim)
            .ok()
            .filter(|&dim| dim <= MOST_DIMENSIONS)
            .ok_or_else(|| format(format!("{dim} dimensions are more than an encoder has")))?;
        Ok(Self { path: path.into(), reader, float, rows, dim, next: 0 })
    }

    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Dimensions of an embedding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether the numbers are `f8`.
    pub fn is_double(&self) -> bool {
        matches!(self.float, Float::Double)
    }

    /// Passes over `rows` rows without reading them.
    ///
    /// # Errors
    /// The system refused.
    pub fn skip(&mut self, rows: u64) -> Result<(), ArrayError> {
        let rows = rows.min(self.rows - self.next);
        let bytes = rows * (self.float.width() * self.dim) as u64;
        self.reader.seek_relative(bytes as i64).map_err(ArrayError::io(&self.path))?;
        self.next += rows;
        Ok(())
    }

    /// The next piece [rows × dim], `None` at the end.
    ///
    /// # Errors
    /// A file that is cut short, or a number that is not finite.
    pub fn next_piece(&mut self) -> Result<Option<Array2<f32>>, ArrayError> {
        self.next_of(|value| value as f32, |value| value.is_finite())
    }

    /// The same in the width that sums are made in, for files of `f8`.
    ///
    /// # Errors
    /// As [`EmbeddingRows::next_piece`].
    pub fn next_wide_piece(&mut self) -> Result<Option<Array2<f64>>, ArrayError> {
        self.next_of(|value| value, |value| value.is_finite())
    }

    fn next_of<T>(
        &mut self,
        narrow: impl Fn(f64) -> T,
        is_finite: impl Fn(&T) -> bool,
    ) -> Result<Option<Array2<T>>, ArrayError> {
        let width = self.float.width();
        let most = (PIECE / (width * self.dim).max(1)).max(1) as u64;
        let count = most.min(self.rows - self.next) as usize;
        if count == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; count * self.dim * width];
        self.reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ArrayError::format(&self.path)(format!(
                "cut short: its header promises {} rows",
                self.rows
            )),
            _ => ArrayError::io(&self.path)(error),
        })?;
        let values = match self.float {
            Float::Half => convert(&bytes, |b| narrow(half::f16::from_le_bytes(b).to_f64())),
            Float::Single => convert(&bytes, |b| narrow(f32::from_le_bytes(b).into())),
            Float::Double => convert(&bytes, |b| narrow(f64::from_le_bytes(b))),
        };
        if let Some(position) = values.iter().position(|value| !is_finite(value)) {
            return Err(ArrayError::NotFinite {
                path: self.path.clone(),
                row: self.next + (position / self.dim) as u64 + 1,
            });
        }
        self.next += count as u64;
        let piece = Array2::from_shape_vec((count, self.dim), values)
            .expect("count × dim values were read");
        Ok(Some(piece))
    }
}

/// What stands in a file that does not begin as one.
fn not_npy(path: &Path, error: &io::Error) -> String {
    let mut start = [0; 2];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match (read, start) {
        (Ok(()), [0x1f, 0x8b]) => "is compressed with gzip; decompress it with gunzip".into(),
        (Ok(()), [b'P', b'K']) => {
            "is a zip archive: a .npz, or a file of torch.save; save one array with numpy.save"
                .into()
        }
        (Ok(()), [0x80, 2..=5]) => {
            "is a Python pickle; save the array with numpy.save(FILE, embeddings)".into()
        }
        _ => format!("not a .npy file ({error}); save the array with numpy.save(FILE, embeddings)"),
    }
}

fn convert<const N: usize, T>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|b| read(*b)).collect()
}

fn float_type(header: &Header) -> Option<Float> {
    match header.number_type()? {
        ("f2", true) => Some(Float::Half),
        ("f4", true) => Some(Float::Single),
        ("f8", true) => Some(Float::Double),
        _ => None,
    }
}

/// All rows of a `.npy` file, [N × d].
///
/// # Errors
/// As [`EmbeddingRows::open`] and [`EmbeddingRows::next_piece`]; a row of zeros, of which there is no cosine.
pub fn read_embeddings(path: &Path) -> Result<Array2<f32>, ArrayError> {
    let mut rows = EmbeddingRows::open(path)?;
    let mut values = Vec::new();
    while let Some(piece) = rows.next_piece()? {
        values.extend(piece.into_raw_vec_and_offset().0);
    }
    let shape = (values.len() / rows.dim(), rows.dim());
    let embeddings = Array2::from_shape_vec(shape, values).expect("whole rows were read");
    match embeddings.outer_iter().position(|row| row.iter().all(|value| *value == 0.0)) {
        Some(row) => Err(ArrayError::Zeros { path: path.into(), row: row as u64 + 1 }),
        None => Ok(embeddings),
    }
}

/// Writes embeddings [N × d] as a `.npy` of float32.
///
/// # Errors
/// What `out` refuses.
pub fn write_embeddings(out: impl Write, embeddings: ArrayView2<f32>) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let (rows, dim) = embeddings.dim();
    let header = Header {
        descr: "'<f4'".into(),
        fortran_order: false,
        shape: vec![rows as u64, dim as u64],
    };
    header.write(&mut out)?;
    for value in embeddings {
        out.write_all(&value.to_le_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_read_in_pieces_of_bounded_size() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("rows.npy");
        let (rows, dim) = (1_100, 4_096);
        let all = Array2::from_shape_fn((rows, dim), |(i, j)| (i * 31 + j) as f32);
        let file = File::create(&path).expect("a new file");
        write_embeddings(file, all.view()).expect("written");

        let mut read = EmbeddingRows::open(&path).expect("a .npy file");
        let mut pieces = Vec::new();
        while let Some(piece) = read.next_piece().expect("whole rows") {
            assert!(piece.len() * size_of::<f32>() <= PIECE);
            let start: usize = pieces.iter().sum();
            assert_eq!(piece, all.slice(ndarray::s![start..start + piece.nrows(), ..]));
            pieces.push(piece.nrows());
        }
        assert!(pieces.len() > 1, "{pieces:?}");
        assert_eq!(pieces.iter().sum::<usize>(), rows);
    }
}
