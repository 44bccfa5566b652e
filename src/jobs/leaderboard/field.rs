//! The submissions, scored one after the other: only numbers are kept of each, so that hundreds need the memory of one.

use fgd_captions::ReadOptions;
use fgd_metrics::MetricError;
use fgd_metrics::inference::SetInference;
use fgd_record::words::counted;
use fgd_record::{EncoderInfo, Finding, Input, Rejected, Severity};

use super::Request;
use super::parts::Parts;
use super::rank::{Drawn, Entry, Evidence};
use crate::jobs::embedding::Embedding;
use crate::jobs::options::Named;
use crate::jobs::scoring::captions::Gathered;
use crate::jobs::scoring::findings::for_record;
use crate::jobs::scoring::set::EvalSet;
use crate::jobs::scoring::slices::Grouping;
use crate::jobs::scoring::system::System;
use crate::jobs::scoring::{ImageScores, ScoreError, Scorer};
use crate::jobs::{JobError, Session};

/// Findings of a kind that the record keeps of a submission; the rest is counted.
pub const FINDINGS_KEPT: usize = 20;

/// What became of the submissions.
#[derive(Default)]
pub struct Field {
    /// Those that can be ranked.
    pub entries: Vec<Entry>,
    /// The same on the public images alone, where they are to be shown.
    pub public: Vec<Entry>,
    /// Those that can not, and why.
    pub rejected: Vec<Rejected>,
    /// The files of the entries.
    pub inputs: Vec<Input>,
    /// Notes on these files.
    pub findings: Vec<Finding>,
    /// The encoder that was used.
    pub encoder: Option<EncoderInfo>,
    /// The images of the first submission, sorted; only needed where references are of other images.
    images: Option<Vec<String>>,
    /// Every caption, where the record keeps them.
    pub captions: Gathered,
    /// Its groups of images, which are those of all.
    groupings: Option<Vec<Grouping>>,
    /// How the images were drawn.
    pub drawn: Drawn,
}

/// Why a submission is not in the field: by its own fault, or because nothing works.
enum Out {
    Rejected(Rejected),
    Failed(JobError),
}

impl From<JobError> for Out {
    fn from(error: JobError) -> Self {
        Self::Failed(error)
    }
}

impl Field {
    /// Scores all submissions, and on the images of a `public` part too. What is a submission's own fault rejects it; all else
    /// is an error.
    pub fn score(
        request: &Request,
        references: &System,
        public: Option<&Parts>,
        session: &mut Session,
    ) -> Result<Self, JobError> {
        let mut field = Self::default();
        let bar =
            session.progress.begin("scoring", "submissions", request.submissions.len() as u64);
        let embedding = Embedding::silent(session, &request.encoding);
        let (unpaired, measuring) = (request.unpaired, &request.measuring);
        let mut scorer = Scorer::new(embedding, references, unpaired, measuring)?;
        let public = public.map(|parts| parts.images(true));
        for submission in &request.submissions {
            match field.entry(submission, request, public.as_deref(), &mut scorer) {
                Ok((entry, public)) => {
                    field.entries.push(entry);
                    field.public.extend(public);
                }
                Err(Out::Rejected(rejected)) => field.rejected.push(rejected),
                Err(Out::Failed(error)) => return Err(error),
            }
            bar.advance(1);
        }
        field.encoder = scorer.embedding.encoder();
        Ok(field)
    }

    fn entry(
        &mut self,
        submission: &Named,
        request: &Request,
        public: Option<&[usize]>,
        scorer: &mut Scorer,
    ) -> Result<(Entry, Option<Entry>), Out> {
        let name = &submission.name;
        let rejected = |reason: String| Out::Rejected(rejected(name, reason, Vec::new()));
        let reading = ReadOptions { without_ids: request.unpaired, ..request.reading.clone() };
        let mut system =
            System::open_submission(&submission.path, &reading).map_err(|error| match error {
                JobError::Invalid { message, .. } => rejected(message),
                error => Out::Failed(error),
            })?;
        if !request.unpaired {
            system.settle(scorer.references);
        }
        let scored = scorer.score(&system, self.groupings.as_deref());
        let score = scored.map_err(|error| match error {
            ScoreError::Invalid(found) => {
                Out::Rejected(self::rejected(name, String::new(), for_record(&found, name)))
            }
            ScoreError::Mismatch(message) => rejected(message),
            // On the same images a setting that one submission cannot have is one that none can.
            ScoreError::Metric(error @ MetricError::InvalidSetting(_)) if !request.unpaired => {
                Out::Failed(error.into())
            }
            ScoreError::Metric(error) => rejected(error.to_string()),
            ScoreError::Job(error) => Out::Failed(error),
        })?;
        let Some(images) = score.images else {
            return Err(rejected("moments have no rows: they are compared as they are".into()));
        };
        // Groups are of the same images for all: a column of its own would let each choose them.
        self.groupings.get_or_insert_with(|| images.groupings.clone());
        let public = public.map(|public| -> Result<Entry, Out> {
            let part = scorer.part(&images, public).map_err(|error| rejected(error.to_string()))?;
            let distances = part.per_caption.distance();
            let distances =
                distances.ok_or_else(|| rejected("it has no distance to rank by".into()))?;
            let evidence = Evidence::Paired(distances);
            Ok(Entry { name: name.clone(), scores: part.results, evidence })
        });
        let public = public.transpose()?;
        if request.keeping.captions {
            self.captions.add(name, &images, &score.results, &score.findings);
        }
        let evidence = self.evidence(images, request.unpaired).map_err(rejected)?;
        self.inputs.push(system.input("submission", name, &submission.path)?);
        let notes = for_record(&score.findings, name);
        self.findings.extend(Finding::first_of_each_kind(notes, FINDINGS_KEPT));
        Ok((Entry { name: name.clone(), scores: score.results, evidence }, public))
    }

    /// What ranks the submission, or why there is nothing.
    fn evidence(&mut self, images: ImageScores, unpaired: bool) -> Result<Evidence, String> {
        let ImageScores { set, per_caption, .. } = images;
        self.drawn =
            Drawn { clusters: set.clusters().map(<[usize]>::to_vec), population: set.population };
        if !unpaired {
            let distances = per_caption.distance();
            return distances
                .map(Evidence::Paired)
                .ok_or_else(|| "it has no distance to rank by".into());
        }
        let order = self.order_of_images(&set)?;
        let in_order = |found: SetInference| Box::new(found.in_order(&order));
        Ok(Evidence::Set(per_caption.inference.map(in_order)))
    }

    /// The order of a submission's captions by image. What two submissions share cancels only image by image, so
    /// those of other images than the first are refused.
    fn order_of_images(&mut self, set: &EvalSet) -> Result<Vec<usize>, String> {
        let ids: Vec<String> = match &set.texts {
            Some(texts) => texts.ids.clone(),
            // Embeddings carry no ids: row by row, in numbers that sort as text.
            None => (0..set.len()).map(|row| format!("{row:020}")).collect(),
        };
        let mut order: Vec<usize> = (0..ids.len()).collect();
        order.sort_by(|&a, &b| ids[a].cmp(&ids[b]));
        let sorted: Vec<String> = order.iter().map(|&at| ids[at].clone()).collect();
        let first = self.images.get_or_insert_with(|| sorted.clone());
        if *first == sorted {
            Ok(order)
        } else {
            Err("its images are not those of the first submission; only submissions of the same images can be ranked".into())
        }
    }
}

/// What is wrong with a submission: the errors of its file, the first of each kind, or else `reason`.
pub fn rejected(name: &str, reason: String, mut findings: Vec<Finding>) -> Rejected {
    findings.retain(|finding| finding.severity == Severity::Error);
    let reason = match findings.len() {
        0 => reason,
        errors => format!("{} in the file", counted(errors as u64, "error")),
    };
    let findings = Finding::first_of_each_kind(findings, FINDINGS_KEPT);
    Rejected { name: name.into(), reason, findings }
}
