//! Files of every shape through the program: the same captions give the same number, and what is doubtful is said.

use serde_json::Value;

use crate::program::{Place, json, number, stderr};

const REFERENCES: [(&str, &str, &str); 4] = [
    ("11", "A blue bicycle leans on a brick wall", "a bike by a wall"),
    ("12", "Four people wait for the evening train", "people on a platform"),
    ("13", "A cat sleeps on an open newspaper", "a cat on the news"),
    ("14", "Snow covers the roofs of a small town", "a town in winter"),
];
const MADE: [&str; 4] = ["a bicycle", "people at a station", "a cat lies down", "white roofs"];

fn write(place: &Place, name: &str, content: &str) -> std::path::PathBuf {
    let path = place.path(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// One line of each image, made by `line` from its number, id, two references and caption.
fn lines(head: &str, line: impl Fn(usize, &str, [&str; 2], &str) -> String) -> String {
    let rows = REFERENCES.iter().zip(MADE).enumerate();
    let rows = rows.map(|(n, ((id, one, two), made))| line(n, id, [one, two], made));
    head.to_owned() + &rows.collect::<String>()
}

#[test]
fn the_same_captions_in_any_shape_score_the_same() {
    let place = Place::new();
    let plain = write(
        &place,
        "sub.csv",
        &lines("image_id,caption\n", |_, id, _, made| format!("{id},{made}\n")),
    );
    let two =
        lines("image_id,caption\n", |_, id, [one, two], _| format!("{id},{one}\n{id},{two}\n"));
    let two = write(&place, "refs.csv", &two);
    let expected = number(&place.record(&plain, &two, &[]), "/fgd_paired/value");

    let both = lines("id,caption_predicted,caption_references\n", |_, id, [one, two], made| {
        format!("{id},{made},\"['{one}', '{two}']\"\n")
    });
    let both = write(&place, "both.csv", &both);
    let karpathy: Vec<Value> = REFERENCES
        .iter()
        .map(|(id, one, two)| serde_json::json!({"filename": format!("COCO_val2014_{id:0>12}.jpg"), "split": "test", "sentences": [{"raw": one}, {"raw": two}]}))
        .collect();
    let karpathy = serde_json::json!({"images": karpathy, "dataset": "coco"}).to_string();
    let karpathy = write(&place, "karpathy.json", &karpathy);
    let tokens =
        lines("", |_, id, [one, two], _| format!("{id}.jpg#0\t{one}\n{id}.jpg#1\t{two}\n"));
    let tokens = write(&place, "tokens.txt", &tokens);
    let rows = lines("id,image,prediction\n", |n, id, _, made| {
        format!("{n},{id}.jpg,\"\"\"{made}\"\"\"\n")
    });
    let rows = write(&place, "rows.csv", &rows);
    let nested = lines("", |_, id, _, made| {
        serde_json::json!({"meta": {"file": id}, "out": [{"text": made}]}).to_string() + "\n"
    });
    let nested = write(&place, "nested.jsonl", &nested);

    for (submission, references, more) in [
        (&both, &both, &[][..]),
        (&plain, &karpathy, &[]),
        (&rows, &tokens, &[]),
        (&nested, &two, &["--fields", "image=meta.file,caption=out.text"]),
    ] {
        let record = place.record(submission, references, more);
        assert_eq!(number(&record, "/references"), 8.0, "{}", references.display());
        assert_eq!(number(&record, "/fgd_paired/value"), expected, "{}", references.display());
    }
    let found = place.record(&both, &both, &[]);
    let kinds: Vec<(&str, &str)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["input"].as_str().unwrap(), finding["kind"].as_str().unwrap()))
        .collect();
    for expected in [
        ("submission", "column-choice"),
        ("references", "column-choice"),
        ("references", "list-cells"),
    ] {
        assert!(kinds.contains(&expected), "{kinds:?}");
    }
}

#[test]
fn columns_named_for_the_submission_alone_leave_the_references_theirs() {
    let place = Place::new();
    let plain = lines("image_id,caption\n", |_, id, [one, _], _| format!("{id},{one}\n"));
    let plain = write(&place, "refs.csv", &plain);
    let own = lines("number,made\n", |_, id, _, made| format!("{id},{made}\n"));
    let own = write(&place, "own.csv", &own);
    let same = lines("image_id,made\n", |_, id, _, made| format!("{id},{made}\n"));
    let same = write(&place, "same.csv", &same);
    let nested = lines("", |_, id, _, made| {
        serde_json::json!({"meta": {"file": id}, "out": [{"text": made}]}).to_string() + "\n"
    });
    let nested = write(&place, "nested.jsonl", &nested);
    for (submission, flags, taken) in [
        (&same, &["--caption-column", "made"][..], &["captions are taken from `caption`"][..]),
        (
            &own,
            &["--id-column", "number", "--caption-column", "made"],
            &["ids are taken from `image_id`", "captions are taken from `caption`"],
        ),
        // What both have is taken of both.
        (
            &same,
            &["--id-column", "image_id", "--caption-column", "made"],
            &["captions are taken from `caption`"],
        ),
        (
            &nested,
            &["--fields", "image=meta.file,caption=out.text"],
            &["ids are taken from `image_id`", "captions are taken from `caption`"],
        ),
    ] {
        for more in [&[][..], &["--exact"]] {
            let record = place.record(submission, &plain, &[flags, more].concat());
            let found = record["findings"].as_array().unwrap().iter();
            let notes = found.filter(|found| found["input"] == "references");
            let notes: Vec<_> = notes.map(|note| note["message"].as_str().unwrap()).collect();
            assert_eq!(notes.len(), taken.len(), "{flags:?}: {notes:?}");
            for (note, taken) in notes.iter().zip(taken) {
                assert!(note.contains(taken), "{flags:?}: {notes:?}");
            }
        }
    }
    // A column that is named for the references has to be there.
    let mut command = place.score(&same, &plain);
    command.args(["--caption-column", "made", "--reference-caption-column", "made"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no column `made`"), "{}", stderr(&output));
}

#[test]
fn captions_alone_do_where_ids_mean_nothing() {
    let place = Place::new();
    let lines = write(&place, "sub.txt", &lines("", |_, _, _, made| format!("{made}\n")));
    let csv = write(&place, "sub.csv", &("caption\n".to_owned() + &MADE.join("\n")));
    let references =
        write(&place, "refs.csv", "image_id,caption\n1,a dog\n2,two cats\n3,a bus\n4,rain\n");
    let set = |file: &std::path::Path| {
        number(&place.record(file, &references, &["--unpaired"]), "/fgd_set/value")
    };
    assert_eq!(set(&lines), set(&csv));
    // An extension is one in any case.
    for (command, output) in [("embed", "out.NPY"), ("moments", "out.npz")] {
        let mut fgd = place.fgd();
        fgd.arg(command).arg(&lines).arg("-o").arg(place.path(output));
        fgd.arg("--encoder").arg(crate::program::fixture("encoder/tiny-mean")).assert().success();
    }
    let output = place.score(&csv, &references).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("no column of ids"), "{}", stderr(&output));
}

#[test]
fn what_is_doubtful_is_said() {
    let place = Place::new();
    let references = lines("image_id,caption\n", |_, id, [one, _], _| format!("{id},{one}\n"));
    let references = write(&place, "refs.csv", &references);
    let said = |name: &str, content: &str, against: &std::path::Path, code: i32| {
        let output = place.score(&write(&place, name, content), against).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        said
    };
    // Two columns of ids that pair differently.
    let swapped = "id,image,caption\n12,11.jpg,a\n11,12.jpg,b\n14,13.jpg,c\n13,14.jpg,d\n";
    assert!(said("a.csv", swapped, &references, 4).contains("--id-column image or --id-column id"));
    // Nothing known: one id of each side, and no caption of the references.
    let other = said("b.csv", "image_id,caption\nx7,a\nx8,b\n", &references, 4);
    assert!(
        other.contains("`x7`") && other.contains("`11`") && !other.contains("bicycle"),
        "{other}"
    );
    // The references themselves.
    let same = std::fs::read_to_string(&references).unwrap();
    assert!(said("c.csv", &same, &references, 0).contains("note[equals-references]"));
    // Words instead of references.
    let words = r#"[{"image_id": 11, "caption": ["a", "blue", "bicycle"]}, {"image_id": 12, "caption": ["four", "people", "wait"]}]"#;
    let words = write(&place, "words.json", words);
    assert!(
        said("d.csv", "image_id,caption\n11,a b\n12,c d\n", &words, 1)
            .contains("the lists hold words")
    );
    // What a file is, in a word.
    let mut validate = place.fgd();
    let karpathy =
        r#"{"images": [{"filename": "a.jpg", "sentences": [{"raw": "one"}, {"raw": "two"}]}]}"#;
    validate.arg("validate").arg(write(&place, "k.json", karpathy)).args(["--format", "json"]);
    let found = json(validate.args(["--role", "references"]));
    assert_eq!((&found["format"], &found["captions"]), (&"Karpathy split file".into(), &2.into()));
    // Arrays of other names.
    let mut archive = Vec::new();
    archive.extend(b"PK\x05\x06");
    archive.extend([0; 18]);
    std::fs::write(place.path("m.npz"), archive).unwrap();
    let output = place.score(&place.path("m.npz"), &references).arg("--unpaired").output().unwrap();
    assert!(stderr(&output).contains("no array `mu`"), "{}", stderr(&output));
}
