//! MLflow by its REST interface (<https://mlflow.org/docs/latest/rest-api.html>): a run of an experiment, its parameters, batches of metrics.
//!
//! Metrics have the names that transformers' `MLflowCallback` gives them: `loss`, `eval_loss`.

use std::time::Duration;

use serde_json::{Value, json};

use super::Tracker;
use crate::jobs::train::Request;
use crate::jobs::train::tensorboard::Event;
use crate::settings;

/// Most metrics and parameters of one request, and most characters of a parameter.
const METRICS: usize = 1000;
const PARAMETERS: usize = 100;
const CHARACTERS: usize = 500;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A run on a server.
pub struct Mlflow {
    server: Server,
    id: String,
}

struct Server {
    uri: String,
    agent: ureq::Agent,
    token: Option<String>,
}

impl Mlflow {
    /// Begins a run, or goes on with the one of that id. `MLFLOW_TRACKING_TOKEN` is sent if it is set.
    pub fn begin(
        uri: &str,
        name: &str,
        known: Option<&str>,
        request: &Request,
    ) -> Result<Self, String> {
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
        let server = Server {
            uri: uri.trim_end_matches('/').to_owned(),
            agent: config.http_status_as_error(false).build().into(),
            token: settings::secret("MLFLOW_TRACKING_TOKEN"),
        };
        if let Some(id) = known {
            server.post("runs/update", &json!({"run_id": id, "status": "RUNNING"}))?;
            return Ok(Self { server, id: id.to_owned() });
        }
        let experiment = server.experiment(&request.tracking.mlflow_experiment)?;
        let begun = json!({
            "experiment_id": experiment, "run_name": name, "start_time": now(),
            "tags": [{"key": "mlflow.source.name", "value": "fgd train"}],
        });
        let answer = server.post("runs/create", &begun)?;
        let id = text(&answer, "/run/info/run_id")?;
        let mut parameters = Vec::new();
        flatten("", &serde_json::to_value(request).unwrap_or_default(), &mut parameters);
        for params in parameters.chunks(PARAMETERS) {
            server.post("runs/log-batch", &json!({"run_id": id, "params": params}))?;
        }
        Ok(Self { server, id })
    }

    /// The run's id on the server.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Tracker for Mlflow {
    fn name(&self) -> &'static str {
        "mlflow"
    }

    fn tell(&mut self, events: &[Event]) -> Result<(), String> {
        let metrics: Vec<Value> = events
            .iter()
            .flat_map(|event| {
                let timestamp = (event.time * 1e3) as i64;
                event.scalars.iter().map(move |(tag, value)| {
                    let key = tag
                        .strip_prefix("train/")
                        .map_or_else(|| tag.replace('/', "_"), str::to_owned);
                    json!({"key": key, "value": value, "timestamp": timestamp, "step": event.step})
                })
            })
            .collect();
        metrics.chunks(METRICS).try_for_each(|metrics| {
            let batch = json!({"run_id": self.id, "metrics": metrics});
            self.server.post("runs/log-batch", &batch).map(|_| ())
        })
    }

    fn end(&mut self, is_whole: bool) -> Result<(), String> {
        let status = if is_whole { "FINISHED" } else { "FAILED" };
        let update = json!({"run_id": self.id, "status": status, "end_time": now()});
        self.server.post("runs/update", &update).map(|_| ())
    }
}

impl Server {
    /// The id of an experiment, which is made if there is none of that name.
    fn experiment(&self, name: &str) -> Result<String, String> {
        let quote = if name.contains('\'') { '"' } else { '\'' };
        let search = json!({"max_results": 1, "filter": format!("name = {quote}{name}{quote}")});
        let found = self.post("experiments/search", &search)?;
        if let Ok(id) = text(&found, "/experiments/0/experiment_id") {
            return Ok(id);
        }
        text(&self.post("experiments/create", &json!({"name": name}))?, "/experiment_id")
    }

    fn post(&self, what: &str, body: &Value) -> Result<Value, String> {
        let failed = |why: String| format!("{}: {what}: {why}", self.uri);
        let address = format!("{}/api/2.0/mlflow/{what}", self.uri);
        let mut request = self.agent.post(&address).header("Content-Type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let sent = request.send(body.to_string());
        let mut answer = sent.map_err(|error| failed(error.to_string()))?;
        let text = answer.body_mut().read_to_string().map_err(|error| failed(error.to_string()))?;
        let parsed: Value = serde_json::from_str(&text).unwrap_or_default();
        match answer.status().is_success() {
            true => Ok(parsed),
            false => {
                let why = parsed["message"].as_str().unwrap_or("no reason given");
                Err(failed(format!("{}: {why}", answer.status())))
            }
        }
    }
}

fn text(answer: &Value, at: &str) -> Result<String, String> {
    let found = answer.pointer(at).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| format!("the server's answer has no {at}"))
}

fn now() -> i64 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    time.unwrap_or_default().as_millis() as i64
}

/// Settings as parameters, by their keys with dots between them.
fn flatten(name: &str, value: &Value, parameters: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, parameters);
            }
        }
        Value::Null => {}
        value => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let text: String = text.chars().take(CHARACTERS).collect();
            parameters.push(json!({"key": name, "value": text}));
        }
    }
}
