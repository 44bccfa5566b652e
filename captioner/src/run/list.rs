//! Which images are captioned, and what each is called.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use fgd_store::file::folder_of;
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::preprocess::{head, is_image, is_image_name, look};

const ID_COLUMNS: [&str; 4] = ["image_id", "id", "image", "filename"];
const PATH_COLUMNS: [&str; 5] = ["path", "file", "file_name", "filename", "image_path"];

/// Names that a note or an error shows before it only counts.
const SHOWN: usize = 3;

/// One image of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// What it is called in the result.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
}

/// The images of a directory, of a list, or one.
#[derive(Debug, Clone, Default)]
pub struct ImageList {
    /// In a fixed order; no id is there twice.
    pub images: Vec<ImageFile>,
    /// Files of a directory that are no images, by name.
    other_files: Vec<String>,
    /// Folders of a directory, which are not searched.
    folders: Vec<String>,
}

impl ImageList {
    /// What was passed over, a line each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.other_files.is_empty() {
            notes.push(format!("left out as no images: {}", shown(&self.other_files)));
        }
        if !self.folders.is_empty() {
            notes.push(format!("folders inside are not searched: {}", shown(&self.folders)));
        }
        notes
    }
}

/// A directory's images, the rows of a list, or a single image, in a fixed order.
///
/// In a directory every file is taken whose name or first bytes are those of an image, also of a format that is not read, which
/// is then reported like a broken one; the id is the file's name without extension, with `\xNN` for what is not UTF-8, and
/// numeric ids sort as numbers. A CSV or TSV file has a column `image_id` (or `id`, `image`, `filename`), or `path` (or `file`,
/// `file_name`, `image_path`), or both; paths are relative to `root`, else to the file's own directory. Without a path column
/// the image is the file there whose name is the id, with or without extension; without an id column the id is the name. A text
/// file of image names, one a line, is a list of paths.
///
/// # Errors
/// A list that cannot be read, an id that is missing or there twice, no image at all.
pub fn list_images(source: &Path, root: Option<&Path>) -> Result<ImageList> {
    let refuse = |reason: String| Error::Images { path: source.into(), reason };
    let list = if source.is_dir() {
        directory(source)?
    } else if is_image_name(source) || head(source).is_ok_and(|head| is_image(&head)) {
        ImageList { images: vec![named_after_file(source.into())], ..ImageList::default() }
    } else {
        let root = root.unwrap_or(folder_of(source));
        ImageList { images: table(source, root)?, ..ImageList::default() }
    };
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for image in &list.images {
        if let Some(other) = seen.insert(&image.id, &image.path) {
            let (id, path) = (&image.id, image.path.display());
            return Err(refuse(match *other == image.path {
                true => format!(
                    "id {id:?} is there twice, with one image ({path}); keep one row of each"
                ),
                false => {
                    let advice = match source.is_dir() {
                        true => "give a list with the columns image_id and path",
                        false => "give the other an id of its own",
                    };
                    let other = other.display();
                    format!("id {id:?} is there twice ({other} and {path}); keep one, or {advice}")
                }
            }));
        }
    }
    if list.images.is_empty() {
        let notes = list.notes().join("; ");
        let notes = if notes.is_empty() { String::new() } else { format!(" ({notes})") };
        return Err(refuse(format!("no image{notes}")));
    }
    Ok(list)
}

/// The images that cannot be captioned for what their first bytes show, each with the reason: found before hours of work, as
/// far as that costs no more than opening every file.
pub fn unreadable(images: &[ImageFile]) -> Vec<(&ImageFile, String)> {
    images.par_iter().filter_map(|image| Some((image, look(&image.path).err()?))).collect()
}

fn directory(dir: &Path) -> Result<ImageList> {
    let mut list = ImageList::default();
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        let (path, name) = (entry.path(), text(&entry.file_name()));
        // Hidden files are a system's own, even `._photo.jpg`.
        if path.is_dir() {
            list.folders.push(name);
        } else if !name.starts_with('.') && (is_image_name(&path) || holds_image(&path)) {
            list.images.push(named_after_file(path));
        } else {
            list.other_files.push(name);
        }
    }
    list.other_files.sort();
    list.folders.sort();
    let numeric = list.images.iter().all(|image| image.id.parse::<u64>().is_ok());
    list.images.sort_by(|a, b| {
        let number = |image: &ImageFile| image.id.parse::<u64>().unwrap_or(0);
        if numeric { number(a).cmp(&number(b)) } else { std::cmp::Ordering::Equal }
            .then_with(|| a.path.cmp(&b.path))
    });
    Ok(list)
}

fn holds_image(path: &Path) -> bool {
    path.is_file() && head(path).is_ok_and(|head| is_image(&head))
}

fn named_after_file(path: PathBuf) -> ImageFile {
    ImageFile { id: text(path.file_stem().unwrap_or_default()), path }
}

/// A file's name as text; bytes that are not UTF-8 as `\xNN`, so that different names stay different.
fn text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

fn shown(names: &[String]) -> String {
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn table(path: &Path, root: &Path) -> Result<Vec<ImageFile>> {
    let refuse = |reason: String| Error::Images { path: path.into(), reason };
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let first_line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let separator = if first_line.contains(&b'\t') { b'\t' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(separator).has_headers(false).from_reader(bytes);
    let mut records = reader.records().enumerate().map(|(at, record)| {
        record.map_err(|e| refuse(format!("line {} cannot be read as CSV: {e}", at + 1)))
    });
    let header = records.next().transpose()?.unwrap_or_default();
    let column = |names: &[&str]| {
        names.iter().find_map(|name| header.iter().position(|field| field.trim() == *name))
    };
    let (id_column, path_column) = (column(&ID_COLUMNS), column(&PATH_COLUMNS));
    let first = std::str::from_utf8(first_line).unwrap_or_default().trim();
    let is_bare = id_column.is_none() && path_column.is_none() && is_image_name(Path::new(first));
    if id_column.is_none() && path_column.is_none() && !is_bare {
        let header: Vec<&str> = header.iter().take(20).collect();
        return Err(refuse(format!(
            "neither an image nor a list of images: no column {} or {}; the header is {header:?}",
            ID_COLUMNS.join(", "),
            PATH_COLUMNS.join(", ")
        )));
    }
    if is_bare {
        return paths(bytes, root).map_err(refuse);
    }
    let by_stem = if path_column.is_none() { stems(root)? } else { HashMap::new() };
    let mut images = Vec::new();
    for (row, record) in records.enumerate() {
        let record = record?;
        let field = |column: usize| record.get(column).unwrap_or_default().trim().to_owned();
        let given = path_column.map(|column| root.join(field(column)));
        let image = match (id_column.map(field), given) {
            (Some(id), Some(path)) => ImageFile { id, path },
            (None, Some(path)) => named_after_file(path),
            // An absent image is reported like a broken one, with its id, when its turn comes.
            (id, None) => {
                let id = id.unwrap_or_default();
                let path = match by_stem.get(&id).map(Vec::as_slice) {
                    Some([only]) => only.clone(),
                    None | Some([]) => root.join(&id),
                    Some([one, other, ..]) => {
                        let [one, other] = [one, other].map(|path| path.display());
                        return Err(refuse(format!(
                            "id {id:?} could be {one} or {other}: give the path in a column path"
                        )));
                    }
                };
                ImageFile { id, path }
            }
        };
        if image.id.is_empty() {
            return Err(refuse(format!("row {}: the id is empty", row + 1)));
        }
        images.push(image);
    }
    Ok(images)
}

/// The lines of a list of paths; a path may have commas.
fn paths(bytes: &[u8], root: &Path) -> std::result::Result<Vec<ImageFile>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        format!("line {line} is not UTF-8")
    })?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(|line| named_after_file(root.join(line))).collect())
}

/// The images of a folder by their names without extension.
fn stems(root: &Path) -> Result<HashMap<String, Vec<PathBuf>>> {
    let mut stems: HashMap<String, Vec<PathBuf>> = HashMap::new();
    for image in directory(root)?.images {
        stems.entry(image.id).or_default().push(image.path);
    }
    Ok(stems)
}
