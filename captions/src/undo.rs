//! What programs do to whole columns is undone here, where all rows are known: lists printed into cells, quotes around every caption and
//! backslashes before them, and the `#0` behind the ids of Flickr8k.

use polars::prelude::{DataFrame, IdxCa, IdxSize};

use super::Caption;
use super::builder::Builder;
use super::finding::{Finding, FindingKind};
use super::printed::{self, Printed};

impl Builder {
    /// Makes several captions of every cell that is a printed list.
    pub(super) fn take_lists_apart(&mut self, columns: &mut DataFrame) {
        let lists = match printed::lists(&self.captions) {
            Printed::No => return,
            Printed::Lists(lists) => lists,
            Printed::Unclear(cells) => {
                let message = "the caption is a list that a program printed, and not every row can be read as one; write one caption per row, or JSON";
                for cell in cells {
                    let caption = &self.captions[cell];
                    let finding = Finding::error(FindingKind::ListCells, message);
                    self.findings.push(finding.at(caption.row).of(&caption.id));
                }
                return;
            }
        };
        let mut captions = Vec::new();
        let mut rows: Vec<IdxSize> = Vec::new();
        for (index, (caption, mut list)) in
            std::mem::take(&mut self.captions).into_iter().zip(lists).enumerate()
        {
            if list.is_empty() {
                list.push(String::new());
            }
            for text in list {
                let bytes = self.bytes_of(&caption.id, &text);
                if self.takes(bytes) {
                    let Caption { row, line, ref id, .. } = caption;
                    captions.push(Caption { row, line, id: id.clone(), text });
                    rows.push(index as IdxSize);
                }
            }
        }
        self.captions = captions;
        let message = format!(
            "the cells are printed lists; {} captions were read out of {} of them",
            self.captions.len(),
            columns.height()
        );
        self.find(Finding::note(FindingKind::ListCells, message));
        // Taking rows by their numbers cannot fail; without columns there is only the height to keep.
        if let Ok(taken) = columns.take(&IdxCa::from_vec("".into(), rows)) {
            *columns = taken;
        }
    }

    pub(super) fn take_quotes_off(&mut self) {
        let Some(pair) = printed::quotes(&self.captions) else { return };
        for caption in &mut self.captions {
            caption.text = printed::without_quotes(&caption.text, pair);
        }
        let message = format!("every caption stands in {}…{}, which are left out", pair.0, pair.1);
        self.find(Finding::note(FindingKind::QuotedCaptions, message));
    }

    /// Some programs write a quote as `\"`, and then never without the backslash.
    pub(super) fn take_escapes_off(&mut self) {
        if !self.captions.iter().any(|caption| caption.text.contains('\\')) {
            return;
        }
        let escaped = |text: &str| text.matches("\\\"").count();
        let quotes: usize = self.captions.iter().map(|c| c.text.matches('"').count()).sum();
        let count = self.captions.iter().filter(|c| escaped(&c.text) > 0).count();
        let escaped: usize = self.captions.iter().map(|c| escaped(&c.text)).sum();
        if count == 0 || quotes != escaped {
            return;
        }
        for caption in &mut self.captions {
            caption.text = caption.text.replace("\\\"", "\"");
        }
        let all = self.captions.len();
        let message = format!(
            "quotes stand as \\\" in {count} of {all} captions; the backslashes are left out"
        );
        self.find(Finding::note(FindingKind::QuotedCaptions, message));
    }

    /// Flickr8k counts the captions of an image behind its id: `1000268201_693b08cb0e.jpg#0`.
    pub(super) fn take_numbers_off(&mut self) {
        let number = |id: &str| {
            let (image, number) = id.rsplit_once('#')?;
            let counts = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            (counts && !image.is_empty()).then_some(image.len())
        };
        if self.captions.is_empty() || self.captions.iter().any(|c| number(&c.id).is_none()) {
            return;
        }
        for caption in &mut self.captions {
            let end = number(&caption.id).unwrap_or(caption.id.len());
            caption.id.truncate(end);
        }
        self.document.get_or_insert("Flickr8k token file, without the number (#0) behind each id");
    }
}
