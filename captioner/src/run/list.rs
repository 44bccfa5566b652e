//! Which images are captioned, and what each is called.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Extensions by which a directory's images are known.
const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "gif"];
const ID_COLUMNS: [&str; 4] = ["image_id", "id", "image", "filename"];
const PATH_COLUMNS: [&str; 5] = ["path", "file", "file_name", "filename", "image_path"];

/// One image of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// What it is called in the result.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
}

/// A directory's images, or the rows of a CSV file, in a fixed order.
///
/// In a directory the id is the file's name without extension; numeric ids sort as numbers. A CSV file has a column
/// `image_id` (or `id`) and optionally `path` (or `file`, `file_name`), relative to `root`, else to the file's own
/// directory; without a path column the image is the file there whose name without extension is the id.
///
/// # Errors
/// A list that cannot be read, an id that is missing or there twice, no image at all.
pub fn list_images(source: &Path, root: Option<&Path>) -> Result<Vec<ImageFile>> {
    let images = if source.is_dir() {
        directory(source)?
    } else {
        table(source, root.or(source.parent()).unwrap_or(Path::new(".")))?
    };
    let mut seen: HashMap<&str, &Path> = HashMap::new();
    for image in &images {
        if let Some(other) = seen.insert(&image.id, &image.path) {
            let reason = format!(
                "id {:?} is there twice ({} and {})",
                image.id,
                other.display(),
                image.path.display()
            );
            return Err(Error::Images { path: source.into(), reason });
        }
    }
    if images.is_empty() {
        let reason = format!("no image; looked for {}", EXTENSIONS.join(", "));
        return Err(Error::Images { path: source.into(), reason });
    }
    Ok(images)
}

fn directory(dir: &Path) -> Result<Vec<ImageFile>> {
    let mut images = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir))? {
        let path = entry.map_err(Error::io(dir))?.path();
        if let Some(id) = image_id(&path) {
            images.push(ImageFile { id, path });
        }
    }
    let numeric = images.iter().all(|image| image.id.parse::<u64>().is_ok());
    images.sort_by(|a, b| {
        let number = |image: &ImageFile| image.id.parse::<u64>().unwrap_or(0);
        if numeric { number(a).cmp(&number(b)) } else { std::cmp::Ordering::Equal }
            .then_with(|| a.path.cmp(&b.path))
    });
    Ok(images)
}

/// The stem of a file with an image's extension.
fn image_id(path: &Path) -> Option<String> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let stem = path.file_stem()?.to_str()?;
    (EXTENSIONS.contains(&extension.as_str()) && path.is_file()).then(|| stem.to_owned())
}

fn table(path: &Path, root: &Path) -> Result<Vec<ImageFile>> {
    let refuse = |reason: String| Error::Images { path: path.into(), reason };
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    let mut reader = csv::Reader::from_reader(file);
    let headers = reader.headers().map_err(|e| refuse(e.to_string()))?.clone();
    let column = |names: &[&str]| {
        let named = |name: &&str| {
            headers.iter().position(|h| h.trim_start_matches('\u{feff}').trim() == *name)
        };
        names.iter().find_map(named)
    };
    let Some(id_column) = column(&ID_COLUMNS) else {
        return Err(refuse(format!(
            "no column {}; the header is {:?}",
            ID_COLUMNS.join(" or "),
            headers
        )));
    };
    let path_column = column(&PATH_COLUMNS);
    let by_stem = if path_column.is_none() { stems(root)? } else { HashMap::new() };
    let mut images = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(|e| refuse(format!("row {}: {e}", row + 1)))?;
        let field = |column: usize| record.get(column).unwrap_or_default().trim().to_owned();
        let id = field(id_column);
        if id.is_empty() {
            return Err(refuse(format!("row {}: the id is empty", row + 1)));
        }
        let path = match path_column {
            Some(column) => root.join(field(column)),
            // An absent image is reported like a broken one, with its id, when its turn comes.
            None => by_stem.get(&id).cloned().unwrap_or_else(|| root.join(&id)),
        };
        images.push(ImageFile { id, path });
    }
    Ok(images)
}

fn stems(root: &Path) -> Result<HashMap<String, PathBuf>> {
    Ok(directory(root)?.into_iter().map(|image| (image.id, image.path)).collect())
}
