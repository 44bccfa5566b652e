//! Files of a repository of models on the Hub: read one, commit one.
//!
//! The endpoints are those of the Hub's own client: `GET /ORG/NAME/resolve/main/FILE`, and `POST /api/models/ORG/NAME/commit/main`
//! with a header and a file as lines of JSON.

use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use super::{HubError, Settings, is_hub_id};

/// The public Hub.
const ENDPOINT: &str = "https://huggingface.co";
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most bytes of a file that is read.
const MOST: u64 = 4 << 20;

/// A repository of models that may be written to.
pub struct Repository {
    id: String,
    endpoint: String,
    token: String,
    agent: ureq::Agent,
}

impl Repository {
    /// The repository `org/name`.
    ///
    /// # Errors
    /// A name that is none, no token, or the network may not be used.
    pub fn new(id: &str, settings: &Settings) -> Result<Self, HubError> {
        if !is_hub_id(id) {
            return Err(HubError::Repository { id: id.into(), problem: "is not ORG/NAME".into() });
        }
        let refuse =
            |problem: &str| HubError::Repository { id: id.into(), problem: problem.into() };
        if settings.offline {
            return Err(refuse("HF_HUB_OFFLINE is set: unset it to write to the Hub"));
        }
        let token = settings.token.clone();
        let token = token.ok_or_else(|| refuse("no token: set HF_TOKEN to one that may write"))?;
        let endpoint = settings.endpoint.as_deref().unwrap_or(ENDPOINT);
        let agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
        let endpoint = endpoint.trim_end_matches('/').into();
        Ok(Self { id: id.into(), endpoint, token, agent })
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The text of a file on the main branch; `None` where there is none.
    ///
    /// # Errors
    /// The Hub refuses or cannot be reached.
    pub fn read(&self, file: &str) -> Result<Option<String>, HubError> {
        let url = format!("{}/{}/resolve/main/{file}", self.endpoint, self.id);
        let answer = self.agent.get(&url).header("Authorization", self.bearer()).call();
        match answer {
            Ok(mut answer) => {
                let text = answer.body_mut().with_config().limit(MOST).read_to_string();
                text.map(Some).map_err(|error| self.failed(error))
            }
            Err(ureq::Error::StatusCode(404)) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Commits a file to the main branch and answers the address of the commit.
    ///
    /// # Errors
    /// The Hub refuses or cannot be reached.
    pub fn commit(&self, file: &str, text: &str, summary: &str) -> Result<String, HubError> {
        let url = format!("{}/api/models/{}/commit/main", self.endpoint, self.id);
        let content = base64::engine::general_purpose::STANDARD.encode(text);
        let header = json!({"key": "header", "value": {"summary": summary, "description": ""}});
        let content = json!({"key": "file", "value": {"path": file, "encoding": "base64", "content": content}});
        let answer = (self.agent.post(&url).header("Authorization", self.bearer()))
            .header("Content-Type", "application/x-ndjson")
            .send(format!("{header}\n{content}\n"));
        let mut answer = answer.map_err(|error| self.failed(error))?;
        let body = answer.body_mut().with_config().limit(MOST).read_to_string().unwrap_or_default();
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        Ok(body["commitUrl"]
            .as_str()
            .map_or_else(|| format!("{}/{}", self.endpoint, self.id), str::to_owned))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn failed(&self, error: ureq::Error) -> HubError {
        let problem = match error {
            ureq::Error::StatusCode(status @ (401 | 403)) => {
                format!("the Hub answers {status}: the token in HF_TOKEN may not do this")
            }
            ureq::Error::StatusCode(404) => "there is no such repository: make it first".into(),
            ureq::Error::StatusCode(status) => format!("the Hub answers {status}"),
            error => format!("the Hub cannot be reached: {error}"),
        };
        HubError::Repository { id: self.id.clone(), problem }
    }
}
