//! Where the images are: for commands that look at them, and for reports that show them.

use std::path::{Path, PathBuf};

/// Images that a command looks at.
#[derive(Debug, clap::Args)]
pub struct ImageArgs {
    /// The images: a directory, one image, or a list (CSV or TSV with a column image_id, path or both; or a path a line). Read are
    /// JPEG, PNG, WebP, GIF, BMP and TIFF.
    #[arg(long, value_name = "DIR|IMAGE|LIST", env = "FGD_IMAGES")]
    pub images: PathBuf,
    /// Where the paths (or ids) of LIST start; its own directory by default.
    #[arg(long, value_name = "DIR", env = "FGD_IMAGE_ROOT")]
    pub image_root: Option<PathBuf>,
}

/// Images that stand beside their captions in a report, and that checkpoints among the systems caption.
#[derive(Debug, Clone, clap::Args)]
pub struct PictureArgs {
    /// The images, a directory or a list with a column image_id, path or both: for small pictures beside the captions of a report,
    /// and for checkpoints among the systems.
    #[arg(long, value_name = "DIR|LIST", env = "FGD_IMAGES")]
    pub images: Option<PathBuf>,
    /// Where the paths (or ids) of LIST start; its own directory by default.
    #[arg(long, value_name = "DIR", env = "FGD_IMAGE_ROOT")]
    pub image_root: Option<PathBuf>,
}

impl PictureArgs {
    /// The images and where they start, if any were given.
    pub fn place(&self) -> Option<(&Path, Option<&Path>)> {
        self.images.as_deref().map(|images| (images, self.image_root.as_deref()))
    }
}
