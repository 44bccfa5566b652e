//! Files that people hand in by mistake, each with a sentence that says what it is and how captions come out of it.

use super::error::ReadProblem;
use super::format::PARQUET_MAGIC;

const AS_TEXT: &str = "save the captions as CSV in UTF-8";
const IMAGE: &str = "give the file of its captions";
const UNPACK: &str = "decompress it, or compress it with gzip";
const UTF16: (&str, &str) =
    ("this is UTF-16 text", "convert it, for example with `iconv -f UTF-16 -t UTF-8`");
const EMBEDDINGS: &str =
    "captions are needed here; `fgd score` and others take embeddings as FILE.npy, decompressed";
const MOMENTS: &str = "captions are needed here; `fgd score` and others take moments as FILE.npz";
const FROM_PYTHON: &str =
    "load it in Python and write the captions as JSON or CSV (or embeddings with numpy.save)";

/// First bytes, what they are the beginning of, and what to do.
const BEGINNINGS: [(&[u8], &str, &str); 27] = [
    (
        b"\xd0\xcf\x11\xe0",
        "this is an old Excel or Word document, or one with a password",
        "save it as an Excel workbook (.xlsx) without one, or as CSV UTF-8",
    ),
    (b"\x89PNG", "this is a PNG image", IMAGE),
    (b"\xff\xd8\xff", "this is a JPEG image", IMAGE),
    (b"GIF8", "this is a GIF image", IMAGE),
    (b"RIFF", "this is a WebP image or a recording", IMAGE),
    (b"%PDF", "this is a PDF document", AS_TEXT),
    (b"{\\rtf", "this is a Rich Text document", AS_TEXT),
    (b"\x28\xb5\x2f\xfd", "this is compressed with zstd", UNPACK),
    (b"BZh", "this is compressed with bzip2", UNPACK),
    (b"\xfd7zXZ\0", "this is compressed with xz", UNPACK),
    (b"7z\xbc\xaf", "this is a 7z archive", "unpack it"),
    (b"Rar!", "this is a RAR archive", "unpack it"),
    (b"\x1f\x8b", "this was compressed with gzip twice", "decompress it once"),
    (b"\xff\xfe", UTF16.0, UTF16.1),
    (b"\xfe\xff", UTF16.0, UTF16.1),
    (b"\x93NUMPY", "this is an array of numpy", EMBEDDINGS),
    (b"\x80\x02", "this is a Python pickle", FROM_PYTHON),
    (b"\x80\x03", "this is a Python pickle", FROM_PYTHON),
    (b"\x80\x04", "this is a Python pickle", FROM_PYTHON),
    (b"\x80\x05", "this is a Python pickle", FROM_PYTHON),
    (
        b"ARROW1",
        "this is an Arrow or Feather file",
        "write it as Parquet, for example with `df.to_parquet`",
    ),
    (
        b"\xff\xff\xff\xff",
        "this is an Arrow stream, in which `datasets` keeps its tables",
        "write it as Parquet, for example with `dataset.to_parquet`",
    ),
    (b"\x89HDF", "this is an HDF5 file", FROM_PYTHON),
    (b"Obj\x01", "this is an Avro file", "write it as Parquet"),
    (b"ORC", "this is an ORC file", "write it as Parquet"),
    (b"SQLite format 3", "this is an SQLite database", "export the table as CSV"),
    (
        b"version https://git-lfs",
        "this is a pointer of Git LFS, not the file",
        "fetch it with `git lfs pull`",
    ),
];

/// What a zip archive is, by a name inside of it.
const ARCHIVES: [(&[u8], &str, &str); 7] = [
    (
        b"/data.pkl",
        "this is a PyTorch file",
        "torch.load it in Python and write the captions as JSON or CSV, or embeddings with numpy.save",
    ),
    (
        b"xl/workbook.bin",
        "this is a binary Excel workbook (.xlsb)",
        "save it as .xlsx, or as CSV UTF-8",
    ),
    (
        b"opendocument.spreadsheet",
        "this is an OpenDocument sheet",
        "save it as .xlsx, or as CSV UTF-8",
    ),
    (b"word/document", "this is a Word document", AS_TEXT),
    (
        b"_journal/",
        "this is an inspect_ai log in zip form",
        "convert it with `inspect log convert --to json`",
    ),
    (b".npy", "this is a .npz archive of numpy", MOMENTS),
    (b"", "this is a zip archive", "unpack it"),
];

const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// Whether a zip archive holds this name. The names stand beside the first files, and again at the end.
fn archive_holds(bytes: &[u8], name: &[u8]) -> bool {
    let ends = [&bytes[..bytes.len().min(1 << 14)], &bytes[bytes.len().saturating_sub(1 << 14)..]];
    name.is_empty() || ends.iter().any(|end| end.windows(name.len()).any(|w| w == name))
}

/// Whether this is an Excel workbook of XML.
pub(super) fn is_workbook(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP_MAGIC)
        && archive_holds(bytes, b"xl/workbook")
        && !archive_holds(bytes, b"xl/workbook.bin")
}

/// Names a file that holds no captions. The binary formats that do, Parquet and Excel workbooks, pass.
pub(super) fn refuse(bytes: &[u8]) -> Result<(), ReadProblem> {
    let refused = |what, advice| Err(ReadProblem::Binary { what, advice });
    if bytes.starts_with(PARQUET_MAGIC) || is_workbook(bytes) {
        return Ok(());
    }
    if let Some((_, what, advice)) = BEGINNINGS.iter().find(|known| bytes.starts_with(known.0)) {
        return refused(what, advice);
    }
    if bytes.starts_with(ZIP_MAGIC)
        && let Some((_, what, advice)) = ARCHIVES.iter().find(|known| archive_holds(bytes, known.0))
    {
        return refused(what, advice);
    }
    let head = &bytes[..bytes.len().min(1 << 13)];
    let start = head.trim_ascii_start();
    let begins =
        |text: &[u8]| start.get(..text.len()).is_some_and(|s| s.eq_ignore_ascii_case(text));
    if begins(b"<!doctype html") || begins(b"<html") {
        return refused(
            "this is a web page, not a caption file",
            "fetch the file itself, signed in if need be",
        );
    }
    if head.len() > 9 && head[8] == b'{' && head[4..8] == [0; 4] {
        return refused(
            "these are weights (safetensors)",
            "give a caption file; checkpoints go to `fgd caption` and `fgd compare`",
        );
    }
    if head.get(257..262) == Some(b"ustar") {
        return refused("this is a tar archive", "unpack it");
    }
    // A NUL here and there is damage of its row; text of two or four bytes a letter is full of them.
    let nuls = head.iter().filter(|&&byte| byte == 0).count();
    if nuls * 16 > head.len() {
        return refused("this is a binary file, or text in UTF-16 or UTF-32", AS_TEXT);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_file_has_its_sentence() {
        for (bytes, says) in [
            (&b"PK\x03\x04....model/data.pkl"[..], "torch.load"),
            (b"PK\x03\x04....xl/workbook.bin", "xlsb"),
            (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "OpenDocument"),
            (b"PK\x03\x04....mu.npy", ".npz"),
            (b"PK\x03\x04....a.csv", "zip archive"),
            (b"\x80\x04\x95..", "pickle"),
            (b"\x93NUMPY\x01", "numpy"),
            (b"  <!DOCTYPE HTML><html>", "web page"),
            (b"\x10\0\0\0\0\0\0\0{\"a\":{}}", "weights"),
            (b"\xff\xff\xff\xff\x10\x01\0\0", "to_parquet"),
            (b"i\0m\0a\0g\0e\0", "UTF-16"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ] {
            let message = refuse(bytes).unwrap_err().to_string();
            assert!(message.contains(says), "{message}");
        }
        for fine in [
            &b"PAR1"[..],
            b"PK\x03\x04....xl/workbook.xml",
            b"image_id,caption\n1,a dog with a \0 inside\n",
            b"{\"a\": 1}",
            b"RI,a",
        ] {
            assert!(refuse(fine).is_ok());
        }
    }
}
