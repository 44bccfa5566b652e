//! Columns that references take over from the submissions: `--id-column` and its kind are said once for both sides where both have
//! such a column, and say nothing about references that have none.

use std::path::Path;

use fgd_captions::{
    CaptionFile, Finding, FindingKind, ReadError, ReadOptions, ReadProblem, Sought,
};
use fgd_store::terminal::visible;

use crate::jobs::options::References;

/// References, and how they were read.
pub struct ReadReferences {
    /// What was read.
    pub file: CaptionFile,
    /// As which the file could be read.
    pub options: ReadOptions,
    /// What was taken in the place of columns that are not there.
    pub notes: Vec<Finding>,
}

impl References {
    /// Whether a column is taken over that may turn out not to be there. Standard input can not be read again to find out.
    pub fn borrows(&self, submissions: &ReadOptions) -> bool {
        let mut submissions = submissions.clone();
        self.path != Path::new("-") && self.give_back(&mut submissions, Sought::Ids).is_some()
    }

    /// Reads the references: `read` is told how. Of the columns that are taken over, those that are not there are given back.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read_by(
        &self,
        submissions: &ReadOptions,
        read: impl Fn(&ReadOptions) -> Result<CaptionFile, ReadError>,
    ) -> Result<ReadReferences, ReadError> {
        let mut borrowed = submissions.clone();
        let mut missing = Vec::new();
        loop {
            let options = self.reading(&borrowed);
            let error = match read(&options) {
                Ok(file) => {
                    let notes = missing.iter().map(|missing| instead(missing, &file)).collect();
                    return Ok(ReadReferences { file, options, notes });
                }
                Err(error) => error,
            };
            let ReadProblem::NoColumn { sought, .. } = error.problem else { return Err(error) };
            match self.give_back(&mut borrowed, sought) {
                Some(column) if self.borrows(submissions) => missing.push(column),
                _ => return Err(error),
            }
        }
    }

    /// Takes a column that was taken over out of the options: the one that is sought, or else the other, as two paths go together.
    fn give_back(&self, borrowed: &mut ReadOptions, sought: Sought) -> Option<(Sought, String)> {
        let others = match sought {
            Sought::Ids => [Sought::Ids, Sought::Captions],
            Sought::Captions => [Sought::Captions, Sought::Ids],
        };
        others.into_iter().find_map(|sought| {
            let (own, borrowed) = match sought {
                Sought::Ids => (&self.id_column, &mut borrowed.id_column),
                Sought::Captions => (&self.caption_column, &mut borrowed.caption_column),
            };
            let name = borrowed.take_if(|_| own.is_none())?;
            Some((sought, name))
        })
    }
}

/// What stands in the place of a column that is not there.
fn instead((sought, name): &(Sought, String), file: &CaptionFile) -> Finding {
    let (what, column) = match sought {
        Sought::Ids => ("ids", &file.id_column),
        Sought::Captions => ("captions", &file.caption_column),
    };
    let taken = match column {
        Some(column) => format!("their {what} are taken from `{}`", visible(column)),
        None => format!("their {what} are found without it"),
    };
    let message = format!("the references have no column `{}`, so {taken}", visible(name));
    Finding::note(FindingKind::ColumnChoice, message)
}
