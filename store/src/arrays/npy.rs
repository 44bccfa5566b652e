//! Embeddings in `.npy`: rows of floats, read in pieces so that memory does not grow with the file.

use super::ArrayError;
use ndarray::{Array2, ArrayView2};
use npyz::{DType, NpyHeader, Order, TypeChar, WriterBuilder};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// Bytes of one piece while streaming.
const PIECE: usize = 8 << 20;

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
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let io = |source| ArrayError::Io {
            path: path.into(),
            source,
        };
        let format = |reason: String| ArrayError::Format {
            path: path.into(),
            reason,
        };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let header = NpyHeader::from_reader(&mut reader)
            .map_err(|error| format(format!("not a .npy file ({error})")))?;
        let float = float_type(&header.dtype()).ok_or_else(|| {
            format(format!(
                "numbers of type {} where little-endian floats are needed; save as numpy float32",
                header.dtype().descr()
            ))
        })?;
        let &[rows, dim] = header.shape() else {
            return Err(format(format!(
                "an array of {} dimensions where rows of embeddings [N, d] are needed",
                header.shape().len()
            )));
        };
        if header.order() == Order::Fortran && rows > 1 && dim > 1 {
            return Err(format(
                "columns stand one after the other; save numpy.ascontiguousarray(embeddings)"
                    .into(),
            ));
        }
        if rows == 0 || dim == 0 {
            return Err(format("holds no embedding".into()));
        }
        let dim = usize::try_from(dim)
            .ok()
            .filter(|&dim| dim <= 1 << 20)
            .ok_or_else(|| format(format!("{dim} dimensions are more than an encoder has")))?;
        Ok(Self {
            path: path.into(),
            reader,
            float,
            rows,
            dim,
            next: 0,
        })
    }

    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Dimensions of an embedding.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Passes over `rows` rows without reading them.
    pub fn skip(&mut self, rows: u64) -> Result<(), ArrayError> {
        let rows = rows.min(self.rows - self.next);
        let bytes = rows * (self.float.width() * self.dim) as u64;
        self.reader
            .seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
            .map_err(|source| ArrayError::Io {
                path: self.path.clone(),
                source,
            })?;
        self.next += rows;
        Ok(())
    }

    /// The next piece, `None` at the end.
    pub fn next_piece(&mut self) -> Result<Option<Array2<f32>>, ArrayError> {
        let width = self.float.width();
        let most = (PIECE / (width * self.dim)).max(1) as u64;
        let count = most.min(self.rows - self.next) as usize;
        if count == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; count * self.dim * width];
        self.reader.read_exact(&mut bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                ArrayError::Format {
                    path: self.path.clone(),
                    reason: format!("cut short: its header promises {} rows", self.rows),
                }
            } else {
                ArrayError::Io {
                    path: self.path.clone(),
                    source: error,
                }
            }
        })?;
        let values: Vec<f32> = match self.float {
            Float::Half => bytes
                .chunks_exact(2)
                .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect(),
            Float::Single => bytes
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect(),
            Float::Double => bytes
                .chunks_exact(8)
                .map(|b| {
                    f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f32
                })
                .collect(),
        };
        if let Some(position) = values.iter().position(|value| !value.is_finite()) {
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

fn float_type(dtype: &DType) -> Option<Float> {
    let DType::Plain(plain) = dtype else {
        return None;
    };
    // A header that this machine wrote and one in little-endian order read the same.
    if plain.type_char() != TypeChar::Float || plain.endianness() != npyz::Endianness::Little {
        return None;
    }
    match plain.size_field() {
        2 => Some(Float::Half),
        4 => Some(Float::Single),
        8 => Some(Float::Double),
        _ => None,
    }
}

/// All rows of a `.npy` file.
pub fn read_embeddings(path: &Path) -> Result<Array2<f32>, ArrayError> {
    let mut rows = EmbeddingRows::open(path)?;
    let mut values = Vec::new();
    while let Some(piece) = rows.next_piece()? {
        values.extend(piece.into_raw_vec_and_offset().0);
    }
    let shape = (values.len() / rows.dim(), rows.dim());
    Ok(Array2::from_shape_vec(shape, values).expect("whole rows were read"))
}

/// Writes embeddings as a `.npy` of float32.
pub fn write_embeddings(out: impl Write, embeddings: ArrayView2<f32>) -> io::Result<()> {
    let (rows, dim) = embeddings.dim();
    let mut writer = npyz::WriteOptions::<f32>::new()
        .default_dtype()
        .shape(&[rows as u64, dim as u64])
        .writer(out)
        .begin_nd()?;
    writer.extend(embeddings.iter().copied())?;
    writer.finish()
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
        write_embeddings(io::BufWriter::new(file), all.view()).expect("written");

        let mut read = EmbeddingRows::open(&path).expect("a .npy file");
        let mut pieces = Vec::new();
        while let Some(piece) = read.next_piece().expect("whole rows") {
            assert!(piece.len() * size_of::<f32>() <= PIECE);
            let start: usize = pieces.iter().sum();
            assert_eq!(
                piece,
                all.slice(ndarray::s![start..start + piece.nrows(), ..])
            );
            pieces.push(piece.nrows());
        }
        assert!(pieces.len() > 1, "{pieces:?}");
        assert_eq!(pieces.iter().sum::<usize>(), rows);
    }
}
