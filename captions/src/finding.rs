//! What is wrong with a caption file, as data: the command line prints it, records keep it, exit codes follow from it.

use std::fmt;

use fgd_store::terminal::visible;
use serde::{Serialize, Serializer};

use super::Caption;

/// Whether a finding stops the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The file is not a valid submission.
    Error,
    /// Worth knowing; the file can be scored.
    Note,
}

/// The kinds of problem, with names that stay the same from version to version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// The file has a header or an empty list, but no rows.
    HeaderOnly,
    /// The first line is data, so the columns were taken as id and caption.
    NoHeader,
    /// Two columns have the same name, or there are more columns than are kept.
    ColumnNames,
    /// The content is not what the file's extension says.
    FormatMismatch,
    /// The file starts with a UTF-8 byte order mark.
    Bom,
    /// Embeddings, in place of captions, that are not of unit length.
    NotUnitLength,
    /// Moments that say themselves that some of their whole is missing.
    PartOnly,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// A quote that is opened and never closed, or closed too early.
    BrokenQuote,
    /// More or fewer fields than the header has.
    RaggedRow,
    /// JSON that does not parse.
    BrokenJson,
    /// A record without an id or without a caption.
    MissingField,
    /// An id or a caption that is neither text nor number where text is wanted.
    WrongType,
    /// A row whose id is empty.
    EmptyId,
    /// A caption that is empty or only spaces.
    EmptyCaption,
    /// A null, or text such as `nan` that a program wrote in place of one.
    NullCaption,
    /// A line break inside a caption.
    EmbeddedNewline,
    /// Spaces before or after a caption.
    SurroundingSpace,
    /// The same words again and again.
    Repetition,
    /// Captions that stop in the middle of a sentence or word.
    CutOff,
    /// One caption for most images.
    ConstantCaption,
    /// A marker of a model's vocabulary such as `</s>` left in a caption.
    SpecialToken,
    /// A caption longer than the encoder reads.
    TooLong,
    /// An id that is wanted and not there.
    MissingId,
    /// An id that is there and not wanted.
    ExtraId,
    /// An id that is given more than once.
    DuplicateId,
    /// Not one id is known.
    NoCommonId,
    /// Ids that differ only by a file extension or a folder.
    IdExtension,
    /// Ids that differ only by leading zeros.
    IdZeroPadding,
    /// Integer ids that were written as floats, such as `100000.0`.
    IdFloat,
    /// Ids that differ only by Unicode normalisation or characters that nobody sees.
    IdUnicode,
    /// Ids that differ only by upper and lower case.
    IdCase,
    /// Ids that differ only by what a data set puts before the number, such as `COCO_val2014_`.
    IdPrefix,
    /// The template's own caption, left in place.
    PlaceholderCaption,
    /// The file is a known document, or goes column by column.
    Document,
    /// More than one column could hold the ids or the captions.
    ColumnChoice,
    /// Records that the document itself marks as not to be used.
    LeftOut,
    /// Lists that a program printed into cells.
    ListCells,
    /// Lists of the words of a caption where lists of captions are expected.
    WordList,
    /// Captions that stand in quotes.
    QuotedCaptions,
    /// A caption that is its image's id or file name.
    CaptionIsId,
    /// U+FFFD, which stands for what could not be decoded.
    ReplacementCharacter,
    /// Characters that are no text, such as NUL.
    ControlCharacter,
    /// Every caption is one of the references of its image.
    EqualsReferences,
    /// Characters that a vocabulary has nothing for.
    UnknownToken,
    /// Rows of references that a column `Usage` says are ignored.
    IgnoredImages,
}

impl FindingKind {
    /// The name in messages and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeaderOnly => "header-only",
            Self::NoHeader => "no-header",
            Self::ColumnNames => "column-names",
            Self::FormatMismatch => "format-mismatch",
            Self::Bom => "bom",
            Self::NotUnitLength => "not-unit-length",
            Self::PartOnly => "part-only",
            Self::NotUtf8 => "not-utf8",
            Self::BrokenQuote => "broken-quote",
            Self::RaggedRow => "ragged-row",
            Self::BrokenJson => "broken-json",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::EmptyId => "empty-id",
            Self::EmptyCaption => "empty-caption",
            Self::NullCaption => "null-caption",
            Self::EmbeddedNewline => "embedded-newline",
            Self::SurroundingSpace => "surrounding-space",
            Self::Repetition => "repetition",
            Self::CutOff => "cut-off",
            Self::ConstantCaption => "constant-caption",
            Self::SpecialToken => "special-token",
            Self::TooLong => "too-long",
            Self::MissingId => "missing-id",
            Self::ExtraId => "extra-id",
            Self::DuplicateId => "duplicate-id",
            Self::NoCommonId => "no-common-id",
            Self::IdExtension => "id-extension",
            Self::IdZeroPadding => "id-zero-padding",
            Self::IdFloat => "id-float",
            Self::IdUnicode => "id-unicode",
            Self::IdCase => "id-case",
            Self::IdPrefix => "id-prefix",
            Self::PlaceholderCaption => "placeholder-caption",
            Self::Document => "document",
            Self::ColumnChoice => "column-choice",
            Self::LeftOut => "left-out",
            Self::ListCells => "list-cells",
            Self::WordList => "word-list",
            Self::QuotedCaptions => "quoted-captions",
            Self::CaptionIsId => "caption-is-id",
            Self::ReplacementCharacter => "replacement-character",
            Self::ControlCharacter => "control-character",
            Self::EqualsReferences => "equals-references",
            Self::UnknownToken => "unknown-token",
            Self::IgnoredImages => "ignored-images",
        }
    }
}

impl Serialize for FindingKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One problem of one row, or of the whole file when `row` is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it stops the score.
    pub severity: Severity,
    /// What kind of problem it is.
    pub kind: FindingKind,
    /// The row it concerns (see [`Caption::row`](super::Caption::row)).
    pub row: Option<u64>,
    /// The caption it concerns, by its place in the file's captions: a row may have several. `None` where reading found it.
    #[serde(skip)]
    pub caption: Option<usize>,
    /// The image id it concerns.
    pub id: Option<String>,
    /// One sentence; it does not repeat row and id.
    pub message: String,
}

impl Finding {
    pub(super) fn error(kind: FindingKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, kind, row: None, caption: None, id: None, message }
    }

    /// Something to know, which stops no score.
    pub fn note(kind: FindingKind, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(kind, message) }
    }

    pub(super) fn not_utf8(byte: u8, offset: usize, line: u64) -> Self {
        let message = format!(
            "byte 0x{byte:02X} at offset {offset} (line {line}) is not UTF-8; save the file as UTF-8"
        );
        Self::error(FindingKind::NotUtf8, message)
    }

    /// The same about a row (see [`Caption::row`](super::Caption::row)).
    pub fn at(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// The same about the caption at this place of its file, its row and its id.
    pub(super) fn about(self, place: usize, caption: &Caption) -> Self {
        Self { caption: Some(place), ..self.at(caption.row).of(&caption.id) }
    }

    pub(super) fn of(mut self, id: &str) -> Self {
        self.id = (!id.is_empty()).then(|| id.to_owned());
        self
    }

    /// `row 12, id 100011`, as far as they are known, without control characters.
    pub fn place(&self) -> Option<String> {
        let row = self.row.map(|row| format!("row {row}"));
        let id = self.id.as_ref().map(|id| format!("id {}", shown(id)));
        let known: Vec<String> = row.into_iter().chain(id).collect();
        (!known.is_empty()).then(|| known.join(", "))
    }
}

/// `row 12, id 100011: the caption is empty`, without control characters.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().map_or(Ok(()), |place| write!(f, "{place}: "))?;
        f.write_str(&self.message)
    }
}

/// Whether a file with these findings can be scored: notes do not count.
pub fn is_valid(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.severity == Severity::Note)
}

/// All findings of one severity and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingGroup<'a> {
    /// Whether they stop the score.
    pub severity: Severity,
    /// Their kind.
    pub kind: FindingKind,
    /// The findings, in their order.
    pub findings: Vec<&'a Finding>,
}

/// Groups findings for people, who read "3,771 captions are empty" rather than 3,771 lines: errors first, then by first appearance.
pub fn group_findings(findings: &[Finding]) -> Vec<FindingGroup<'_>> {
    let mut groups: Vec<FindingGroup<'_>> = Vec::new();
    for finding in findings {
        let known = groups
            .iter_mut()
            .find(|group| (group.severity, group.kind) == (finding.severity, finding.kind));
        match known {
            Some(group) => group.findings.push(finding),
            None => groups.push(FindingGroup {
                severity: finding.severity,
                kind: finding.kind,
                findings: vec![finding],
            }),
        }
    }
    groups.sort_by_key(|group| group.severity);
    groups
}

/// A piece of a user's file as it may stand in a message: short, and without what a terminal would obey.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(at, _)| at);
    let more = if end < text.len() { "…" } else { "" };
    visible(&text[..end]) + more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_messages_and_json() {
        let kind = FindingKind::NotUtf8;
        assert_eq!(kind.to_string(), "not-utf8");
        assert_eq!(serde_json::to_value(kind).unwrap(), "not-utf8");
        assert_eq!(format!("{:>9}", FindingKind::Bom), "      bom");
    }

    #[test]
    fn messages_are_safe_on_a_terminal() {
        let finding =
            Finding::error(FindingKind::ExtraId, "not asked for").at(3).of("\u{1b}[31mred");
        assert_eq!(finding.to_string(), "row 3, id ␛[31mred: not asked for");
        assert_eq!(shown(&"é".repeat(100)).chars().count(), 61);
    }

    #[test]
    fn groups_put_errors_first() {
        let findings = [
            Finding::note(FindingKind::Bom, "a"),
            Finding::error(FindingKind::EmptyCaption, "b").at(1),
            Finding::error(FindingKind::EmptyCaption, "b").at(2),
        ];
        let groups = group_findings(&findings);
        assert_eq!(groups.len(), 2);
        assert_eq!((groups[0].kind, groups[0].findings.len()), (FindingKind::EmptyCaption, 2));
        assert!(!is_valid(&findings));
        assert!(is_valid(&findings[..1]));
    }
}
