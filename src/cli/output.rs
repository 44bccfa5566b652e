//! The output policy: data to stdout or a file, everything else to stderr, bars only on a terminal.

use super::exit::usage;
use anyhow::Context;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What may be written besides the data.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    quiet: bool,
    color: Color,
}

impl Output {
    /// The policy of one run.
    pub fn new(quiet: bool, color: Color) -> Self {
        Self { quiet, color }
    }

    /// Whether data on stdout is coloured.
    pub fn color(&self) -> bool {
        match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        }
    }

    /// Columns of the terminal, or a page's width where there is none.
    pub fn width(&self) -> usize {
        let (_, columns) = console_size().unwrap_or((0, 100));
        columns.clamp(40, 200)
    }

    /// Whether progress may be drawn.
    pub fn draws_progress(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }

    /// A sentence about the run, to stderr.
    pub fn say(&self, message: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", message.as_ref());
        }
    }

    /// A progress bar over `total` things, hidden where none may be drawn.
    pub fn bar(&self, total: u64, what: &'static str) -> ProgressBar {
        let target = if self.draws_progress() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style =
            ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} · {per_sec} · {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸ ");
        ProgressBar::with_draw_target(Some(total), target)
            .with_style(style)
            .with_message(what)
    }
}

fn console_size() -> Option<(usize, usize)> {
    let (rows, columns) = console::Term::stdout().size_checked()?;
    Some((rows.into(), columns.into()))
}

/// Where the data goes: stdout, or a file that appears whole or not at all.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Stdout,
    /// A file, written beside its place and renamed at the end.
    File {
        /// The file being written.
        temporary: NamedTempFile,
        /// Its place.
        path: PathBuf,
    },
}

impl Sink {
    /// Opens the sink before the work starts, so that an unwritable place is found out at once.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout);
        };
        if path.is_dir() {
            return Err(usage(format!(
                "{}: is a directory; give the name of a file to write",
                path.display()
            )));
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = new_temporary(folder)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        Ok(Self::File {
            temporary,
            path: path.into(),
        })
    }

    /// Writes the data and puts the file into its place.
    pub fn write(self, data: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = std::io::stdout().lock();
                stdout.write_all(data)?;
                stdout.flush()?;
                Ok(())
            }
            Self::File {
                mut temporary,
                path,
            } => {
                let failed = || format!("{}: cannot be written", path.display());
                temporary.write_all(data).with_context(failed)?;
                temporary.as_file().sync_all().with_context(failed)?;
                temporary.persist(&path).with_context(failed)?;
                Ok(())
            }
        }
    }
}

/// A temporary file is private by default; a result should be as readable as any new file, which the
/// process's file mode mask decides.
#[cfg(unix)]
fn new_temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

#[cfg(not(unix))]
fn new_temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
}
