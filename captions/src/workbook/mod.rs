//! Caption files that are Excel workbooks (`.xlsx`, ECMA-376): the first sheet that is shown, read as any table is.
//!
//! Only the parts that hold it are unpacked, one after the other, and all together to no more than a file of its size may. The digits of
//! numbers stay as they are written, so that long ids keep theirs.

mod part;
mod sheet;
mod text;

use std::io::Cursor;

use zip::ZipArchive;

use super::Format;
use super::builder::Builder;
use super::column::Picker;
use super::error::ReadProblem;
use super::finding::{Finding, FindingKind, shown};
use part::{Part, attribute};
use text::{DateStyles, Strings};

/// Reads a whole workbook whose parts decompress to at most `limit` bytes together.
pub(super) fn read(
    bytes: &[u8],
    limit: u64,
    picker: &Picker<'_>,
    rows: &mut Builder,
) -> Result<Format, ReadProblem> {
    let archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|_| damaged("it is cut short, or no zip archive"))?;
    let mut workbook = Workbook { archive, limit, left: limit };
    let root = workbook.relations("")?;
    let book = root.iter().find(|relation| relation.is("officeDocument"));
    let book = book.map_or("xl/workbook.xml".to_owned(), |relation| relation.target.clone());
    let relations = workbook.relations(&book)?;
    let of_kind = |kind: &str| relations.iter().find(|r| r.is(kind)).map(|r| r.target.as_str());

    let contents = workbook.contents(&book)?;
    let shown_first = contents.sheets.iter().find(|sheet| !sheet.hidden);
    let chosen = shown_first.or(contents.sheets.first());
    let sheet = chosen.ok_or_else(|| damaged("it has no sheet"))?;
    let others: Vec<String> =
        contents.sheets.iter().filter(|s| s.id != sheet.id).map(|s| s.title()).collect();
    if !others.is_empty() {
        let message = format!("sheet {} is read; not {}", sheet.title(), others.join(", "));
        rows.find(Finding::note(FindingKind::ColumnNames, message));
    }
    let place = relations.iter().find(|relation| relation.id == sheet.id);
    let place = place.ok_or_else(|| damaged("it does not say where its sheet is"))?;

    let strings = match of_kind("sharedStrings") {
        Some(name) => Strings::read(&mut workbook.part(name)?)?,
        None => Strings::default(),
    };
    let dates = match of_kind("styles") {
        Some(name) => DateStyles::read(&mut workbook.part(name)?, contents.from_1904)?,
        None => DateStyles::default(),
    };
    sheet::read(&mut workbook.part(&place.target)?, &strings, &dates, picker, rows)
        .map_err(|problem| beside(problem, sheet, &others))?;
    Ok(Format::Xlsx)
}

/// What is wrong with a sheet that is not the only one: the captions may be in another.
fn beside(problem: ReadProblem, sheet: &Sheet, others: &[String]) -> ReadProblem {
    let (sheet, others) = (sheet.title(), others.join(", "));
    match problem {
        problem if others.is_empty() => problem,
        ReadProblem::Empty => ReadProblem::EmptySheet { sheet, others },
        ReadProblem::NoColumn { sought, reason, advice } => {
            let advice = format!(
                "{advice}; sheet {sheet} is read, and not {others}: put that of the captions first"
            );
            ReadProblem::NoColumn { sought, reason, advice }
        }
        problem => problem,
    }
}

fn damaged(what: impl Into<String>) -> ReadProblem {
    ReadProblem::Workbook(what.into())
}

struct Workbook<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that the parts may decompress to, and what is left of them.
    limit: u64,
    left: u64,
}

/// Where a part says that another is.
struct Relation {
    id: String,
    kind: String,
    target: String,
}

impl Relation {
    /// Transitional and strict workbooks give the kinds different addresses that end alike.
    fn is(&self, kind: &str) -> bool {
        self.kind.rsplit('/').next() == Some(kind)
    }
}

struct Contents {
    sheets: Vec<Sheet>,
    /// Whether days count from 1904 on, as they did on old Macs.
    from_1904: bool,
}

struct Sheet {
    name: String,
    id: String,
    hidden: bool,
}

impl Sheet {
    fn title(&self) -> String {
        format!("`{}`", shown(&self.name))
    }
}

impl<'a> Workbook<'a> {
    /// A part of the workbook, to be read once.
    fn part(&mut self, name: &str) -> Result<Part<'_>, ReadProblem> {
        let Some(index) = self.index(name) else {
            return Err(damaged(format!("its part `{}` is missing", shown(name))));
        };
        let entry = self.archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        Ok(Part::new(entry, &mut self.left, self.limit))
    }

    /// Names are compared without their case, as Excel does.
    fn index(&self, name: &str) -> Option<usize> {
        let exact = self.archive.index_for_name(name);
        exact.or_else(|| {
            (0..self.archive.len()).find(|&index| {
                let known = self.archive.name_for_index(index);
                known.is_some_and(|known| known.is_ok_and(|known| known.eq_ignore_ascii_case(name)))
            })
        })
    }

    /// The relations of a part, or of the whole for the empty name; none where it has none.
    fn relations(&mut self, of: &str) -> Result<Vec<Relation>, ReadProblem> {
        let (folder, file) = of.rsplit_once('/').map_or(("", of), |(folder, file)| (folder, file));
        let slash = if folder.is_empty() { "" } else { "/" };
        let name = format!("{folder}{slash}_rels/{file}.rels");
        let mut relations = Vec::new();
        if self.index(&name).is_none() {
            return Ok(relations);
        }
        let mut part = self.part(&name)?;
        while let Some(element) = part.next_start("Relationship")? {
            let value = |name| attribute(&element, name).unwrap_or_default();
            let target = value("Target");
            // A target is beside its part, or begins at the root.
            let target = match target.strip_prefix('/') {
                Some(from_root) => from_root.to_owned(),
                None => format!("{folder}{slash}{target}"),
            };
            relations.push(Relation { id: value("Id"), kind: value("Type"), target });
        }
        Ok(relations)
    }

    fn contents(&mut self, book: &str) -> Result<Contents, ReadProblem> {
        let mut contents = Contents { sheets: Vec::new(), from_1904: false };
        let mut part = self.part(book)?;
        while let Some(element) = part.next_start("")? {
            let value = |name| attribute(&element, name);
            match element.local_name().as_ref() {
                "sheet" => contents.sheets.push(Sheet {
                    name: value("name").unwrap_or_default(),
                    id: value("id").unwrap_or_default(),
                    hidden: value("state").is_some_and(|state| state != "visible"),
                }),
                "workbookPr" => {
                    contents.from_1904 =
                        value("date1904").is_some_and(|it| it == "1" || it == "true");
                }
                _ => {}
            }
        }
        Ok(contents)
    }
}
