//! Which column holds the image ids and which the captions.

use super::ReadOptions;
use super::error::ReadProblem;
use super::finding::shown;

/// Names of id columns in order of preference, compared without case, spaces, `_` and `-`.
const ID_NAMES: [&str; 16] = [
    "imageid",
    "imgid",
    "id",
    "image",
    "img",
    "imagename",
    "imgname",
    "filename",
    "imagefile",
    "file",
    "imagepath",
    "filepath",
    "path",
    "imagekey",
    "key",
    "name",
];

/// Names of caption columns in order of preference, compared likewise.
const CAPTION_NAMES: [&str; 22] = [
    "caption",
    "captions",
    "prediction",
    "predictions",
    "predictedcaption",
    "generatedcaption",
    "generated",
    "generatedtext",
    "pred",
    "preds",
    "candidate",
    "hypothesis",
    "output",
    "text",
    "sentence",
    "sentences",
    "description",
    "reference",
    "references",
    "groundtruth",
    "comment",
    "raw",
];

/// Whether the captions are wanted, or the ids alone will do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    IdAndCaption,
    Id,
}

/// Where id and caption stand among the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub id: usize,
    pub caption: Option<usize>,
}

/// Chooses the columns: those that the options name, or the best of the conventions.
pub(super) struct Picker<'a> {
    options: &'a ReadOptions,
    wanted: Wanted,
}

impl<'a> Picker<'a> {
    pub fn new(options: &'a ReadOptions, wanted: Wanted) -> Self {
        Self { options, wanted }
    }

    /// The columns, or which one is not there.
    pub fn pick<S: AsRef<str>>(&self, names: &[S]) -> Result<Layout, ReadProblem> {
        let id = self.id(names).ok_or_else(|| self.missing("id", "--id-column", names))?;
        let caption = self.caption(names, id);
        if caption.is_none() && self.wanted == Wanted::IdAndCaption {
            return Err(self.missing("caption", "--caption-column", names));
        }
        Ok(Layout { id, caption })
    }

    /// Whether the captions are wanted at all.
    pub fn wants_captions(&self) -> bool {
        self.wanted == Wanted::IdAndCaption
    }

    /// Whether the conventions are all there is to go by.
    pub fn by_convention(&self) -> bool {
        self.options.id_column.is_none() && self.options.caption_column.is_none()
    }

    /// Where the ids are.
    pub fn id<S: AsRef<str>>(&self, names: &[S]) -> Option<usize> {
        find(names, self.options.id_column.as_deref(), &ID_NAMES, None)
    }

    /// Where the captions are; never where the ids are.
    pub fn caption<S: AsRef<str>>(&self, names: &[S], id: usize) -> Option<usize> {
        find(names, self.options.caption_column.as_deref(), &CAPTION_NAMES, Some(id))
    }

    fn missing<S: AsRef<str>>(&self, what: &str, flag: &'static str, names: &[S]) -> ReadProblem {
        let asked =
            if what == "id" { &self.options.id_column } else { &self.options.caption_column };
        let wanted = match asked {
            Some(name) => format!("column `{}`", shown(name)),
            None => format!("column of {what}s"),
        };
        ReadProblem::NoColumn { wanted, found: listed(names), flag }
    }
}

fn find<S: AsRef<str>>(
    names: &[S],
    asked: Option<&str>,
    conventions: &[&str],
    taken: Option<usize>,
) -> Option<usize> {
    let position = |accept: &dyn Fn(&str) -> bool| {
        (0..names.len()).find(|&at| Some(at) != taken && accept(names[at].as_ref()))
    };
    match asked {
        Some(asked) => position(&|name| name == asked)
            .or_else(|| position(&|name| normalised(name) == normalised(asked))),
        None => conventions.iter().find_map(|known| position(&|name| normalised(name) == *known)),
    }
}

fn normalised(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn listed<S: AsRef<str>>(names: &[S]) -> String {
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

    #[test]
    fn conventions_ignore_case_and_prefer_the_more_exact_name() {
        let options = ReadOptions::default();
        for (names, id, caption) in [
            (["image_id", "caption"], 0, 1),
            (["Text", "ImageID"], 1, 0),
            (["file_name", "Generated Caption"], 0, 1),
        ] {
            assert_eq!(pick(&names, &options).unwrap(), Layout { id, caption: Some(caption) });
        }
        let layout = pick(&["id", "image_id", "text", "caption"], &options).unwrap();
        assert_eq!(layout, Layout { id: 1, caption: Some(3) });
    }

    #[test]
    fn options_win_and_a_missing_column_is_named() {
        let options = ReadOptions { caption_column: Some("v2".into()), ..ReadOptions::default() };
        assert_eq!(pick(&["id", "caption", "v2"], &options).unwrap().caption, Some(2));
        let message = pick(&["id", "caption"], &options).unwrap_err().to_string();
        assert!(message.contains("`v2`") && message.contains("`caption`"), "{message}");
        assert!(message.contains("--caption-column"), "{message}");
        let message = pick(&["a", "b"], &ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains("--id-column"), "{message}");
    }

    #[test]
    fn a_template_needs_no_captions() {
        let options = ReadOptions::default();
        let picker = Picker::new(&options, Wanted::Id);
        assert_eq!(picker.pick(&["image_id"]).unwrap(), Layout { id: 0, caption: None });
    }
}
