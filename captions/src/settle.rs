//! Which of a submission's columns holds the ids, now that the ids that are wanted are known; and captions that are the references.
//!
//! A name is a guess: `id` may be the image's or the row's own. The column that holds wanted ids is right, whatever it is called;
//! two that hold wanted ids and pair them differently are a question only the user can answer.

use std::collections::{HashMap, HashSet};

use super::column::IDS;
use super::finding::{Finding, FindingKind, shown};
use super::image_index::ImageIndex;
use super::names::{is_id_name, names_images, says_image};
use super::references::group;
use super::{Alignment, CaptionFile};

/// How much is known of the references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Everything.
    All,
    /// Some of their images, drawn without regard to what they are called.
    Sample,
}

impl Known {
    /// Whether one column holds more wanted ids than another: of a sample, by more than chance explains (four standard errors).
    fn holds_more(self, one: usize, other: usize) -> bool {
        let by = one.saturating_sub(other);
        match self {
            Self::All => by > 0,
            Self::Sample => by * by > 16 * (one + other),
        }
    }
}

/// Where the ids of a submission were found, as the first piece of it told: what the other pieces go by.
#[derive(Clone, Debug)]
pub struct Settled {
    column: Option<String>,
    /// The column of the references by which images were found.
    by: Option<String>,
}

/// Takes a submission's ids from the column that holds those of the references, or finds its images by another column of these; see
/// [`settle_ids`] and [`settle_by_references`].
pub fn settle(submission: &mut CaptionFile, references: &CaptionFile, known: Known) -> Settled {
    if !submission.id_is_asked && submission.id_columns().next().is_some() {
        settle_ids(submission, &group(references).ids, known);
    }
    let by = settle_by_references(submission, references, known);
    Settled { column: submission.id_column.clone(), by }
}

impl Settled {
    /// Finds the ids of another piece of the submission where those of the first were.
    pub fn settle(&self, piece: &mut CaptionFile, references: &CaptionFile) {
        // The first piece has said it, if it is to be said.
        piece.findings.retain(|finding| !is_about_ids(finding));
        if let Some(column) = self.column.as_ref().filter(|_| piece.id_column != self.column)
            && let Some(cells) = piece.column(column)
        {
            piece.take_ids(column, cells.into_iter().map(Option::unwrap_or_default).collect());
        }
        let by = self.by.as_ref().and_then(|by| by_column(&ids(piece), references, by));
        piece.name_images(by.into_iter().flatten());
    }
}

/// Takes a submission's ids from the column that holds `wanted` ids, where another was guessed, and says so; adds an error where two
/// columns would give different pairs, or too few ids are known to tell. A column that was asked for stays.
pub fn settle_ids(submission: &mut CaptionFile, wanted: &[String], known: Known) {
    let Some(own_name) = submission.id_column.clone().filter(|_| !submission.id_is_asked) else {
        return;
    };
    let names: Vec<String> = submission.id_columns().map(str::to_owned).collect();
    let others = names.into_iter().map(|name| {
        let cells = submission.column(&name).unwrap_or_default();
        let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
        (positions(&cells, wanted), name, cells)
    });
    let Some((other, name, cells)) = others.max_by_key(|(found, ..)| found.len()) else { return };
    let own = positions(&ids(submission), wanted);
    let (shown_own, shown_other) = (shown(&own_name), shown(&name));
    let of = match known {
        Known::All => "the wanted ids",
        Known::Sample => "a sample of the wanted ids",
    };
    if known.holds_more(other.len(), own.len()) {
        submission.take_ids(&name, cells);
        let message = format!(
            "the ids are taken from `{shown_other}`, which holds {} of {of}, `{shown_own}` {}; --id-column chooses another",
            other.len(),
            own.len()
        );
        submission.findings.push(Finding::note(FindingKind::ColumnChoice, message));
    } else if other.is_empty()
        || known.holds_more(own.len(), other.len())
        || says_image(&own_name)
        || other == own
    {
        // The wanted ids have answered what the names left open, unless none of them was there to do so.
        let is_answered = known == Known::All || !own.is_empty();
        submission.findings.retain(|finding| !is_answered || !is_about_ids(finding));
    } else {
        submission.findings.retain(|finding| !is_about_ids(finding));
        let what = match own.is_empty() {
            true => format!(
                "`{shown_other}` holds {} of {of}, too few to go by, and `{shown_own}` none",
                other.len()
            ),
            false => format!(
                "`{shown_own}` and `{shown_other}` both hold wanted ids and give different pairs"
            ),
        };
        let message =
            format!("{what}; choose with --id-column {shown_own} or --id-column {shown_other}");
        submission.findings.push(Finding::error(FindingKind::ColumnChoice, message));
    }
}

/// Finds a submission's images by another column of the references, where that one holds its ids and the ids themselves are none of
/// its: file names against the numbers of COCO. It says so, and returns the column; where that does not name every image once, or not all of
/// them are known, it is named in an error.
pub fn settle_by_references(
    submission: &mut CaptionFile,
    references: &CaptionFile,
    known: Known,
) -> Option<String> {
    if references.id_is_asked || references.id_columns().next().is_none() {
        return None;
    }
    let given = ids(submission);
    let found = |wanted: &[String]| positions(&given, wanted).len();
    if found(&group(references).ids) > 0 {
        return None;
    }
    let holds = |name: &&str| {
        let cells: HashSet<String> =
            references.column(name).unwrap_or_default().into_iter().flatten().collect();
        known.holds_more(found(&cells.into_iter().collect::<Vec<_>>()), 0)
    };
    let holding: Vec<&str> = references.id_columns().filter(holds).collect();
    let name = (*holding.first()?).to_owned();
    let first = shown(&name);
    let ways = || -> Option<Vec<_>> {
        holding.iter().map(|name| by_column(&given, references, name)).collect()
    };
    let ways = (known == Known::All).then(ways).flatten();
    match ways.as_deref() {
        Some([way, others @ ..]) if others.iter().all(|other| other == way) => {
            submission.name_images(way.clone());
            let message = format!(
                "the ids are those in column `{first}` of the references, by which {} images were found; --reference-id-column chooses another",
                way.len()
            );
            submission.findings.push(Finding::note(FindingKind::ColumnChoice, message));
            Some(name)
        }
        _ => {
            let message = format!(
                "column `{first}` of the references holds ids of the submission; choose it with --reference-id-column {first}"
            );
            submission.findings.push(Finding::error(FindingKind::ColumnChoice, message));
            None
        }
    }
}

/// For each given id the id of the reference whose cell in this column it is, by position. `None` where the column is no second name of
/// the images: two of one, or one of two.
fn by_column(
    given: &[String],
    references: &CaptionFile,
    column: &str,
) -> Option<HashMap<usize, String>> {
    let mut image_of: HashMap<String, &str> = HashMap::new();
    let mut name_of: HashMap<&str, String> = HashMap::new();
    let cells = references.column(column).filter(|_| names_images(column))?;
    for (caption, cell) in references.captions.iter().zip(cells) {
        let cell = cell.filter(|cell| !cell.trim().is_empty())?;
        if name_of.entry(&caption.id).or_insert_with(|| cell.clone()) != &cell
            || *image_of.entry(cell).or_insert(&caption.id) != caption.id
        {
            return None;
        }
    }
    let (names, images): (Vec<String>, Vec<&str>) = image_of.into_iter().unzip();
    let found = positions(given, &names).into_iter();
    Some(found.map(|(at, name)| (at, images[name].to_owned())).collect())
}

fn ids(file: &CaptionFile) -> Vec<String> {
    file.captions.iter().map(|caption| caption.id.clone()).collect()
}

/// For each caption whose id is wanted, the position of that id.
fn positions(ids: &[String], wanted: &[String]) -> HashMap<usize, usize> {
    let given = ids.iter().map(|id| id.trim());
    let names = ImageIndex::of_file(given, wanted.iter().map(String::as_str));
    let found = ids.iter().enumerate().filter_map(|(at, id)| Some((at, names.find(id.trim())?)));
    found.collect()
}

/// Whether it is the note that ids could also stand in another column.
fn is_about_ids(finding: &Finding) -> bool {
    finding.kind == FindingKind::ColumnChoice && finding.message.starts_with(IDS)
}

impl CaptionFile {
    /// The names of the columns that could hold ids too.
    pub fn id_columns(&self) -> impl Iterator<Item = &str> {
        self.column_names().filter(|name| is_id_name(name))
    }

    /// Gives captions the ids of images, by position.
    fn name_images(&mut self, images: impl IntoIterator<Item = (usize, String)>) {
        images.into_iter().for_each(|(at, id)| self.captions[at].id = id);
    }

    /// Puts the cells of a column in the place of the ids, and the findings about ids with them.
    fn take_ids(&mut self, name: &str, cells: Vec<String>) {
        self.findings.retain(|f| f.kind != FindingKind::EmptyId && !is_about_ids(f));
        for (caption, cell) in self.captions.iter_mut().zip(cells) {
            caption.id = cell.trim().to_owned();
            if caption.id.is_empty() {
                let message = "the row has no image id";
                self.findings.push(Finding::error(FindingKind::EmptyId, message).at(caption.row));
            }
        }
        self.id_column = Some(name.to_owned());
    }
}

/// Says that every caption is one of the references of its image: a perfect score, and most often the wrong file or column.
pub fn equals_references(
    submission: &CaptionFile,
    references: &CaptionFile,
    alignment: Option<&Alignment>,
) -> Option<Finding> {
    let same = match alignment {
        Some(pairs) => pairs.candidate.iter().zip(&pairs.references).all(|(&candidate, rows)| {
            let text = &submission.captions[candidate].text;
            rows.iter().any(|&row| references.captions[row].text == *text)
        }),
        None => {
            let texts: HashSet<&str> =
                references.captions.iter().map(|caption| caption.text.as_str()).collect();
            submission.captions.iter().all(|caption| texts.contains(caption.text.as_str()))
        }
    };
    let some = alignment.map_or(submission.captions.len(), |pairs| pairs.candidate.len()) > 0;
    (same && some).then(|| {
        let column = |file: &CaptionFile| {
            file.caption_column.as_ref().map_or(String::new(), |name| format!(" (column `{}`)", shown(name)))
        };
        let message = format!(
            "every caption{} is one of the references{}: the score says nothing if both sides were taken from the same place",
            column(submission),
            column(references)
        );
        Finding::note(FindingKind::EqualsReferences, message)
    })
}
