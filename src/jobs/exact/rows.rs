//! Captions on their way over the disk, as bytes: lengths before texts, so that reading them back parses nothing.

use std::io::{self, BufRead};

/// Stands for the length of a cell that is null.
const NULL: u32 = u32::MAX;

/// A caption with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    /// The number of its file.
    pub file: u32,
    /// Its row in there.
    pub row: u64,
    /// Its image.
    pub id: T,
    /// What it says.
    pub text: T,
    /// Its cells in the columns that the score is sliced by.
    pub cells: Vec<Option<T>>,
}

impl Row<&str> {
    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend(self.file.to_le_bytes());
        out.extend(self.row.to_le_bytes());
        write_text(self.id, out);
        write_text(self.text, out);
        for cell in &self.cells {
            match cell {
                Some(text) => write_text(text, out),
                None => out.extend(NULL.to_le_bytes()),
            }
        }
    }
}

impl<'a> Row<&'a str> {
    /// Takes one with so many cells off the front of `bytes`; `None` where there are none left.
    ///
    /// # Errors
    /// Bytes that [`write`](Self::write) did not make.
    pub fn read(bytes: &mut &'a [u8], cells: usize) -> io::Result<Option<Self>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let file = u32::from_le_bytes(fixed(bytes)?);
        let row = u64::from_le_bytes(fixed(bytes)?);
        let (id, text) = (read_text(bytes)?, read_text(bytes)?);
        let cells = (0..cells).map(|_| read_cell(bytes)).collect::<io::Result<_>>()?;
        Ok(Some(Self { file, row, id, text, cells }))
    }
}

/// Appends a text.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The next text of a file of such texts; `None` at its end.
///
/// # Errors
/// A file that [`write_text`] did not write, or that cannot be read any more.
pub fn next_text(file: &mut impl BufRead) -> io::Result<Option<String>> {
    if file.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut len = [0; 4];
    file.read_exact(&mut len)?;
    let mut text = vec![0; u32::from_le_bytes(len) as usize];
    file.read_exact(&mut text)?;
    String::from_utf8(text).map(Some).map_err(|_| damaged())
}

fn read_text<'a>(bytes: &mut &'a [u8]) -> io::Result<&'a str> {
    read_cell(bytes)?.ok_or_else(damaged)
}

fn read_cell<'a>(bytes: &mut &'a [u8]) -> io::Result<Option<&'a str>> {
    let len = u32::from_le_bytes(fixed(bytes)?);
    if len == NULL {
        return Ok(None);
    }
    let (text, rest) = bytes.split_at_checked(len as usize).ok_or_else(damaged)?;
    *bytes = rest;
    std::str::from_utf8(text).map(Some).map_err(|_| damaged())
}

fn fixed<const N: usize>(bytes: &mut &[u8]) -> io::Result<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    *bytes = rest;
    Ok(*first)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "captions on the disk were changed in the meantime")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_what_is_cut_off_is_an_error() {
        let rows = [
            Row { file: 1, row: 7, id: "é", text: "", cells: vec![Some(""), None] },
            Row { file: 0, row: u64::MAX, id: "", text: "a dog", cells: vec![None, Some("x")] },
        ];
        let mut out = Vec::new();
        rows.iter().for_each(|row| row.write(&mut out));
        let mut bytes = &*out;
        for row in rows {
            assert_eq!(Row::read(&mut bytes, 2).unwrap(), Some(row));
        }
        assert_eq!(Row::read(&mut bytes, 2).unwrap(), None);
        assert!(Row::read(&mut &out[..out.len() - 1], 2).unwrap().is_some());
        assert!(Row::read(&mut &out[..9], 2).is_err());
    }
}
