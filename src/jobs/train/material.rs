//! What a run learns and is judged by: caption files, read and linted, then matched with images that have features.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use fgd_captioner::Captioner;
use fgd_captioner::train::Data;
use fgd_captioner::train::data::{Caption, LONGEST};
use fgd_captioner::train::features::{KeptImage, read_list};
use fgd_captions::{CaptionFile, ImageIndex, ReadOptions, Role, read};
use fgd_record::Input;
use fgd_record::words::counted;
use ndarray::Array2;

use super::distill::Learned;
use super::learnable::{REAL, linted, refuse_synthetic, sources, unwritable};
use super::{Request, self_critical};
use crate::jobs::embedding::texts;
use crate::jobs::options::Encoding;
use crate::jobs::provenance::captions_input;
use crate::jobs::scoring::findings::{errors, for_record};
use crate::jobs::scoring::system::stem;
use crate::jobs::validate::unreadable;
use crate::jobs::{JobError, Session};

/// The caption files.
pub struct Texts {
    train: CaptionFile,
    validation: Option<CaptionFile>,
    /// What the captions to learn were mixed from, if they were.
    mixed: Vec<Input>,
    /// What the linter found in both, as a record has it.
    pub findings: Vec<fgd_record::Finding>,
}

impl Texts {
    /// Reads and lints the files, before gigabytes are loaded.
    ///
    /// # Errors
    /// Files that cannot be read; captions that a model should not learn.
    pub fn read(request: &Request, session: &mut Session) -> Result<Self, JobError> {
        let Learned { path: learned, reading, inputs: mixed } = Learned::of(request, session)?;
        let mut findings = Vec::new();
        let mut open = |path: &Path, role: &str, reading: &ReadOptions| {
            let reading = ReadOptions { role: Role::References, ..reading.clone() };
            let file = read(path, &reading).map_err(unreadable)?;
            let found = linted(&file, request.lenient);
            let wrong = errors(&found);
            let found_here = for_record(&found, role);
            if wrong > 0 {
                let hint = if request.lenient {
                    ""
                } else {
                    ", or accept what is no error of the file with --lenient"
                };
                let message = format!(
                    "{}: {} in the captions; mend them{hint}",
                    path.display(),
                    counted(wrong, "error")
                );
                return Err(JobError::Invalid {
                    message,
                    findings: vec![(path.into(), found_here)],
                });
            }
            findings.extend(found_here);
            Ok::<_, JobError>(file)
        };
        let train = open(&learned, "captions", &reading)?;
        let validation = match &request.validation {
            Some(path) => Some(open(path, "validation", &request.reading)?),
            None => None,
        };
        if let Some(file) = &validation {
            refuse_synthetic(file)?;
            let first = file.captions.first().map(|caption| &caption.id);
            let is_alone = file.captions.iter().all(|caption| Some(&caption.id) == first);
            if request.watching.judging.is_some() && is_alone {
                return Err(JobError::usage(format!(
                    "{}: has captions of one image, of which no difference can be told from luck: give those of two at least, or \
                     --select-by loss",
                    file.path.display()
                )));
            }
        }
        if !findings.is_empty() {
            session.progress.say(&format!(
                "{} of the captions are in the record",
                counted(findings.len() as u64, "note")
            ));
        }
        Ok(Self { train, validation, mixed, findings })
    }

    /// Notes what the checkpoint has no token for, which `unknown` stands for; `data` are the captions to learn as tokens.
    pub fn note_unwritable(&mut self, data: &Data, unknown: Option<u32>, session: &Session) {
        if let Some(note) = unwritable(&self.train, &data.captions, unknown) {
            session.progress.say(&format!("{}: {note}", self.train.path.display()));
            self.findings.extend(for_record(&[note], "captions"));
        }
    }

    /// The validation's first caption of this id.
    pub fn reference(&self, id: &str) -> Option<&str> {
        let captions = &self.validation.as_ref()?.captions;
        captions.iter().find(|caption| caption.id == id).map(|caption| caption.text.as_str())
    }

    /// The mean of the embeddings of the captions of each image to learn from [images, d].
    ///
    /// # Errors
    /// An encoder that cannot be had.
    pub fn mean_embeddings(
        &self,
        data: &Data,
        encoding: &Encoding,
        session: &mut Session,
    ) -> Result<Array2<f32>, JobError> {
        self_critical::references(&texts(&self.train), data, encoding, session)
    }

    /// Captions to learn by where they come from, if not all are real.
    pub fn sources(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for source in sources(&self.train) {
            *counts.entry(source).or_default() += 1;
        }
        if counts.len() == 1 && counts.contains_key(REAL) { BTreeMap::new() } else { counts }
    }

    /// The files as inputs of a record.
    pub fn inputs(&self) -> Vec<Input> {
        let files =
            [Some(("captions", &self.train)), self.validation.as_ref().map(|v| ("validation", v))];
        let files = files.into_iter().flatten();
        files
            .map(|(role, file)| captions_input(role, stem(&file.path), file))
            .chain(self.mixed.iter().cloned())
            .collect()
    }
}

/// Captions as tokens, with the images that they are of.
pub struct Material {
    /// To learn.
    pub train: Data,
    /// To judge by.
    pub validation: Option<Data>,
}

impl Material {
    /// Matches captions and features.
    ///
    /// # Errors
    /// Images without features, captions that cannot be learned, an image on both sides.
    pub fn new(request: &Request, texts: &Texts, captioner: &Captioner) -> Result<Self, JobError> {
        let kept = read_list(&request.features)?;
        let train = data(&kept, &texts.train, captioner)?;
        let validation = match &texts.validation {
            Some(file) => Some(data(&kept, file, captioner)?),
            None => None,
        };
        if let Some(validation) = &validation {
            let learned: HashMap<&str, &str> = train
                .images
                .iter()
                .map(|image| (image.sha256.as_str(), image.id.as_str()))
                .collect();
            let twice = |image: &&KeptImage| learned.contains_key(image.sha256.as_str());
            let count = validation.images.iter().filter(twice).count();
            if let Some(image) = validation.images.iter().find(twice) {
                return Err(JobError::usage(format!(
                    "{} of the validation among those to learn, by their content; the first is {} (there {}). \
                     Take them out of one of the two",
                    counted(count as u64, "image"),
                    image.id,
                    learned[image.sha256.as_str()]
                )));
            }
        }
        Ok(Self { train, validation })
    }
}

/// The captions of a file with their images.
fn data(kept: &[KeptImage], file: &CaptionFile, captioner: &Captioner) -> Result<Data, JobError> {
    let name = file.path.display();
    let ids = file.captions.iter().map(|caption| caption.id.as_str());
    let index = ImageIndex::of_file(ids.clone(), kept.iter().map(|image| image.id.as_str()));
    let missing: Vec<&str> = ids.filter(|id| index.find(id).is_none()).collect();
    if let Some(first) = missing.first() {
        return Err(JobError::usage(format!(
            "{name}: {} of {} captions are of images without features, or of several that could be meant, or spell an image in two ways; the first \
             is {first:?}. Make them with fgd features, and spell ids as its list does",
            missing.len(),
            file.captions.len()
        )));
    }
    let mut data = Data::default();
    let sources = sources(file);
    let mut places: HashMap<usize, usize> = HashMap::new();
    for (caption, source) in file.captions.iter().zip(sources) {
        let Some(place) = index.find(&caption.id) else { continue };
        let image = *places.entry(place).or_insert_with(|| {
            let sha256 = kept[place].sha256.clone();
            // By the id that the captions have, which messages and captions of the validation go by.
            data.images.push(KeptImage { id: caption.id.clone(), sha256 });
            data.images.len() - 1
        });
        let refuse = |reason: String| {
            JobError::invalid(format!(
                "{name}, row {}, image {}: {reason}",
                caption.row, caption.id
            ))
        };
        let text = caption.text.trim();
        let labels =
            captioner.tokenizer().encode(text).map_err(|error| refuse(error.to_string()))?;
        let ends = labels.last().is_some_and(|id| captioner.special_tokens().eos.contains(id));
        if !ends {
            return Err(refuse(
                "the tokenizer adds no </s>; a model that learns this never stops".into(),
            ));
        }
        if labels.len() > LONGEST {
            return Err(refuse(format!(
                "{} tokens; at most {LONGEST} can be learned",
                labels.len()
            )));
        }
        let known = data.sources.iter().position(|known| *known == source);
        let source = known.unwrap_or_else(|| {
            data.sources.push(source);
            data.sources.len() - 1
        });
        data.captions.push(Caption { image, labels, source });
    }
    if data.captions.is_empty() {
        return Err(JobError::invalid(format!("{name}: has no captions")));
    }
    Ok(data)
}
