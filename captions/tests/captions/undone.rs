//! What a program did to all captions of a file is undone, and what is damaged or lacks ids is read as far as it goes.

use fgd_captions::{FindingKind, Format, ReadOptions, Severity, is_valid};

use crate::written::{has, read_as, references, submission, told};

#[test]
fn cells_are_undone_where_a_program_did_the_same_to_all() {
    for (content, expected, kind) in [
        (
            "image_id,caption\n7,\"['a bus', 'a red bus']\"\n8,['dogs']\n",
            "7=a bus | 7=a red bus | 8=dogs",
            FindingKind::ListCells,
        ),
        (
            "image_id\tcaption\n7\t[{\"caption\": \"a bus\", \"conf\": 0.9}]\n8\t[{\"caption\": \"dogs\"}]\n",
            "7=a bus | 8=dogs",
            FindingKind::ListCells,
        ),
        (
            "image_id,caption\n7,\"{'a bus', 'it'}\"\n8,{'dogs'}\n",
            "7=a bus | 7=it | 8=dogs",
            FindingKind::ListCells,
        ),
        (
            "image_id,caption\n7,a \\\"bus\\\"\n8,dogs\n",
            "7=a \"bus\" | 8=dogs",
            FindingKind::QuotedCaptions,
        ),
        ("image_id,caption\n7,['a bus' 'it''s']\n", "", FindingKind::ListCells),
        (
            "image_id,caption\n7,\"['a bus'\n 'a red bus']\"\n8,['dogs']\n",
            "7=a bus | 7=a red bus | 8=dogs",
            FindingKind::ListCells,
        ),
        (
            "image_id,caption\n7,\"\"\"a bus\"\"\"\n8,\"\"\"dogs\"\"\"\n",
            "7=a bus | 8=dogs",
            FindingKind::QuotedCaptions,
        ),
        (
            "image_id,caption\n7,'a bus'\n8,'dogs'\n",
            "7=a bus | 8=dogs",
            FindingKind::QuotedCaptions,
        ),
    ] {
        let file = submission("a.csv", content);
        let (severity, expected) = match expected {
            "" => (Severity::Error, told(&file)),
            other => (Severity::Note, other.to_owned()),
        };
        assert!(has(&file, kind, severity), "{content}: {:?}", file.findings);
        assert_eq!(told(&file), expected);
    }
    // Other columns stay beside their captions.
    let file = submission("a.csv", "image_id,caption,label\n7,\"['a', 'b']\",x\n8,['c'],y\n");
    let labels: Vec<_> = file.column("label").unwrap().into_iter().flatten().collect();
    assert_eq!(labels, ["x", "x", "y"]);
    for (content, expected) in [
        ("sep=;\nimage_id;caption\n7;a bus, red\n8;dogs\n", "7=a bus, red | 8=dogs"),
        ("\u{feff}\"sep=,\"\r\nimage_id,caption\r\n7,a bus\r\n", "7=a bus"),
        (
            "image_id, caption\n7, \"a bus, red\"\n8, \"dogs \"\"x\"\"\"\n",
            "7=a bus, red | 8=dogs \"x\"",
        ),
        ("image_id,caption\n7,\"he said, \"\"a\"\"\"\n8,dogs\n", "7=he said, \"a\" | 8=dogs"),
    ] {
        let file = submission("a.csv", content);
        assert_eq!(told(&file), expected, "{content}");
        assert!(is_valid(&file.findings), "{content}: {:?}", file.findings);
    }
}

#[test]
fn lists_of_words_are_no_references() {
    for (name, content) in [
        (
            "a.json",
            r#"[{"image_id": 7, "caption": ["a", "green", "kite", "."]}, {"image_id": 8, "caption": ["two", "chefs", "fold"]}]"#,
        ),
        (
            "a.csv",
            "image_id,caption\n7,\"['a', 'green', 'kite', '.']\"\n8,\"['two', 'chefs', 'fold']\"\n",
        ),
        ("a.json", r#"[{"image_id": 7, "captions": [["a", "green", "kite"], ["a", "kite"]]}]"#),
    ] {
        assert!(
            has(&references(name, content), FindingKind::WordList, Severity::Error),
            "{content}"
        );
    }
    for content in [
        r#"[{"image_id": 7, "caption": ["dog", "a dog runs", "puppy"]}]"#,
        r#"[{"image_id": 7, "caption": ["dog", "puppy"]}]"#,
        r#"[{"image_id": 7, "caption": ["一只狗在跑", "狗在草地上跑", "一只棕色的狗"]}]"#,
    ] {
        let file = references("a.json", content);
        assert!(!has(&file, FindingKind::WordList, Severity::Error), "{content}");
    }
}

#[test]
fn damage_stays_in_its_record() {
    let with = |middle: &str| {
        format!(
            r#"[{{"image_id": 7, "caption": "a bus"}}, {middle}, {{"image_id": 9, "caption": "a cat"}}]"#
        )
    };
    for (middle, kind) in [
        (r#"{"image_id": 8, "caption": NaN}"#, FindingKind::NullCaption),
        (r#"{"image_id": 8, "caption": "dogs \ud83d"}"#, FindingKind::BrokenJson),
        (r#"{"image_id": 8, "caption": "dogs\q"}"#, FindingKind::BrokenJson),
        (r#"{"image_id": 8 "caption": "dogs"}"#, FindingKind::BrokenJson),
    ] {
        let file = submission("a.json", &with(middle));
        let errors: Vec<_> = file
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .map(|f| (f.kind, f.row))
            .collect();
        assert_eq!(errors, [(kind, Some(2))], "{middle}: {:?}", file.findings);
        let told = told(&file);
        assert!(told.starts_with("7=a bus") && told.ends_with("9=a cat"), "{told}");
        let lines = with(middle).replace("}, {", "}\n{");
        let file = submission("a.jsonl", lines.trim_matches(['[', ']']));
        assert!(file.findings.iter().any(|f| f.kind == kind && f.row == Some(2)), "{lines}");
    }
    let file =
        submission("a.json", &with(r#"{"image_id": 98765432109876543210, "caption": "dogs"}"#));
    assert_eq!(told(&file), "7=a bus | 98765432109876543210=dogs | 9=a cat");
    let file = submission("a.csv", "image_id,caption\n7,a bus\n8,a\0b\n");
    assert_eq!(file.captions.len(), 2);
    let found = fgd_captions::lint(&file);
    assert!(found.iter().any(|f| f.kind == FindingKind::ControlCharacter && f.row == Some(2)));
}

#[test]
fn captions_alone_are_read_where_ids_mean_nothing() {
    let options = ReadOptions { without_ids: true, ..ReadOptions::default() };
    for (name, content, format) in [
        ("a.csv", "caption\na bus\n\"dogs, two\"\n", Format::Csv),
        ("a.txt", "a bus\ndogs, two\n", Format::Lines),
        ("a", "a bus\r\n\r\ndogs, two", Format::Lines),
        ("a.json", r#"["a bus", "dogs, two"]"#, Format::Json),
        ("a.jsonl", "{\"caption\": \"a bus\"}\n{\"caption\": \"dogs, two\"}\n", Format::Jsonl),
        ("a.jsonl", "\"a bus\"\n\"dogs, two\"\n", Format::Jsonl),
    ] {
        let file = read_as(name, content, &options).unwrap();
        assert_eq!(told(&file), "=a bus | =dogs, two", "{name}");
        assert_eq!(file.format, format, "{name}");
        assert!(is_valid(&file.findings), "{:?}", file.findings);
    }
    for (content, said) in [("a bus\n\n \nmore\n\n", true), ("a bus\nmore\n\n\n", false)] {
        let file = read_as("a.txt", content, &options).unwrap();
        let notes: Vec<&str> = file.findings.iter().map(|f| f.message.as_str()).collect();
        let is_said = |note: &&str| note.contains("do not count (2, the first is line 2)");
        assert_eq!(notes.iter().any(is_said), said, "{notes:?}");
    }
    for content in ["7.jpg,a bus\n8.jpg,two dogs\n", "7.jpg#0\ta bus\n8.jpg#1\ttwo dogs\n"] {
        let file = read_as("a.txt", content, &options).unwrap();
        assert_eq!(told(&file), "7.jpg=a bus | 8.jpg=two dogs");
    }
    for (name, content) in [("a.csv", "caption\na bus\n"), ("a.txt", "a bus\nmore\n")] {
        let message = read_as(name, content, &ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains("ids"), "{message}");
    }
}
