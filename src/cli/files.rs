//! The flags that say how caption files are read, and where the result goes.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use fgd_captions::{Format as CaptionFormat, ReadOptions};
use fgd_record::Record;
use fgd_reports::{Format, Style, render, site};
use fgd_store::file;

use super::exit::usage;
use super::output::{Output, Sink};
use crate::jobs::images::Images;
use crate::jobs::options::Keeping;

/// How caption files are read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Caption files")]
pub struct CaptionArgs {
    /// Where ids and captions are in nested records: keys with dots between them, lists gone through, [KEY=VALUE] to keep some.
    #[arg(long, value_name = "image=PATH,caption=PATH", env = "FGD_FIELDS", conflicts_with_all = ["id_column", "caption_column"])]
    pub fields: Option<Fields>,
    /// Column that holds the image ids; found by its name otherwise.
    #[arg(long, value_name = "NAME", env = "FGD_ID_COLUMN")]
    pub id_column: Option<String>,
    /// Column that holds the captions; found by its name otherwise.
    #[arg(long, value_name = "NAME", env = "FGD_CAPTION_COLUMN")]
    pub caption_column: Option<String>,
    /// Format of the caption files; found by extension and content otherwise.
    #[arg(long, value_enum, value_name = "FORMAT", env = "FGD_INPUT_FORMAT")]
    pub input_format: Option<CaptionFormat>,
    /// Largest caption file that is read, in bytes, counted after decompression.
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30, env = "FGD_MAX_BYTES")]
    pub max_bytes: u64,
}

impl CaptionArgs {
    /// The options for the reader.
    pub fn options(&self) -> ReadOptions {
        ReadOptions {
            id_column: Fields::image(&self.fields).or_else(|| self.id_column.clone()),
            caption_column: Fields::caption(&self.fields).or_else(|| self.caption_column.clone()),
            max_bytes: self.max_bytes,
            format: self.input_format,
            ..ReadOptions::default()
        }
    }
}

/// Where ids and captions are in a record; at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    image: Option<String>,
    caption: Option<String>,
}

impl Fields {
    /// The path of the ids, if it is given.
    pub fn image(fields: &Option<Self>) -> Option<String> {
        fields.as_ref()?.image.clone()
    }

    /// The path of the captions, if it is given.
    pub fn caption(fields: &Option<Self>) -> Option<String> {
        fields.as_ref()?.caption.clone()
    }
}

impl FromStr for Fields {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fields = Self { image: None, caption: None };
        for part in text.split(',') {
            let field = match part.trim().split_once('=') {
                Some(("image" | "id", path)) if !path.is_empty() => (&mut fields.image, path),
                Some(("caption" | "text", path)) if !path.is_empty() => (&mut fields.caption, path),
                _ => return Err(format!("`{part}` is not image=PATH or caption=PATH")),
            };
            *field.0 = Some(field.1.to_owned());
        }
        Ok(fields)
    }
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// A table for the terminal.
    Text,
    /// The record, whole.
    Json,
    /// One row per number.
    Csv,
    /// Markdown tables.
    Md,
}

impl From<ResultFormat> for Format {
    fn from(format: ResultFormat) -> Self {
        match format {
            ResultFormat::Text => Self::Text,
            ResultFormat::Json => Self::Json,
            ResultFormat::Csv => Self::Csv,
            ResultFormat::Md => Self::Md,
        }
    }
}

impl ResultFormat {
    /// The format that the extension of a file says; `None` where it says none.
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            "md" => Some(Self::Md),
            _ => None,
        }
    }
}

/// How the result looks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct FormatArgs {
    /// Form of the result; that of the extension of --output, or text, by default.
    #[arg(long, value_enum, env = "FGD_FORMAT")]
    pub format: Option<ResultFormat>,
}

impl FormatArgs {
    /// The record in the form that was asked for, in text otherwise.
    pub fn render(&self, record: &Record, color: bool, output: &Output) -> String {
        let style = Style { color, width: output.width() };
        render(record, self.format.unwrap_or(ResultFormat::Text).into(), &style)
    }

    /// Whether the result stands as text on the terminal, where its table of notes is read.
    pub fn is_on_screen(&self) -> bool {
        self.format.unwrap_or(ResultFormat::Text) == ResultFormat::Text
            && std::io::stdout().is_terminal()
    }
}

/// Where the result goes, and how it looks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ResultArgs {
    /// How it looks.
    #[command(flatten)]
    pub form: FormatArgs,
    /// Write the result to a file instead of stdout: .json, .csv, .md and .html in that format, .txt and unknown ones as text.
    #[arg(short, long, value_name = "FILE", env = "FGD_OUTPUT")]
    pub output: Option<PathBuf>,
}

impl ResultArgs {
    /// Opens the place of the result before the work starts.
    ///
    /// # Errors
    /// A place that cannot be written; a format that is not that of the file's extension.
    pub fn open(&self) -> anyhow::Result<Sink> {
        if let Some(path) = self.output.as_deref() {
            if let Some((asked, said)) = self.form.format.zip(ResultFormat::of(path))
                && asked != said
            {
                return Err(usage(format!(
                    "-o {}: its extension says {}, and --format {}: leave --format away, or change one of them",
                    path.display(),
                    Format::from(said),
                    Format::from(asked),
                )));
            }
            if let Some(asked) = self.form.format.filter(|_| is_page(path)) {
                let (path, asked) = (path.display(), Format::from(asked));
                return Err(usage(format!(
                    "-o {path}: its extension says a page, and --format {asked}: leave --format away, or change one of them"
                )));
            }
            if self.form.format.is_none() && has_extension(path, NO_RESULT) {
                return Err(usage(format!(
                    "-o {}: no result is written in this format; name it .json, .csv, .md or .html, or .txt for text",
                    path.display()
                )));
            }
        }
        Sink::open(self.output.as_deref())
    }

    /// What the result is written in: what --format says, what the file's extension says, or text.
    pub fn format(&self) -> ResultFormat {
        let said = self.output.as_deref().and_then(ResultFormat::of);
        self.form.format.or(said).unwrap_or(ResultFormat::Text)
    }

    /// Whether the result is a page, as of `--report`.
    pub fn is_page(&self) -> bool {
        self.output.as_deref().is_some_and(is_page)
    }

    /// Whether the result stands as text on the terminal, where its table of notes is read.
    pub fn is_on_screen(&self) -> bool {
        self.output.is_none() && self.form.is_on_screen()
    }

    /// Writes the record in the form that was asked for.
    pub fn write(&self, sink: Sink, record: &Record, output: &Output) -> anyhow::Result<()> {
        if self.is_page() {
            return sink.write(site::page(std::slice::from_ref(record))?.as_bytes());
        }
        sink.write(self.render(record, output).as_bytes())
    }

    /// The record in the form that was asked for.
    pub fn render(&self, record: &Record, output: &Output) -> String {
        let color = self.output.is_none() && output.color();
        let form = FormatArgs { format: Some(self.format()) };
        form.render(record, color, output)
    }
}

/// Where the report goes, if one is wanted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ReportArgs {
    /// Write a report too: one page to send around (FILE.html), or a site in a folder (DIR) that opens from the disk,
    /// index.html first. Both hold all they need and ask no network.
    #[arg(long, value_name = "FILE.html|DIR", env = "FGD_REPORT")]
    report: Option<PathBuf>,
}

/// What the record, and with it the report, keeps of the captions.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct KeepingArgs {
    /// Keep every caption with its references and numbers in the record, so that reports made of it list them all.
    #[arg(long, env = "FGD_KEEP_CAPTIONS", value_parser = BoolishValueParser::new())]
    keep_captions: bool,
    /// Pictures in the report, of the N images that are looked at first; needs --images. By default as many as leave one page
    /// with all captions below 8 MB.
    #[arg(long, value_name = "N", env = "FGD_THUMBNAILS")]
    thumbnails: Option<usize>,
}

impl KeepingArgs {
    /// What is kept; every caption where that was asked for, or where `listed` in the report.
    pub fn keeping(&self, listed: bool) -> Keeping {
        Keeping { captions: self.keep_captions || listed, thumbnails: self.thumbnails }
    }
}

impl ReportArgs {
    /// Opens the place before the work starts, so that an unwritable one is found out at once.
    pub fn prepare(&self) -> anyhow::Result<()> {
        match &self.report {
            Some(page) if is_page(page) => {
                file::Output::create(page)?;
                Ok(())
            }
            Some(file) if !file.is_dir() && is_other_file(file) => Err(usage(format!(
                "--report {}: a report is a page, FILE.html, or a site in a folder; text and tables are what -o writes",
                file.display()
            ))),
            Some(folder) => {
                let places = folder.ancestors().filter(|place| !place.as_os_str().is_empty());
                let missing: Vec<&Path> = places.take_while(|place| !place.exists()).collect();
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("{}: cannot be made a folder", folder.display()))?;
                // It can be made; a run that fails leaves none.
                missing.iter().for_each(|place| drop(std::fs::remove_dir(place)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The page or folder, if a report was asked for.
    pub fn place(&self) -> Option<&Path> {
        self.report.as_deref()
    }

    /// Writes the report, if one was asked for, and says where it is.
    pub fn write(&self, records: &[Record], output: &Output) -> anyhow::Result<()> {
        self.write_with(records, None, output)
    }

    /// The same with larger pictures in a site, as far as the images are at hand: a directory or a list, and where the paths of the
    /// list start.
    pub fn write_with(
        &self,
        records: &[Record],
        images: Option<(&Path, Option<&Path>)>,
        output: &Output,
    ) -> anyhow::Result<()> {
        let index = match &self.report {
            Some(page) if is_page(page) => {
                file::write(page, site::page(records)?.as_bytes())?;
                page.clone()
            }
            Some(folder) => {
                let images = images.map(|(place, root)| Images::open(Some(place), root));
                let images = images.transpose()?.flatten();
                let pictures = |ids: &[&str]| match &images {
                    Some(images) => images.large(ids),
                    None => Vec::new(),
                };
                site::write_with(records, folder, &pictures)?
            }
            None => return Ok(()),
        };
        output.say(format!("the report is in {}", index.display()));
        Ok(())
    }
}

/// Whether a report is one page and not a folder.
fn is_page(path: &Path) -> bool {
    has_extension(path, &["html", "htm"]) && !path.is_dir()
}

/// Formats that no result is written in.
const NO_RESULT: &[&str] = &["pdf", "svg", "png", "xlsx", "parquet", "tsv", "jsonl", "npy", "npz"];

/// Whether a name is that of a file that is no report.
fn is_other_file(path: &Path) -> bool {
    has_extension(path, &["txt", "json", "csv", "md"]) || has_extension(path, NO_RESULT)
}

fn has_extension(path: &Path, known: &[&str]) -> bool {
    let own = path.extension();
    own.is_some_and(|own| known.iter().any(|known| own.eq_ignore_ascii_case(known)))
}
