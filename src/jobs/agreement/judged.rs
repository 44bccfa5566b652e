//! The captions that people judged, and their judgements, from the rows of a file.

use std::collections::HashMap;

use fgd_captions::{Alignment, Caption, CaptionFile};
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
    pub(super) references: Vec<Vec<usize>>,
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
        let place_of: HashMap<&str, usize> = (alignment.candidate.iter().enumerate())
            .map(|(place, &at)| (file.captions[at].id.as_str(), place))
            .collect();
        let cells: Vec<(&String, Vec<Option<String>>)> =
            (columns.iter()).filter_map(|column| Some((column, file.column(column)?))).collect();
        let named = |caption: &Caption| {
            format!("{}, row {}, image {}", file.path.display(), caption.row, caption.id)
        };
        let mut rows = Vec::new();
        for (at, caption) in file.captions.iter().enumerate() {
            let Some(&place) = place_of.get(caption.id.as_str()) else {
                let problem = "the references have no such image";
                return Err(JobError::usage(format!("{}: {problem}", named(caption))));
            };
            rows.push((place, caption.text.trim(), at));
        }
        // What is drawn goes by the numbers of the images, and sums by the order of their terms: neither may go by the rows.
        rows.sort_unstable();
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
        let mut image = None;
        // Judges may have a row each.
        for of_caption in rows.chunk_by(|a, b| a.0 == b.0 && a.1 == b.1) {
            let (place, text, first) = of_caption[0];
            let own = &alignment.references[place];
            let said = |&at: &usize| references.captions[at].text.trim() == text;
            if !keep_references && own.iter().any(said) {
                judged.left_out += 1;
                continue;
            }
            let mut ratings = Vec::new();
            for &(_, _, at) in of_caption {
                let row = || named(&file.captions[at]);
                let before = ratings.len();
                for (column, cells) in &cells {
                    // An empty cell is nobody's judgement.
                    let cell = cells[at].as_deref().filter(|cell| !cell.trim().is_empty());
                    let Some(cell) = cell else { continue };
                    let rating =
                        cell.trim().parse::<f64>().ok().filter(|rating| rating.is_finite());
                    ratings.push(rating.ok_or_else(|| {
                        let problem = format!("{column} is `{cell}`; a judgement is a number");
                        JobError::usage(format!("{}: {problem}", row()))
                    })?);
                }
                if ratings.len() == before {
                    let columns = columns.join(", ");
                    return Err(JobError::usage(format!("{}: no judgement in {columns}", row())));
                }
            }
            ratings.sort_unstable_by(f64::total_cmp);
            if image.replace(place) != Some(place) {
                judged.images += 1;
            }
            let caption = judged.candidates.len();
            judged.judgements.caption.extend(ratings.iter().map(|_| caption));
            judged.judgements.rating.extend(ratings);
            judged.judgements.image_of.push(judged.images - 1);
            judged.candidates.push(first);
            judged.references.push(own.clone());
        }
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
        // Of a task's references only those of the judged images are asked about.
        let own = self.references.iter().flatten().map(|&at| references.captions[at].text.as_str());
        let all: Vec<&str> = candidates.iter().copied().chain(own).collect();
        let rows: Array2<f32> = embedding.embed(&all)?;
        let (of_candidates, of_references) = rows.view().split_at(Axis(0), candidates.len());
        let image_of = (self.references.iter().enumerate())
            .flat_map(|(image, own)| own.iter().map(move |_| image))
            .collect();
        Ok(EvalSet {
            candidates: of_candidates.to_owned(),
            references: of_references.to_owned(),
            image_of: Some(image_of),
            units: None,
            population: None,
            texts: Some(Texts::of(
                file,
                self.candidates.iter().map(|&at| &file.captions[at]),
                all[candidates.len()..].iter().map(|&text| text.to_owned()).collect(),
            )),
        })
    }
}
