//! What the steps of a night depend on: hashes of files, images and models, and whether they are those of the suite.

use std::path::Path;

use fgd_captioner::run::list_images;
use fgd_store::digest::{Digest, HashMemo};
use fgd_store::hub::{self, Kind};

use super::plan::{Planner, json};
use super::suite::{Benchmark, DataSet, System};
use crate::jobs::{bench, train};

impl Planner<'_> {
    /// Whether the images and references of a data set are those that the suite names.
    pub fn check_data(&self, data: &DataSet, hashes: &mut HashMemo) -> Result<(), String> {
        let check = |what: &str, found: String, wanted: &Option<String>| match wanted {
            Some(wanted) if !wanted.eq_ignore_ascii_case(&found) => Err(format!(
                "{what} of data set `{}` have changed: SHA-256 is {found}, the suite says {wanted}; \
                     put them back, or change {what}_sha256",
                data.name
            )),
            _ => Ok(()),
        };
        let found = self.sha256(&data.references, hashes)?;
        check("references", found, &data.references_sha256)?;
        let Some(images) = &data.images else { return Ok(()) };
        let found = self.images_sha256(images, hashes)?;
        check("images", found, &data.images_sha256)
    }

    /// Whether the files of a system are there, and those that the suite names. No model is asked for.
    pub fn check_files(&self, system: &System, hashes: &mut HashMemo) -> Result<(), String> {
        self.check_data(self.suite.data_of(system), hashes)?;
        match &system.submission {
            Some(submission) => self.sha256(submission, hashes).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Digest over what goes into a system's captions and their score, apart from the program.
    pub fn inputs(&self, system: &System, hashes: &mut HashMemo) -> Result<String, String> {
        let data = self.suite.data_of(system);
        let mut digest = Digest::new("system of a suite", 1)
            .field("references", self.sha256(&data.references, hashes)?)
            .field("reading", json(&(&data.reading, self.references(data))))
            .field("measuring", json(&self.measuring(data)))
            .field("encoder", self.encoder.clone()?)
            .field("engine", self.suite.engine.name())
            .field("max_length", json(&self.suite.max_length));
        if let Some(submission) = &system.submission {
            digest = digest.field("submission", self.sha256(submission, hashes)?);
        }
        if let Some(checkpoint) = &system.checkpoint {
            digest = digest
                .field("checkpoint", self.captioner(checkpoint, hashes)?)
                .field("device", &system.device)
                .field("captioning", json(&system.captioning));
            if let Some(adapter) = &system.adapter {
                digest = digest.field("adapter", self.model(adapter, Kind::Adapter, hashes)?);
            }
            if let Some(images) = &data.images {
                digest = digest.field("images", self.images_sha256(images, hashes)?);
            }
            if let Some(train) = &system.train {
                digest = digest.field("training", self.training(train, hashes)?);
            }
        }
        Ok(digest.finish())
    }

    /// Digest over what a training learns from and how.
    fn training(&self, train: &train::Request, hashes: &mut HashMemo) -> Result<String, String> {
        let mut digest = Digest::new("training of a suite", 1)
            .field("request", json(train))
            .field("features", self.sha256(&train.features.join(train::FEATURES_LIST), hashes)?)
            .field("captions", self.sha256(&train.captions, hashes)?);
        for synthetic in &train.distill.synthetic {
            digest = digest.field("synthetic", self.sha256(synthetic, hashes)?);
        }
        if let Some(validation) = &train.validation {
            digest = digest.field("validation", self.sha256(validation, hashes)?);
        }
        if let Some(adapter) = &train.adapter {
            digest = digest.field("adapter", self.model(adapter, Kind::Adapter, hashes)?);
        }
        Ok(digest.finish())
    }

    fn sha256(&self, path: &Path, hashes: &mut HashMemo) -> Result<String, String> {
        let sha256 = hashes.sha256(&self.path(path));
        sha256.map_err(|error| error.to_string())
    }

    /// Hash over the names and bytes of images: those of a folder, or the list and those that it names.
    fn images_sha256(&self, images: &Path, hashes: &mut HashMemo) -> Result<String, String> {
        let own = self.sha256(images, hashes)?;
        let path = self.path(images);
        if path.is_dir() {
            return Ok(own);
        }
        // Captioning says what is wrong with a list, and with images that are not there.
        let listed = list_images(&path, None).map(|list| list.images).unwrap_or_default();
        let mut digest = Digest::new("images of a list", 1).field("list", own);
        for image in listed {
            let sha256 = hashes.sha256(&image.path).unwrap_or_default();
            digest = digest.field(&image.id, sha256);
        }
        Ok(digest.finish())
    }

    /// Hash of a model: a directory of the suite, or what a hub id resolves to.
    pub(super) fn model(
        &self,
        name: &str,
        kind: Kind,
        hashes: &mut HashMemo,
    ) -> Result<String, String> {
        let local = self.path(Path::new(name));
        if local.is_dir() {
            return self.sha256(&local, hashes);
        }
        let model =
            hub::resolve(name, kind, self.hub).map_err(|error| in_suite(&error.to_string()))?;
        self.sha256(&model.dir, hashes)
    }

    /// Whether the models of a benchmark are to be had.
    pub fn check_models(&self, benchmark: &Benchmark, hashes: &mut HashMemo) -> Result<(), String> {
        let encoder = match benchmark.request() {
            bench::Request::Captioner(request) => {
                self.captioner(&request.checkpoint, hashes)?;
                let adapter = request.adapter.as_ref();
                let adapter = adapter.map(|adapter| self.model(adapter, Kind::Adapter, hashes));
                return adapter.transpose().map(|_| ());
            }
            bench::Request::Encoder(request) => request.encoding.encoder,
            bench::Request::Score(request) => request.score.encoding.encoder,
        };
        self.model(&encoder, Kind::Encoder, hashes).map(|_| ())
    }

    /// A checkpoint; an adapter given as one brings its base, which `fgd caption` finds.
    fn captioner(&self, name: &str, hashes: &mut HashMemo) -> Result<String, String> {
        self.model(name, Kind::Checkpoint, hashes)
            .or_else(|error| self.model(name, Kind::Adapter, hashes).map_err(|_| error))
    }
}

/// What a job says of a model that is not here, with the keys of a suite in the place of flags.
pub(super) fn in_suite(message: &str) -> String {
    let keys = ["encoder", "checkpoint", "adapter"].into_iter();
    keys.fold(message.to_owned(), |message, key| {
        message.replace(&format!("--{key} DIR"), &format!("{key} = \"DIR\""))
    })
}
