//! Downloading what the hub cache lacks, into the layout that the hub's own clients share.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use super::{HubError, Kind, Model, Settings, cached, missing_files, shards, snapshot};
use crate::digest::file_sha256;

/// Downloads the files of `kind` that the repository has and the cache lacks.
pub(super) fn download(
    id: &str,
    revision: &str,
    kind: Kind,
    settings: &Settings,
) -> Result<Model, HubError> {
    let failed = |error: ApiError| explain(error, id, kind, settings);
    let mut builder = ApiBuilder::from_cache(Cache::new(settings.cache.clone()))
        .with_token(settings.token.clone())
        .with_progress(settings.progress)
        .with_retries(3);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let api = builder.build().map_err(failed)?;
    let repo = api.repo(Repo::with_revision(id.into(), RepoType::Model, revision.into()));
    let info = repo.info().map_err(failed)?;
    let listed: BTreeSet<&str> = info.siblings.iter().map(|s| s.rfilename.as_str()).collect();

    let fetch = |name: &str| -> Result<PathBuf, HubError> {
        let path = fetch_verified(&repo, name, failed)?;
        tracing::debug!("{id}: {name} is at {}", path.display());
        Ok(path)
    };
    for name in kind.required() {
        fetch(name)?;
    }
    for name in kind.optional().iter().filter(|name| listed.contains(*name)) {
        fetch(name)?;
    }
    let (single, index) = kind.weights();
    match index.filter(|index| listed.contains(index) && !listed.contains(single)) {
        Some(index) => {
            let path = fetch(index)?;
            for shard in shards(&path).unwrap_or_default() {
                fetch(&shard)?;
            }
        }
        None => {
            fetch(single)?;
        }
    }
    cached(id, &info.sha, kind, settings).ok_or_else(|| HubError::Incomplete {
        dir: settings.cache.clone(),
        kind: kind.noun(),
        missing: snapshot(id, &info.sha, settings).map_or_else(
            || format!("the snapshot of {id}"),
            |(dir, _)| missing_files(&dir, id, kind).join(", "),
        ),
        advice: String::new(),
    })
}

/// Downloads one file. A large file's blob is named after its SHA-256, so it can be verified.
fn fetch_verified(
    repo: &ApiRepo,
    name: &str,
    failed: impl Fn(ApiError) -> HubError,
) -> Result<PathBuf, HubError> {
    let path = repo.get(name).map_err(failed)?;
    let blob = path.canonicalize().unwrap_or_else(|_| path.clone());
    let announced = blob
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| name.len() == 64 && name.chars().all(|c| c.is_ascii_hexdigit()));
    if let Some(announced) = announced
        && file_sha256(&blob)? != announced
    {
        // Removing is best effort: the error below is raised again on the next run otherwise.
        let _ = std::fs::remove_file(&blob);
        let _ = std::fs::remove_file(&path);
        return Err(HubError::Corrupt { path });
    }
    Ok(path)
}

fn explain(error: ApiError, id: &str, kind: Kind, settings: &Settings) -> HubError {
    if let ApiError::RequestError(request) = &error
        && let ureq::Error::StatusCode(status) = **request
    {
        return HubError::Refused {
            id: id.into(),
            status,
            hint: match status {
                401 | 403 => {
                    "the model is private or gated, set HF_TOKEN to a token that may read it"
                }
                404 => "no such model, revision or file: check the name",
                _ => "try again later",
            },
            flag: kind.flag(),
        };
    }
    HubError::Unreachable {
        id: id.into(),
        cache: settings.cache.clone(),
        reason: error.to_string(),
        kind: kind.noun(),
        flag: kind.flag(),
    }
}
