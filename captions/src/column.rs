//! Which columns hold the image ids and which the captions: those that are asked for, or what their names say.
//!
//! A name alone is a guess, so what it could also have been is kept: other columns with names of ids are tried against the ids of
//! the other file ([`settle_ids`](super::settle_ids)), and a second column of captions is noted. Which caption is meant depends on
//! the file's role: next to `prediction`, `answer` is a reference.

use serde::{Deserialize, Serialize};

use super::ReadOptions;
use super::error::{ReadProblem, Sought};
use super::finding::{Finding, FindingKind, shown};
use super::names::{
    GENERATED, ID_NAMES, NEUTRAL, REFERENCES, called, is_caption_name, is_id_name, normalised,
    says_image,
};
use super::tables;

/// What the captions of a file are to the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// They are judged.
    #[default]
    Submission,
    /// They are what others are judged by.
    References,
}

impl Role {
    /// Groups of names in order of preference.
    fn names(self) -> [&'static [&'static str]; 3] {
        match self {
            Self::Submission => [&GENERATED, &NEUTRAL, &REFERENCES],
            Self::References => [&REFERENCES, &NEUTRAL, &GENERATED],
        }
    }
}

/// Whether the captions are wanted, or the ids alone will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    IdAndCaption,
    Id,
}

/// Where ids and captions stand among the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The column of the ids; `None` only where they are not needed.
    pub id: Option<usize>,
    /// The columns of the captions: one, or several of one name and a number (`caption_1`, `caption_2`).
    pub captions: Vec<usize>,
}

/// Chooses the columns: those that the options name, or the best of the conventions.
pub(super) struct Picker<'a> {
    pub options: &'a ReadOptions,
    wanted: Wanted,
}

impl<'a> Picker<'a> {
    pub fn new(options: &'a ReadOptions, wanted: Wanted) -> Self {
        Self { options, wanted }
    }

    /// The columns, or which one is not there.
    pub fn pick<S: AsRef<str>>(&self, names: &[S]) -> Result<Layout, ReadProblem> {
        let id = self.id(names);
        if id.is_none() && self.needs_ids() {
            return Err(self.missing(Sought::Ids, names));
        }
        let captions = self.captions(names, id);
        if captions.is_empty() && self.wants_captions() {
            return Err(self.missing(Sought::Captions, names));
        }
        Ok(Layout { id, captions })
    }

    /// Whether the captions are wanted at all.
    pub fn wants_captions(&self) -> bool {
        self.wanted == Wanted::IdAndCaption
    }

    /// Whether a row without an id is a mistake.
    pub fn needs_ids(&self) -> bool {
        !self.options.without_ids || self.options.id_column.is_some()
    }

    /// Whether the conventions are all there is to go by.
    pub fn by_convention(&self) -> bool {
        self.options.id_column.is_none() && self.options.caption_column.is_none()
    }

    /// Where the ids are.
    pub fn id<S: AsRef<str>>(&self, names: &[S]) -> Option<usize> {
        match self.options.id_column.as_deref() {
            Some(asked) => named(names, asked),
            None => tables::known(names).and_then(|table| named(names, table.id?)).or_else(|| {
                let names = all_normalised(names);
                let called = |known: &&str, end| {
                    names.iter().position(|name| name.strip_suffix(end) == Some(known))
                };
                let one = ID_NAMES.iter().find_map(|known| called(known, ""));
                // Columns of lists are called in the plural.
                one.or_else(|| ID_NAMES.iter().find_map(|known| called(known, "s")))
            }),
        }
    }

    /// Where the captions are; never where the ids are.
    pub fn captions<S: AsRef<str>>(&self, names: &[S], id: Option<usize>) -> Vec<usize> {
        match self.options.caption_column.as_deref() {
            Some(asked) => named(names, asked).filter(|&at| Some(at) != id).into_iter().collect(),
            None => {
                let mut names = all_normalised(names);
                if let Some(id) = id {
                    names[id].clear();
                }
                let known = self.options.role.names().into_iter().flatten();
                known.into_iter().find_map(|known| called(&names, known)).unwrap_or_default()
            }
        }
    }

    /// What should be known of a choice: that another column could have been meant.
    pub fn rivals<S: AsRef<str>>(&self, names: &[S], layout: &Layout) -> Vec<Finding> {
        let mut findings = Vec::new();
        let name = |at: usize| shown(names[at].as_ref());
        let mut note = |chosen: usize, what: &str, mut rivals: Vec<usize>, flag: &str| {
            // No flag tells two columns of one name apart.
            rivals.retain(|at| names[*at].as_ref() != names[chosen].as_ref());
            if rivals.is_empty() {
                return;
            }
            let rivals: Vec<String> = rivals.iter().map(|at| format!("`{}`", name(*at))).collect();
            let message = format!(
                "{what} are taken from `{}`; {} could hold them too: {flag} NAME chooses",
                name(chosen),
                rivals.join(", ")
            );
            findings.push(Finding::note(FindingKind::ColumnChoice, message));
        };
        if let (Some(id), None) = (layout.id, &self.options.id_column)
            // A column that says so much needs no note for every `id` beside it.
            && !says_image(names[id].as_ref())
        {
            let rivals = (0..names.len()).filter(|at| *at != id && is_id_name(names[*at].as_ref()));
            note(id, IDS, rivals.collect(), self.flag(Sought::Ids));
        }
        if let (Some(&caption), None) = (layout.captions.first(), &self.options.caption_column) {
            let others = (0..names.len())
                .filter(|at| Some(*at) != layout.id && !layout.captions.contains(at))
                .filter(|at| is_caption_name(names[*at].as_ref()));
            note(caption, "the captions", others.collect(), self.flag(Sought::Captions));
        }
        findings
    }

    /// Whether other flags name its columns than those of the submission.
    pub fn is_beside(&self) -> bool {
        self.options.role == Role::References && !self.options.alone
    }

    fn flag(&self, sought: Sought) -> &'static str {
        match (self.is_beside(), sought) {
            (false, Sought::Ids) => "--id-column",
            (false, Sought::Captions) => "--caption-column",
            (true, Sought::Ids) => "--reference-id-column",
            (true, Sought::Captions) => "--reference-caption-column",
        }
    }

    /// What is asked for by its name or path.
    pub fn asked(&self, sought: Sought) -> Option<&str> {
        match sought {
            Sought::Ids => self.options.id_column.as_deref(),
            Sought::Captions => self.options.caption_column.as_deref(),
        }
    }

    /// That what is sought has no column among these.
    pub fn missing<S: AsRef<str>>(&self, sought: Sought, names: &[S]) -> ReadProblem {
        let what = match sought {
            Sought::Ids => "ids",
            Sought::Captions => "captions",
        };
        let wanted = match self.asked(sought) {
            // It is there, and taken.
            Some(name) if named(names, name).is_some() => {
                format!("column of {what} beside `{}`, which holds the ids,", shown(name))
            }
            Some(name) => format!("column `{}`", shown(name)),
            None => format!("column of {what}"),
        };
        let reason = format!("no {wanted} was found among {}", listed(names));
        ReadProblem::NoColumn { sought, reason, advice: self.advice(sought) }
    }

    /// That the path of what is sought leads to nothing; `None` where there is no path.
    pub fn nothing_at(&self, sought: Sought) -> Option<ReadProblem> {
        let reason = format!("no record has a value at `{}`", shown(self.asked(sought)?));
        Some(ReadProblem::NoColumn { sought, reason, advice: self.advice(sought) })
    }

    /// What to do where what is sought is not there.
    fn advice(&self, sought: Sought) -> String {
        let is_path = |sought| self.asked(sought).is_some_and(|name| name.contains(['.', '[']));
        let (other, field) = match sought {
            Sought::Ids => (Sought::Captions, "image"),
            Sought::Captions => (Sought::Ids, "caption"),
        };
        match (self.asked(sought), is_path(sought), is_path(other)) {
            (_, true, _) => "mend the path".into(),
            (None, _, true) => format!("give {field}=PATH too"),
            _ => format!("choose one with {} NAME", self.flag(sought)),
        }
    }
}

/// How the note about columns of ids begins.
pub(super) const IDS: &str = "the ids";

/// The column of the name that is asked for, to the letter or else as names are compared.
fn named<S: AsRef<str>>(names: &[S], asked: &str) -> Option<usize> {
    let exact = names.iter().position(|name| name.as_ref() == asked);
    let asked = normalised(asked);
    exact.or_else(|| names.iter().position(|name| normalised(name.as_ref()) == asked))
}

fn all_normalised<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    names.iter().map(|name| normalised(name.as_ref())).collect()
}

/// Names of columns for a message.
pub(super) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 8;
    let mut list: Vec<String> =
        names.iter().take(MOST).map(|name| format!("`{}`", shown(name.as_ref()))).collect();
    if names.len() > MOST {
        list.push(format!("{} more", names.len() - MOST));
    }
    if list.is_empty() {
        "no columns at all".to_owned()
    } else {
        format!("the columns {}", list.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(names: &[&str], options: &ReadOptions) -> Result<Layout, ReadProblem> {
        Picker::new(options, Wanted::IdAndCaption).pick(names)
    }

    fn layout(id: usize, captions: &[usize]) -> Layout {
        Layout { id: Some(id), captions: captions.to_vec() }
    }

    #[test]
    fn conventions_ignore_case_and_prefer_the_more_exact_name() {
        let options = ReadOptions::default();
        for (names, expected) in [
            (vec!["image_id", "caption"], layout(0, &[1])),
            (vec!["Text", "ImageID"], layout(1, &[0])),
            (vec!["file_name", "Generated Caption"], layout(0, &[1])),
            (vec!["id", "image_id", "text", "caption"], layout(1, &[3])),
            (vec!["id", "image", "caption"], layout(1, &[2])),
            (vec!["file_name", "caption_1", "Caption 2", "caption_id"], layout(0, &[1, 2])),
        ] {
            assert_eq!(pick(&names, &options).unwrap(), expected, "{names:?}");
        }
    }

    #[test]
    fn the_role_decides_between_columns_of_captions() {
        let references = ReadOptions { role: Role::References, ..ReadOptions::default() };
        for (names, made, reference) in [
            (["image_id", "reference", "prediction"], 2, 1),
            (["image_id", "caption", "generated_caption"], 2, 1),
            (["image_id", "caption", "gt"], 1, 2),
            (["index", "answer", "prediction"], 2, 1),
            (["id", "hypothesis", "text"], 1, 2),
        ] {
            assert_eq!(pick(&names, &ReadOptions::default()).unwrap().captions, [made]);
            assert_eq!(pick(&names, &references).unwrap().captions, [reference]);
        }
        let names = ["image_id", "caption", "gt"];
        let picker = Picker::new(&references, Wanted::IdAndCaption);
        let notes = picker.rivals(&names, &picker.pick(&names).unwrap());
        assert_eq!(notes.len(), 1);
        assert!(notes[0].message.contains("`gt`") && notes[0].message.contains("`caption`"));
        assert!(notes[0].message.contains("--reference-caption-column"));
        let alone = ReadOptions { alone: true, ..references };
        let picker = Picker::new(&alone, Wanted::IdAndCaption);
        let notes = picker.rivals(&names, &picker.pick(&names).unwrap());
        assert!(notes[0].message.contains(" --caption-column"));
    }

    #[test]
    fn options_win_and_a_missing_column_is_named() {
        let options = ReadOptions { caption_column: Some("v2".into()), ..ReadOptions::default() };
        assert_eq!(pick(&["id", "caption", "v2"], &options).unwrap().captions, [2]);
        let message = pick(&["id", "caption"], &options).unwrap_err().to_string();
        assert!(message.contains("`v2`") && message.contains("`caption`"), "{message}");
        assert!(message.contains("--caption-column"), "{message}");
        let message = pick(&["a", "b"], &ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains("--id-column"), "{message}");
    }

    #[test]
    fn a_template_needs_no_captions_and_a_set_no_ids() {
        let options = ReadOptions::default();
        let picker = Picker::new(&options, Wanted::Id);
        assert_eq!(picker.pick(&["image_id"]).unwrap(), layout(0, &[]));
        let options = ReadOptions { without_ids: true, ..options };
        let picked = pick(&["caption"], &options).unwrap();
        assert_eq!(picked, Layout { id: None, captions: vec![0] });
    }
}
