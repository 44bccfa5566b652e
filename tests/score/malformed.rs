//! Whatever stands in a submission, it is refused with its faults named or scored with finite numbers; never a panic, never NaN.
//! What reading and linting say on their own is in captions/tests/captions.

use std::path::Path;

use fgd::jobs::Session;
use fgd::jobs::embedding::Embedding;
use fgd::jobs::options::{Encoding, Measuring};
use fgd::jobs::scoring::system::System;
use fgd::jobs::scoring::{ScoreError, Scorer};
use fgd_captions::{ReadOptions, read};
use fgd_store::hub::Settings;
use proptest::prelude::*;
use serde_json::Value;

/// Images of the small submission: as many as shows every fault and keeps hundreds of scores quick.
const ROWS: usize = 12;

fn fixture(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// The header and the first rows of a file of the caption set; none of these rows has a line break inside.
fn first_rows(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(fixture("captions").join(name)).unwrap();
    text.lines().take(ROWS + 1).map(str::to_owned).collect()
}

/// One way to spoil the rows.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    SwapColumns(usize),
    Id(usize, String),
    Caption(usize, String),
    Quote(usize, usize),
    Huge(usize, usize),
    Constant(String),
    Remove(usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let row = 1..=ROWS;
    prop_oneof![
        (0usize..3000).prop_map(Damage::Cut),
        row.clone().prop_map(Damage::SwapColumns),
        (row.clone(), "\\PC{0,8}").prop_map(|(row, id)| Damage::Id(row, id)),
        // Captions of any characters, none of them among the encoder's words included.
        (row.clone(), "\\PC{1,40}").prop_map(|(row, text)| Damage::Caption(row, text)),
        (row.clone(), 0usize..40).prop_map(|(row, at)| Damage::Quote(row, at)),
        (row.clone(), 1usize..2_000).prop_map(|(row, length)| Damage::Huge(row, length)),
        "[a-z ]{1,12}".prop_map(Damage::Constant),
        row.prop_map(Damage::Remove),
    ]
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn spoil(rows: &mut [String], damage: &Damage) {
    let set = |row: &mut String, text: &str| {
        let id = row.split(',').next().unwrap_or_default().to_owned();
        *row = format!("{id},{}", quoted(text));
    };
    match damage {
        Damage::SwapColumns(row) => {
            if let Some((id, caption)) = rows[*row].split_once(',') {
                rows[*row] = format!("{caption},{id}");
            }
        }
        Damage::Id(row, id) => {
            let caption = rows[*row].split_once(',').map_or("", |(_, caption)| caption);
            rows[*row] = format!("{},{caption}", quoted(id));
        }
        Damage::Caption(row, text) => set(&mut rows[*row], text),
        Damage::Quote(row, at) => {
            let at = rows[*row].char_indices().map(|(at, _)| at).nth(*at).unwrap_or(0);
            rows[*row].insert(at, '"');
        }
        Damage::Huge(row, length) => set(&mut rows[*row], &"word ".repeat(*length)),
        Damage::Constant(text) => rows[1..].iter_mut().for_each(|row| set(row, text)),
        Damage::Remove(row) => rows[*row].clear(),
        Damage::Cut(_) => {}
    }
}

/// Writes the rows and reads them as a submission; `None` where the file is refused as a whole.
fn system(rows: &[String], cut: Option<usize>) -> Option<System> {
    let mut bytes = (rows.join("\n") + "\n").into_bytes();
    bytes.truncate(cut.unwrap_or(bytes.len()));
    let file = tempfile::Builder::new().suffix(".csv").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    match read(file.path(), &ReadOptions::default()) {
        Ok(file) => Some(System::Captions(file)),
        Err(error) => {
            assert!(error.to_string().len() > 20, "{error}");
            None
        }
    }
}

/// A session without a cache: what is tested must be computed.
fn session() -> Session {
    let hub = Settings {
        cache: "no-cache".into(),
        offline: true,
        token: None,
        endpoint: None,
        progress: false,
    };
    Session::new(fgd::settings::Settings { hub, cache: None, program: "fgd".into() })
}

/// Every missing number of a serialised record is explained beside it. (serde_json writes NaN as null.)
fn assert_explained(value: &Value, place: &str) {
    match value {
        Value::Object(fields) => {
            let missing = fields.get("value").is_some_and(Value::is_null);
            let reason = fields.get("reason").is_some_and(Value::is_string);
            assert!(!missing || reason, "{place}: no value and no reason");
            for (name, field) in fields {
                assert_explained(field, &format!("{place}/{name}"));
            }
        }
        Value::Array(values) => {
            for value in values {
                assert!(!value.is_null(), "{place}: null in a list");
                assert_explained(value, place);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spoilt_submission_is_refused_or_scored(damages in proptest::collection::vec(damage(), 1..4)) {
        let references = system(&first_rows("references.csv"), None).unwrap();
        let mut rows = first_rows("good.csv");
        let mut cut = None;
        for damage in &damages {
            spoil(&mut rows, damage);
            if let Damage::Cut(at) = damage {
                cut = Some(*at);
            }
        }
        let Some(submission) = system(&rows, cut) else { return Ok(()) };
        let measuring = Measuring {
            metrics: ["infinity", "mmd", "prdc", "vendi", "bleu", "diversity"].map(str::to_owned).into(),
            ..Measuring::default()
        };
        let encoding = Encoding {
            encoder: fixture("encoder/tiny-mean").display().to_string(),
            cache: false,
            ..Encoding::default()
        };
        let mut session = session();
        let embedding = Embedding::new(&mut session, &encoding, 0);
        let mut scorer = Scorer::new(embedding, &references, false, &measuring).unwrap();
        match scorer.score(&submission, None) {
            Err(ScoreError::Invalid(findings)) => prop_assert!(!findings.is_empty()),
            Err(error) => prop_assert!(false, "{error}"),
            Ok(scored) => {
                let images = scored.images.unwrap();
                prop_assert_eq!(images.set.len(), ROWS);
                assert_explained(&serde_json::to_value(&scored.results).unwrap(), "");
                prop_assert!(scored.results.fgd_paired.value.is_some());
                let per_caption = [images.per_caption.distance(), images.per_caption.influence];
                prop_assert!(per_caption.iter().flatten().flatten().all(|value| value.is_finite()));
            }
        }
    }
}

#[test]
fn what_a_score_refuses_is_not_embedded_either() {
    let place = crate::program::Place::new();
    let long = format!("image_id,caption\n1,{}\n", "a ".repeat(60_000));
    for (content, said) in [
        ("image_id,caption\n1,a dog\n2,#N/A\n", "row 2, id 2: error["),
        ("image_id,caption\n1,a dog\n2,\n", "row 2, id 2: error["),
        ("image_id,caption\n", "error["),
        (&long, "row 1, id 1: error["),
    ] {
        let file = place.path("captions.csv");
        std::fs::write(&file, content).unwrap();
        for (command, output) in [("embed", "out.npy"), ("moments", "out.npz")] {
            place
                .fgd()
                .args([command.as_ref(), file.as_os_str(), "--encoder".as_ref()])
                .arg(fixture("encoder/tiny-mean"))
                .arg("-o")
                .arg(place.path(output))
                .assert()
                .code(4)
                .stderr(predicates::str::contains(said));
            assert!(!place.path(output).exists());
        }
    }
}

#[test]
fn references_with_errors_are_named_with_their_places_and_show_no_caption() {
    let place = crate::program::Place::new();
    let (submission, references) = (place.path("s.csv"), place.path("r.csv"));
    std::fs::write(&submission, "image_id,caption\n1,a dog\n2,a cat\n3,a bird\n").unwrap();
    std::fs::write(&references, "image_id,caption\n1,a secret\n2,\n3,\n").unwrap();
    for more in [&[][..], &["--exact"]] {
        let refused = place.score(&submission, &references).args(more).assert().code(1);
        let said = crate::program::stderr(refused.get_output());
        assert!(said.contains("r.csv: the references have 2 errors"), "{said}");
        assert!(said.contains("2 empty-caption, first in row 2, id 2"), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}
