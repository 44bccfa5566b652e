//! Images that a contest has taken back: as in Kaggle's solution files, a column `Usage` of the references says `Ignored` of them.

use std::collections::HashSet;

use polars::prelude::{BooleanChunked, NamedFrom};

use super::CaptionFile;
use super::finding::{Finding, FindingKind};

/// The column by which contests say what an image is for: `Public`, `Private` or `Ignored`.
pub const USAGE: &str = "Usage";
const IGNORED: &str = "ignored";

impl CaptionFile {
    /// Leaves out the rows of such images, whatever else is wrong with them. Their ids stay known, so that a submission may have them.
    pub(super) fn set_ignored_aside(&mut self) {
        let Some(usage) = self.column(USAGE) else { return };
        let is_ignored = |cell: &Option<String>| {
            cell.as_deref().is_some_and(|cell| cell.trim().eq_ignore_ascii_case(IGNORED))
        };
        let keep: Vec<bool> = usage.iter().map(|cell| !is_ignored(cell)).collect();
        let rows: HashSet<u64> = (self.captions.iter().zip(&keep))
            .filter(|(_, keep)| !**keep)
            .map(|(caption, _)| caption.row)
            .collect();
        if rows.is_empty() {
            return;
        }
        let mask = BooleanChunked::new(USAGE.into(), &keep);
        let Ok(columns) = self.columns.filter(&mask) else { return };
        self.columns = columns;
        let (kept, ignored): (Vec<_>, Vec<_>) = std::mem::take(&mut self.captions)
            .into_iter()
            .partition(|caption| !rows.contains(&caption.row));
        self.captions = kept;
        self.ignored = ignored.into_iter().map(|caption| caption.id).collect();
        self.findings.retain(|finding| finding.row.is_none_or(|row| !rows.contains(&row)));
        let message =
            format!("rows left out, since `{USAGE}` says that they are Ignored: {}", rows.len());
        self.findings.push(Finding::note(FindingKind::IgnoredImages, message));
    }
}
