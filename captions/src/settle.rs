//! Which of a submission's columns holds the ids, now that the ids that are wanted are known; and captions that are the references.
//!
//! A name is a guess: `id` may be the image's or the row's own. The column that holds wanted ids is right, whatever it is called;
//! two that hold wanted ids and pair them differently are a question only the user can answer.

use std::collections::{HashMap, HashSet};

use super::align::Names;
use super::column::IDS;
use super::finding::{Finding, FindingKind, shown};
use super::names::{is_id_name, names_images, says_image};
use super::references::group;
use super::{Alignment, CaptionFile};

/// Takes a submission's ids from the column that holds `wanted` ids, where another was guessed, and says so; adds an error where two
/// columns would give different pairs. A column that was asked for stays.
pub fn settle_ids(submission: &mut CaptionFile, wanted: &[String]) {
    let Some(own_name) = submission.id_column.clone().filter(|_| !submission.id_is_asked) else {
        return;
    };
    let names: Vec<String> = id_columns(submission).map(str::to_owned).collect();
    let others = names.into_iter().map(|name| {
        let cells = submission.column(&name).unwrap_or_default();
        let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
        (positions(&cells, wanted), name, cells)
    });
    let Some((other, name, cells)) = others.max_by_key(|(found, ..)| found.len()) else { return };
    let own = positions(&ids(submission), wanted);
    let (shown_own, shown_other) = (shown(&own_name), shown(&name));
    if other.len() > own.len() {
        submission.take_ids(&name, cells);
        let message = format!(
            "the ids are taken from `{shown_other}`, which holds {} of the wanted ids, `{shown_own}` {}; --id-column chooses another",
            other.len(),
            own.len()
        );
        submission.findings.push(Finding::note(FindingKind::ColumnChoice, message));
    } else if other.len() < own.len() || says_image(&own_name) || other == own {
        // The wanted ids have answered what the names left open.
        submission.findings.retain(|finding| !is_about_ids(finding));
    } else if !own.is_empty() {
        submission.findings.retain(|finding| !is_about_ids(finding));
        let message = format!(
            "`{shown_own}` and `{shown_other}` both hold wanted ids and give different pairs; choose with --id-column {shown_own} or --id-column {shown_other}"
        );
        submission.findings.push(Finding::error(FindingKind::ColumnChoice, message));
    }
}

/// Finds a submission's images by another column of the references, where that one holds its ids and the ids themselves are none of
/// its: file names against the numbers of COCO. It says so; where the column does not name every image once, it is named in an error.
pub fn settle_by_references(submission: &mut CaptionFile, references: &CaptionFile) {
    let given = ids(submission);
    let any = |wanted: &[String]| !positions(&given, wanted).is_empty();
    if references.id_is_asked
        || id_columns(references).next().is_none()
        || any(&group(references).ids)
    {
        return;
    }
    let holds = |name: &&str| {
        let cells: HashSet<String> =
            references.column(name).unwrap_or_default().into_iter().flatten().collect();
        any(&cells.into_iter().collect::<Vec<_>>())
    };
    let holding: Vec<&str> = id_columns(references).filter(holds).collect();
    let Some(first) = holding.first().map(|name| shown(name)) else { return };
    let ways: Option<Vec<_>> =
        holding.iter().map(|name| by_column(&given, references, name)).collect();
    let finding = match ways.as_deref() {
        Some([way, others @ ..]) if others.iter().all(|other| other == way) => {
            for (&at, id) in way {
                submission.captions[at].id.clone_from(id);
            }
            let message = format!(
                "the ids are those in column `{first}` of the references, by which {} images were found; --reference-id-column chooses another",
                way.len()
            );
            Finding::note(FindingKind::ColumnChoice, message)
        }
        _ => {
            let message = format!(
                "column `{first}` of the references holds ids of the submission; choose it with --reference-id-column {first}"
            );
            Finding::error(FindingKind::ColumnChoice, message)
        }
    };
    submission.findings.push(finding);
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

fn id_columns(file: &CaptionFile) -> impl Iterator<Item = &str> {
    file.column_names().filter(|name| is_id_name(name))
}

fn ids(file: &CaptionFile) -> Vec<String> {
    file.captions.iter().map(|caption| caption.id.clone()).collect()
}

/// For each caption whose id is wanted, the position of that id.
fn positions(ids: &[String], wanted: &[String]) -> HashMap<usize, usize> {
    let mut seen = HashSet::new();
    let given: Vec<&str> = ids.iter().map(|id| id.trim()).filter(|id| seen.insert(*id)).collect();
    let names = Names::new(&given, wanted);
    let found = ids.iter().enumerate().filter_map(|(at, id)| Some((at, names.find(id.trim())?)));
    found.collect()
}

/// Whether it is the note that ids could also stand in another column.
fn is_about_ids(finding: &Finding) -> bool {
    finding.kind == FindingKind::ColumnChoice && finding.message.starts_with(IDS)
}

impl CaptionFile {
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
