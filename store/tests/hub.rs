//! Models by name: a real download over HTTP from a hub that this test plays, the cache layout, and
//! every way in which it can fail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use fgd_store::hub::{HubError, Kind, Settings, resolve};
use sha2::{Digest, Sha256};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A hub with one repository, `org/model`, on a port of this machine.
struct Hub {
    address: String,
    requests: Arc<AtomicUsize>,
    tokens: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Default)]
struct Repository {
    files: BTreeMap<&'static str, Vec<u8>>,
    status: Option<u16>,
    wrong_hash: bool,
}

impl Hub {
    fn start(repository: Repository) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let (count, seen) = (requests.clone(), tokens.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                // A client that hangs up early is its own affair.
                let _ = answer(stream, &repository, &seen);
            }
        });
        Self { address, requests, tokens }
    }

    fn settings(&self, cache: &Path) -> Settings {
        Settings {
            cache: cache.into(),
            offline: false,
            token: Some("secret".into()),
            endpoint: Some(self.address.clone()),
            progress: false,
        }
    }
}

fn answer(
    mut stream: TcpStream,
    repository: &Repository,
    tokens: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut range = None;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').unwrap_or((&header, ""));
        match name.to_ascii_lowercase().as_str() {
            "authorization" => tokens.lock().unwrap().push(value.trim().to_owned()),
            "range" => range = Some(value.trim().trim_start_matches("bytes=").to_owned()),
            _ => {}
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let mut reply = |status: u16, headers: &str, body: &[u8]| {
        write!(
            stream,
            "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        )?;
        stream.write_all(body)
    };
    if let Some(status) = repository.status {
        return reply(status, "", b"");
    }
    if path.starts_with("/api/models/org/model") {
        let siblings: Vec<_> =
            repository.files.keys().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string();
        return reply(200, "Content-Type: application/json\r\n", body.as_bytes());
    }
    let name = path.split(&format!("/resolve/{}/", "main")).nth(1);
    match name.and_then(|name| repository.files.get(name)) {
        None => reply(404, "", b""),
        Some(content) => {
            let hash = if repository.wrong_hash {
                "0".repeat(64)
            } else {
                format!("{:x}", Sha256::digest(content))
            };
            let (start, end) = range.as_deref().and_then(|range| range.split_once('-')).map_or(
                (0, content.len() - 1),
                |(start, end)| {
                    (start.parse().unwrap_or(0), end.parse().unwrap_or(content.len() - 1))
                },
            );
            let end = end.min(content.len() - 1);
            let headers = format!(
                "x-repo-commit: {COMMIT}\r\netag: \"{hash}\"\r\nContent-Range: bytes {start}-{end}/{}\r\n",
                content.len()
            );
            reply(206, &headers, &content[start..=end])
        }
    }
}

fn encoder() -> Repository {
    Repository {
        files: BTreeMap::from([
            ("config.json", b"{}".to_vec()),
            ("tokenizer.json", b"{\"a\":1}".to_vec()),
            ("model.safetensors", vec![7; 100_000]),
            ("modules.json", b"[]".to_vec()),
            ("1_Pooling/config.json", b"{\"p\":1}".to_vec()),
            ("onnx/model.onnx", vec![9; 50]),
        ]),
        ..Repository::default()
    }
}

#[test]
fn downloads_once_what_is_needed_and_then_never_asks_again() {
    let hub = Hub::start(encoder());
    let cache = tempfile::tempdir().unwrap();
    let settings = hub.settings(cache.path());
    let model = resolve("org/model", Kind::Encoder, &settings).unwrap();
    assert_eq!(model.id, "org/model");
    assert_eq!(model.revision.as_deref(), Some(COMMIT));
    assert_eq!(std::fs::read(model.dir.join("model.safetensors")).unwrap(), vec![7; 100_000]);
    assert!(model.dir.join("1_Pooling/config.json").is_file());
    assert!(!model.dir.join("onnx/model.onnx").exists(), "not needed");
    assert!(model.dir.ends_with(format!("models--org--model/snapshots/{COMMIT}")));
    assert!(hub.tokens.lock().unwrap().iter().all(|t| t == "Bearer secret"));

    let before = hub.requests.load(Ordering::SeqCst);
    for name in ["org/model", &format!("org/model@{COMMIT}")] {
        assert_eq!(resolve(name, Kind::Encoder, &settings).unwrap().dir, model.dir);
    }
    let offline = Settings { offline: true, ..settings };
    assert_eq!(resolve("org/model", Kind::Encoder, &offline).unwrap().dir, model.dir);
    assert_eq!(hub.requests.load(Ordering::SeqCst), before, "the cache suffices");

    let by_path = resolve(model.dir.to_str().unwrap(), Kind::Encoder, &offline).unwrap();
    assert_eq!((by_path.id, by_path.revision), (model.id, model.revision));
}

#[test]
fn a_file_that_is_not_what_was_announced_is_refused_and_removed() {
    let hub = Hub::start(Repository { wrong_hash: true, ..encoder() });
    let cache = tempfile::tempdir().unwrap();
    let error = resolve("org/model", Kind::Encoder, &hub.settings(cache.path())).unwrap_err();
    assert!(matches!(error, HubError::Corrupt { .. }), "{error}");
}

#[test]
fn every_refusal_says_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    for (status, hint) in [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "check the name")] {
        let hub = Hub::start(Repository { status: Some(status), ..Repository::default() });
        let error = resolve("org/model", Kind::Encoder, &hub.settings(cache.path())).unwrap_err();
        assert!(matches!(error, HubError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(error.to_string().contains("--encoder DIR"), "{error}");
    }
}

#[test]
fn without_hub_and_cache_one_error_names_both_ways_out() {
    let cache = tempfile::tempdir().unwrap();
    let nowhere = Settings {
        cache: cache.path().into(),
        offline: false,
        token: None,
        endpoint: Some("http://127.0.0.1:9".into()),
        progress: false,
    };
    let error = resolve("org/model", Kind::Encoder, &nowhere).unwrap_err();
    assert!(matches!(error, HubError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("--encoder DIR"), "{error}");

    let offline = Settings { offline: true, ..nowhere };
    let error = resolve("thenlper/gte-small", Kind::Encoder, &offline).unwrap_err();
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
    assert!(error.to_string().contains("--encoder DIR"), "{error}");
}

#[test]
fn directories_are_checked_and_nonsense_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        cache: folder.path().into(),
        offline: true,
        token: None,
        endpoint: None,
        progress: false,
    };
    let path = folder.path().to_str().unwrap();
    let error = resolve(path, Kind::Encoder, &settings).unwrap_err().to_string();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        assert!(error.contains(file), "{error}");
    }
    for name in ["", "model", "a/b/c", "../up", "org/model@", "org/.."] {
        let error = resolve(name, Kind::Encoder, &settings).unwrap_err();
        assert!(matches!(error, HubError::Name { .. }), "{name}: {error:?}");
    }
}

#[test]
fn sharded_checkpoints_need_all_their_shards() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "one.safetensors"] {
        std::fs::write(folder.path().join(file), "{}").unwrap();
    }
    std::fs::write(
        folder.path().join("model.safetensors.index.json"),
        r#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#,
    )
    .unwrap();
    let settings = Settings {
        cache: folder.path().into(),
        offline: true,
        token: None,
        endpoint: None,
        progress: false,
    };
    let path = folder.path().to_str().unwrap();
    let error = resolve(path, Kind::Checkpoint, &settings).unwrap_err().to_string();
    assert!(error.contains("two.safetensors missing"), "{error}");
    std::fs::write(folder.path().join("two.safetensors"), "").unwrap();
    assert!(resolve(path, Kind::Checkpoint, &settings).is_ok());
}

#[test]
fn the_variables_of_the_python_client_are_heeded() {
    let from = |set: &[(&str, &str)]| {
        let set: Vec<(String, String)> =
            (set.iter()).map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let variable = |name: &str| {
            let known = set.iter().find(|(known, _)| known == name);
            known.map(|(_, value)| value.into())
        };
        Settings::from_variables(variable, false)
    };
    let home = ("HOME", "/home/someone");
    let plain = from(&[home]);
    assert_eq!(plain.cache, Path::new("/home/someone/.cache/huggingface/hub"));
    assert_eq!((plain.offline, plain.token, plain.endpoint), (false, None, None));
    let moved = from(&[home, ("HF_HOME", "/models")]);
    assert_eq!(moved.cache, Path::new("/models/hub"));
    let set = from(&[
        ("HF_HOME", "/models"),
        ("HF_HUB_CACHE", "/cache"),
        ("HF_HUB_OFFLINE", "True"),
        ("HF_TOKEN", "secret"),
        ("HF_ENDPOINT", "https://mirror"),
    ]);
    assert_eq!(set.cache, Path::new("/cache"));
    assert!(set.offline && set.token.as_deref() == Some("secret"));
    assert_eq!(set.endpoint.as_deref(), Some("https://mirror"));
    assert!(!from(&[("HF_HUB_OFFLINE", "0")]).offline);
}
