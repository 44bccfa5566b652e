//! The captions that people judged, and their judgements, from the rows of a file.

use std::collections::{HashMap, HashSet};

use fgd_captions::{Alignment, CaptionFile};
use fgd_metrics::agreement::Judgements;
use ndarray::{Array2, Axis};

use crate::jobs::JobError;
use crate::jobs::embedding::Embedding;
use crate::jobs::scoring::set::{EvalSet, Texts};

/// The columns that hold judgements.
pub(super) fn rating_columns(
    file: &CaptionFile,
    asked: &[String],
) -> Result<Vec<String>, JobError> {
    let known: Vec<String> = file.column_names().map(str::to_owned).collect();
    let chosen = match (asked, known.as_slice()) {
        ([], [only]) => vec![only.clone()],
        (asked, _) => asked.iter().map(|column| column.trim().to_owned()).collect(),
    };
    let again = (chosen.iter().enumerate()).find(|(at, column)| chosen[..*at].contains(column));
    if let Some((_, column)) = again {
        return Err(JobError::usage(format!("--rating: {column} is named twice; it counts once")));
    }
    let missing = chosen.iter().find(|column| !known.contains(column));
    if chosen.is_empty() || missing.is_some() {
        let wrong = missing.map_or(String::new(), |column| format!(" {column}"));
        let known =
            if known.is_empty() { "no further columns".to_owned() } else { known.join(", ") };
        return Err(JobError::usage(format!(
            "--rating{wrong}: name the columns that hold the judgements; {} has {known}",
            file.path.display()
        )));
    }
    Ok(chosen)
}

/// The captions that were judged.
pub(super) struct Judged {
    /// Places in the file, one for each caption.
    pub(super) candidates: Vec<usize>,
    /// For each caption the places of its references in their file.
    references: Vec<Vec<usize>>,
    pub(super) judgements: Judgements,
    pub(super) images: usize,
    /// Captions that are themselves references, each counted once.
    pub(super) left_out: usize,
}

impl Judged {
    /// # Errors
    /// Images without references, captions without a judgement, judgements that are no numbers.
    pub(super) fn of(
        file: &CaptionFile,
        references: &CaptionFile,
        alignment: &Alignment,
        columns: &[String],
        keep_references: bool,
    ) -> Result<Self, JobError> {
        let id_of = |&at: &usize| file.captions[at].id.as_str();
        let by_id: HashMap<&str, &Vec<usize>> =
            alignment.candidate.iter().map(id_of).zip(&alignment.references).collect();
        let cells: Vec<(&String, Vec<Option<String>>)> =
            (columns.iter()).filter_map(|column| Some((column, file.column(column)?))).collect();
        let mut judged = Self {
            candidates: Vec::new(),
            references: Vec::new(),
            judgements: Judgements {
                image_of: Vec::new(),
                caption: Vec::new(),
                rating: Vec::new(),
            },
            images: 0,
            left_out: 0,
        };
        let mut image_of: HashMap<&str, usize> = HashMap::new();
        // Judges may have a row each.
        let mut known: HashMap<(&str, &str), usize> = HashMap::new();
        let mut left_out: HashSet<(&str, &str)> = HashSet::new();
        for (place, caption) in file.captions.iter().enumerate() {
            let row = format!("{}, row {}, image {}", file.path.display(), caption.row, caption.id);
            let own = *by_id.get(caption.id.as_str()).ok_or_else(|| {
                JobError::usage(format!("{row}: the references have no such image"))
            })?;
            let text = caption.text.trim();
            let said = |&at: &usize| references.captions[at].text.trim() == text;
            if !keep_references && own.iter().any(said) {
                left_out.insert((&*caption.id, text));
                continue;
            }
            let new = judged.candidates.len();
            let index = *known.entry((&caption.id, text)).or_insert(new);
            let before = judged.judgements.rating.len();
            for (column, cells) in &cells {
                // An empty cell is nobody's judgement.
                let Some(cell) = cells[place].as_deref().filter(|cell| !cell.trim().is_empty())
                else {
                    continue;
                };
                let rating = cell.trim().parse::<f64>().ok().filter(|rating| rating.is_finite());
                judged.judgements.rating.push(rating.ok_or_else(|| {
                    JobError::usage(format!("{row}: {column} is `{cell}`; a judgement is a number"))
                })?);
                judged.judgements.caption.push(index);
            }
            if judged.judgements.rating.len() == before {
                return Err(JobError::usage(format!(
                    "{row}: no judgement in {}",
                    columns.join(", ")
                )));
            }
            if index < new {
                continue;
            }
            let next = image_of.len();
            let image = *image_of.entry(caption.id.as_str()).or_insert(next);
            judged.judgements.image_of.push(image);
            judged.candidates.push(place);
            judged.references.push(own.clone());
        }
        judged.images = image_of.len();
        judged.left_out = left_out.len();
        Ok(judged)
    }

    /// Every judged caption as an image of its own.
    pub(super) fn set(
        &self,
        file: &CaptionFile,
        references: &CaptionFile,
        embedding: &mut Embedding,
    ) -> Result<EvalSet, JobError> {
        let candidates: Vec<&str> =
            self.candidates.iter().map(|&at| file.captions[at].text.as_str()).collect();
        let own: Vec<&str> = references.captions.iter().map(|c| c.text.as_str()).collect();
        let rows: Array2<f32> = embedding.embed(&[candidates.as_slice(), &own].concat())?;
        let (of_candidates, of_references) = rows.view().split_at(Axis(0), candidates.len());
        let places: Vec<usize> = self.references.iter().flatten().copied().collect();
        let image_of = (self.references.iter().enumerate())
            .flat_map(|(image, own)| own.iter().map(move |_| image))
            .collect();
        Ok(EvalSet {
            candidates: of_candidates.to_owned(),
            references: of_references.select(Axis(0), &places),
            image_of: Some(image_of),
            units: None,
            population: None,
            texts: Some(Texts::of(
                file,
                self.candidates.iter().map(|&at| &file.captions[at]),
                places.iter().map(|&at| own[at].to_owned()).collect(),
            )),
        })
    }
}
