//! Checkpoints among the systems: captioned on the way, after which a file of captions stands for each.

use std::path::{Path, PathBuf};

use fgd_captions::{self as captions, CaptionFile, is_caption_file};
use fgd_record::{Finding, Severity};
use fgd_store::arrays::ArrayKind;
use fgd_store::digest::bytes_sha256;
use fgd_store::hub;

use super::Request;
use super::reference_length;
use super::variant::Variant;
use crate::host;
use crate::jobs::caption::{self, CaptionRun, Checkpoint, Run};
use crate::jobs::images::Images;
use crate::jobs::options::Named;
use crate::jobs::{JobError, Session};

/// `CHECKPOINT` or `CHECKPOINT+ADAPTER`, each a directory or a hub id, with an optional `@VARIANT` of the decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    base: String,
    adapter: Option<String>,
    variant: Option<Variant>,
}

impl Name {
    /// What an argument names, if it is a checkpoint and not a file.
    pub fn of(path: &Path) -> Option<Self> {
        let text = path.to_str()?;
        if path.is_file() {
            return None;
        }
        if path.is_dir() {
            return Some(Self::alone(text));
        }
        if let Some((before, variant)) = Variant::split(text) {
            let plain = Self::of(Path::new(before))?;
            return Some(Self { variant: Some(variant), ..plain });
        }
        // A directory's name may hold the sign itself, so both sides have to be models.
        let with_adapter = text
            .match_indices('+')
            .map(|(at, _)| (&text[..at], &text[at + 1..]))
            .find(|(base, adapter)| is_model(base) && is_model(adapter))
            .map(|(base, adapter)| Self {
                base: base.to_owned(),
                adapter: Some(adapter.to_owned()),
                variant: None,
            });
        with_adapter.or_else(|| is_hub_id(text).then(|| Self::alone(text)))
    }

    fn alone(base: &str) -> Self {
        Self { base: base.to_owned(), adapter: None, variant: None }
    }
}

fn is_model(text: &str) -> bool {
    Path::new(text).is_dir() || is_hub_id(text)
}

/// `org/name`, with an optional `@revision`, which is not the name of a file of numbers.
fn is_hub_id(text: &str) -> bool {
    let id = text.split_once('@').map_or(text, |(id, _)| id);
    let ends = |end: &&str| id.to_ascii_lowercase().ends_with(end);
    let path = Path::new(id);
    let is_file =
        is_caption_file(path) || ArrayKind::of(path).is_some() || [".txt", ".gz"].iter().any(ends);
    !is_file && hub::is_hub_id(id)
}

/// A file of captions, and how its run went.
type Captioned = (PathBuf, CaptionRun);

/// Captions the references' images with every checkpoint, one after the other; answers the files of captions and how each
/// run went, and notes: how many references are too long to be written, which captions the judge has chosen. There is at least one
/// checkpoint.
pub fn caption_all(
    request: &Request,
    systems: &[(&Named, &Name)],
    references: &CaptionFile,
    images: &Images,
    session: &mut Session,
) -> Result<(Vec<Captioned>, Vec<Finding>), JobError> {
    let device = &request.encoding.device;
    let mut captioning = request.captioning.clone();
    let options = captioning.check(device)?;
    let images = images.select(&captions::group(references).ids).map_err(JobError::usage)?;
    std::fs::create_dir_all(&request.work).map_err(JobError::no_folder(&request.work))?;
    if systems.len() > 1 && captioning.features_cache.is_none() {
        captioning.features_cache = Some(request.work.join("features"));
    }
    // Every checkpoint and adapter is looked through before the first one runs for hours.
    let mut found = Vec::new();
    for (system, name) in systems {
        let checkpoint = Checkpoint::resolve(&name.base, name.adapter.as_deref(), session)?;
        let output = request.work.join(file_name(&system.name));
        let captioning = match &name.variant {
            Some(variant) => variant.apply(&captioning, request.measuring.seed)?,
            None => captioning.clone(),
        };
        checkpoint.check(&options)?;
        caption::prepare(&output, &images, captioning.on_error)?;
        found.push((&system.name, checkpoint, captioning, output));
    }
    let (_, first, decoding, _) = &found[0];
    let note = reference_length::note(first, references, decoding.generation.max_new_tokens)?;
    let chosen = found
        .iter()
        .filter(|(_, _, captioning, _)| captioning.draws_several() && request.choosing.embeds());
    let chosen = chosen.map(|(name, ..)| chosen_by_judge(name));
    let mut notes: Vec<Finding> = note.into_iter().chain(chosen).collect();
    let mut captioned = Vec::new();
    for (name, checkpoint, captioning, output) in found {
        session.progress.say(&format!("captioning with {name}"));
        let is_alone = host::reset_peak_memory() || captioned.is_empty();
        let run = Run {
            checkpoint: &checkpoint,
            images: &images,
            part: None,
            source: request.images.as_deref().unwrap_or(Path::new(".")),
            output: &output,
            device,
            captioning: &captioning,
            choosing: &request.choosing,
            encoding: &request.encoding,
            samples_file: None,
        };
        let mut of_run = run.caption(session)?;
        if !is_alone {
            of_run.results.peak_memory_bytes = None;
        }
        let of_system = |finding| Finding { input: name.clone(), ..finding };
        notes.extend(of_run.findings.iter().cloned().map(of_system));
        captioned.push((output, of_run));
    }
    Ok((captioned, notes))
}

/// As `fgd ensemble` warns where it scores what it chose.
fn chosen_by_judge(system: &str) -> Finding {
    Finding {
        severity: Severity::Note,
        kind: "chosen-by-judge".into(),
        input: system.into(),
        row: None,
        id: None,
        message: "the encoder that chose these captions also judges them, which flatters the choice; hold the kept file against the others \
                  with another --encoder, or by metrics over words"
            .into(),
        more: 0,
    }
}

/// A file name for the captions of a system; two names never share one.
fn file_name(system: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if system.chars().all(is_plain) && !system.starts_with('.') {
        return format!("{system}.csv");
    }
    let plain: String =
        system.chars().map(|c| if is_plain(c) { c } else { '-' }).take(60).collect();
    let hash = bytes_sha256(system.as_bytes());
    format!("{}-{}.csv", plain.trim_start_matches('.'), &hash[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_hub_ids_are_checkpoints_and_files_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let inside = |name: &str| dir.path().join(name).display().to_string();
        let (base, plus) = (inside("base"), inside("a+b"));
        std::fs::create_dir(&base).unwrap();
        std::fs::create_dir(&plus).unwrap();
        let of = |text: &str| {
            Name::of(Path::new(text)).map(|name| (name.base, name.adapter.unwrap_or_default()))
        };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(of(&base), pair(&base, ""));
        assert_eq!(of(&plus), pair(&plus, ""));
        assert_eq!(of(&format!("{plus}+{base}")), pair(&plus, &base));
        assert_eq!(of(&format!("{base}+org/lora")), pair(&base, "org/lora"));
        assert_eq!(of("org/blip2@main"), pair("org/blip2@main", ""));
        for file in ["runs/x.csv", "x.csv", "runs/x.jsonl.gz", "../x/y", "a b/c", "x"] {
            assert_eq!(of(file), None, "{file}");
        }
    }

    #[test]
    fn files_are_named_after_their_systems() {
        assert_eq!(file_name("base-v1.2"), "base-v1.2.csv");
        let (one, two) = (file_name("a/b"), file_name("a b"));
        assert!(one.starts_with("a-b-") && two.starts_with("a-b-") && one != two);
        assert!(!file_name("../x").contains(".."));
    }
}
