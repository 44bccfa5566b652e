//! Alignment by id: what is matched, what is reported, and what stays hidden.

use std::path::PathBuf;

use fgd_captions::{
    Alignment, CaptionFile, Finding, FindingKind, Format, Known, ReadOptions, Severity, align,
    check_template, equals_references, read, read_template, settle_by_references, settle_ids,
};

fn write(content: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("captions.csv");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn file(rows: &[(&str, &str)]) -> CaptionFile {
    let rows: String = rows.iter().map(|(id, caption)| format!("{id},{caption}\n")).collect();
    let (_folder, path) = write(&format!("image_id,caption\n{rows}"));
    read(&path, &ReadOptions::default()).unwrap()
}

fn found(findings: &[Finding]) -> Vec<(FindingKind, Option<u64>, Option<&str>)> {
    findings.iter().map(|finding| (finding.kind, finding.row, finding.id.as_deref())).collect()
}

/// For each scored image its candidate and its references.
fn aligned(
    submission: &CaptionFile,
    references: &CaptionFile,
) -> (Alignment, Vec<(String, String, Vec<String>)>) {
    let alignment = align(submission, references);
    let images = (0..alignment.ids.len())
        .map(|image| {
            let texts =
                alignment.references[image].iter().map(|&at| references.captions[at].text.clone());
            let candidate = submission.captions[alignment.candidate[image]].text.clone();
            (alignment.ids[image].clone(), candidate, texts.collect())
        })
        .collect();
    (alignment, images)
}

#[test]
fn rows_in_another_order_are_aligned_by_id() {
    let submission = file(&[("3", "c"), ("1", "a"), ("2", "b")]);
    let references = file(&[("1", "A"), ("2", "B"), ("3", "C"), ("1", "AA")]);
    let (alignment, images) = aligned(&submission, &references);
    assert_eq!(alignment.findings, []);
    let expected = [("1", "a", vec!["A", "AA"]), ("2", "b", vec!["B"]), ("3", "c", vec!["C"])];
    for (image, (id, candidate, texts)) in images.iter().zip(expected) {
        assert_eq!((image.0.as_str(), image.1.as_str()), (id, candidate));
        assert_eq!(image.2, texts);
    }
    assert_eq!(images.len(), 3);
}

#[test]
fn missing_extra_and_duplicate_ids_are_all_reported() {
    let submission = file(&[("1", "a"), ("9", "z"), ("1", "a"), ("", "no id"), ("1", "b")]);
    let references = file(&[("1", "SECRET"), ("2", "SECRET"), ("3", "SECRET")]);
    let (alignment, images) = aligned(&submission, &references);
    assert_eq!(
        found(&alignment.findings),
        [
            (FindingKind::DuplicateId, Some(3), Some("1")),
            (FindingKind::DuplicateId, Some(5), Some("1")),
            (FindingKind::ExtraId, Some(2), Some("9")),
            (FindingKind::MissingId, None, Some("2")),
            (FindingKind::MissingId, None, Some("3")),
        ]
    );
    assert!(alignment.findings.iter().all(|finding| finding.severity == Severity::Error));
    assert!(alignment.findings[0].message.contains("row 1"));
    assert!(alignment.findings.iter().all(|finding| !finding.to_string().contains("SECRET")));
    assert_eq!(images.len(), 1);
    assert_eq!(images[0].1, "a", "the first caption of an id counts");
}

#[test]
fn ids_that_differ_in_spelling_are_matched_and_noted() {
    let submission =
        file(&[("img/0001.jpg", "a"), ("2.0", "b"), ("003", "c"), ("dog.PNG", "d"), ("5", "e")]);
    let references = file(&[("1", "A"), ("2", "B"), ("3", "C"), ("dog", "D"), ("00005", "E")]);
    let (alignment, images) = aligned(&submission, &references);
    assert_eq!(images.len(), 5);
    assert_eq!(alignment.ids, ["00005", "1", "2", "3", "dog"], "as the references spell them");
    assert_eq!(
        found(&alignment.findings),
        [
            (FindingKind::IdZeroPadding, Some(1), Some("img/0001.jpg")),
            (FindingKind::IdFloat, Some(2), Some("2.0")),
            (FindingKind::IdZeroPadding, Some(3), Some("003")),
            (FindingKind::IdExtension, Some(4), Some("dog.PNG")),
            (FindingKind::IdZeroPadding, Some(5), Some("5")),
        ]
    );
    assert!(alignment.findings.iter().all(|finding| finding.severity == Severity::Note));
}

#[test]
fn only_exact_ids_count_where_spellings_come_together() {
    // Both `1` and `01` are wanted; `1.jpg` could be either.
    let (alignment, images) = aligned(
        &file(&[("1.jpg", "?"), ("2", "b")]),
        &file(&[("1", "A"), ("01", "AA"), ("2", "B")]),
    );
    assert_eq!(images.len(), 1);
    assert_eq!(alignment.findings.iter().filter(|f| f.kind == FindingKind::MissingId).count(), 2);
    // Both `1.jpg` and `1.png` are given; either could be `1`.
    let (alignment, images) = aligned(
        &file(&[("1.jpg", "?"), ("1.png", "?"), ("2", "b")]),
        &file(&[("1", "A"), ("2", "B")]),
    );
    assert_eq!(images.len(), 1);
    assert_eq!(alignment.findings.iter().filter(|f| f.kind == FindingKind::ExtraId).count(), 2);
    // Exact ids are matched whatever stands beside them.
    let both = file(&[("1", "a"), ("01", "b"), ("1.jpg", "c")]);
    let (alignment, images) = aligned(&both, &both);
    assert_eq!((images.len(), alignment.findings.len()), (3, 0));
}

#[test]
fn a_file_of_other_images_is_one_error_that_shows_an_id_of_each_side_and_no_caption() {
    let submission = file(&[("a red bus", "17"), ("two dogs", "18")]);
    let (alignment, images) = aligned(&submission, &file(&[("1717", "A"), ("1818", "B")]));
    assert_eq!(images.len(), 0);
    assert_eq!(found(&alignment.findings), [(FindingKind::NoCommonId, None, None)]);
    let message = &alignment.findings[0].message;
    assert!(message.contains("`a red bus`") && message.contains("`1717`"), "{message}");
    let swapped = file(&[("A SECRET caption", "1")]);
    let (alignment, _) = aligned(&submission, &swapped);
    let message = &alignment.findings[0].message;
    assert!(message.contains("swapped") && !message.contains("SECRET"), "{message}");
}

#[test]
fn ids_that_went_through_other_hands_are_matched_and_noted() {
    let submission = file(&[
        ("COCO_val2014_000000000301.jpg", "a"),
        ("IMG_2.JPG", "b"),
        ("\u{200b}303", "c"),
        ("Cafe\u{301}.jpg", "d"),
        ("https://x.org/val/305.jpg?v=1", "e"),
        ("306.00", "f"),
    ]);
    let references = file(&[
        ("301", "A"),
        ("img_2.jpg", "B"),
        ("303", "C"),
        ("Caf\u{e9}.jpg", "D"),
        ("305", "E"),
        ("306", "F"),
    ]);
    let (alignment, images) = aligned(&submission, &references);
    let pairs: String =
        images.iter().map(|(_, candidate, texts)| candidate.clone() + &texts[0]).collect();
    assert_eq!(pairs, "aAcCeEfFdDbB", "in the order of the ids");
    let kinds: Vec<FindingKind> = alignment.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(
        kinds,
        [
            FindingKind::IdPrefix,
            FindingKind::IdCase,
            FindingKind::IdUnicode,
            FindingKind::IdUnicode,
            FindingKind::IdExtension,
            FindingKind::IdFloat,
        ]
    );
    // Two ids that differ only by case are two images where both are wanted.
    let (alignment, images) =
        aligned(&file(&[("aB.png", "?")]), &file(&[("aB", "A"), ("ab", "B"), ("AB", "C")]));
    assert_eq!(images.len(), 1, "{:?}", alignment.findings);
    let (_, images) = aligned(&file(&[("Ab", "?")]), &file(&[("aB", "A"), ("ab", "B")]));
    assert_eq!(images.len(), 0);
}

#[test]
fn the_column_that_holds_the_wanted_ids_is_the_one() {
    let settled = |content: &str, wanted: &[&str]| {
        let (_folder, path) = write(content);
        let mut file = read(&path, &ReadOptions::default()).unwrap();
        let wanted: Vec<String> = wanted.iter().map(|&id| id.to_owned()).collect();
        settle_ids(&mut file, &wanted, Known::All);
        let kinds: Vec<_> = file.findings.iter().map(|f| (f.kind, f.severity)).collect();
        (file.id_column.unwrap(), file.captions[0].id.clone(), kinds)
    };
    let note = (FindingKind::ColumnChoice, Severity::Note);
    let error = (FindingKind::ColumnChoice, Severity::Error);
    let doubled = (FindingKind::ColumnNames, Severity::Note);
    for (content, wanted, column, id, kinds) in [
        ("id,image,caption\n0,7.jpg,a\n1,8.jpg,b\n", ["7", "8"], "image", "7.jpg", vec![]),
        ("image,id,caption\nx/p,7,a\nx/q,8,b\n", ["7", "8"], "id", "7", vec![note]),
        (
            "image_id,file_name,caption\n1,7.jpg,a\n2,8.jpg,b\n",
            ["7", "8"],
            "file_name",
            "7.jpg",
            vec![note],
        ),
        ("id,image,caption\n8,7.jpg,a\n7,8.jpg,b\n", ["7", "8"], "image", "7.jpg", vec![error]),
        ("id,image,caption\n7,7.jpg,a\n8,8.jpg,b\n", ["7", "8"], "image", "7.jpg", vec![]),
        ("image_id,id,caption\n7,8,a\n8,7,b\n", ["7", "8"], "image_id", "7", vec![]),
        // A name that stands there twice, as it is and as pandas reads it.
        (
            "image_id,image_id,caption\n0,7,a\n1,8,b\n",
            ["7", "8"],
            "image_id.1",
            "7",
            vec![doubled, note],
        ),
        ("image_id,image_id.1,caption\n0,7,a\n1,8,b\n", ["7", "8"], "image_id.1", "7", vec![note]),
    ] {
        assert_eq!(
            settled(content, &wanted),
            (column.to_owned(), id.to_owned(), kinds),
            "{content}"
        );
    }
}

#[test]
fn a_sample_of_the_wanted_ids_decides_what_chance_does_not() {
    let wanted: Vec<String> = (0..40).map(|i| format!("{}", 10 * i)).collect();
    let settled = |images: std::ops::Range<usize>, ids: std::ops::Range<usize>| {
        let rows = images.zip(ids).map(|(image, id)| format!("{image},{id},a dog\n"));
        let (_folder, path) = write(&format!("image,id,caption\n{}", rows.collect::<String>()));
        let mut file = read(&path, &ReadOptions::default()).unwrap();
        settle_ids(&mut file, &wanted, Known::Sample);
        let found = file.findings.iter().map(|f| (f.severity, f.message.clone()));
        (file.id_column.unwrap(), found.collect::<Vec<_>>())
    };
    // 20 of one and none of the other.
    let (column, found) = settled(1000..1200, 0..200);
    assert_eq!((&*column, found[0].0), ("id", Severity::Note));
    assert!(found[0].1.contains("holds 20 of a sample of the wanted ids"), "{found:?}");
    assert_eq!(settled(0..200, 1000..1200), ("image".to_owned(), vec![]));
    // Three, which could be chance, and none of either.
    let (column, found) = settled(1000..1030, 0..30);
    assert_eq!((&*column, found[0].0), ("image", Severity::Error));
    assert!(found[0].1.contains("choose with --id-column image or --id-column id"), "{found:?}");
    let (column, found) = settled(1000..1030, 2000..2030);
    assert_eq!((&*column, found[0].0), ("image", Severity::Note));
}

#[test]
fn images_are_found_by_the_file_names_of_the_references() {
    let images = r#""images": [{"id": 1, "file_name": "VizWiz_val_7.jpg"}, {"id": 2, "file_name": "VizWiz_val_8.jpg"}]"#;
    let annotations =
        r#"[{"id": 5, "image_id": 1, "caption": "A"}, {"id": 6, "image_id": 2, "caption": "B"}"#;
    let settled = |given: &[(&str, &str)], more: &str| {
        let coco = format!("{{{images}, \"annotations\": {annotations}{more}]}}");
        let (_folder, path) = write(&coco);
        let options = ReadOptions { format: Some(Format::Json), ..ReadOptions::default() };
        let references = read(&path, &options).unwrap();
        let mut submission = file(given);
        settle_by_references(&mut submission, &references, Known::All);
        let ids = aligned(&submission, &references).0.ids;
        (ids, submission.findings.iter().map(|f| f.severity).collect::<Vec<_>>())
    };
    let both = ["1".to_owned(), "2".to_owned()];
    let names = [("x/vizwiz_val_8.PNG", "b"), ("VizWiz_val_7.jpg", "a")];
    assert_eq!(settled(&names, ""), (both.to_vec(), vec![Severity::Note]));
    assert_eq!(settled(&[("1", "a"), ("2", "b")], ""), (both.to_vec(), vec![]));
    // The numbers of annotations are no names of images, and neither is a name that two images have.
    assert_eq!(settled(&[("5", "a"), ("6", "b")], ""), (vec![], vec![Severity::Error]));
    let twice = r#", {"id": 7, "image_id": 3, "file_name": "VizWiz_val_8.jpg", "caption": "C"}"#;
    assert_eq!(settled(&names, twice), (vec![], vec![Severity::Error]));
}

#[test]
fn captions_that_are_the_references_are_noted() {
    let references = file(&[("1", "A"), ("1", "AA"), ("2", "B")]);
    let note = |submission: &CaptionFile| {
        let alignment = align(submission, &references);
        equals_references(submission, &references, Some(&alignment)).is_some()
    };
    assert!(note(&file(&[("1", "AA"), ("2", "B")])));
    assert!(!note(&file(&[("1", "AA"), ("2", "A")])));
    assert!(equals_references(&file(&[("9", "A")]), &references, None).is_some());
}

#[test]
fn templates_with_and_without_captions() {
    let submission = file(&[("1", "a dog"), ("2", "your caption"), ("4", "x")]);
    for (content, kinds) in [
        ("image_id\n1\n2\n3\n", vec![FindingKind::ExtraId, FindingKind::MissingId]),
        (
            "image_id,text\n1,your caption\n2,your caption\n3,your caption\n",
            vec![
                FindingKind::ExtraId,
                FindingKind::MissingId,
                FindingKind::ColumnNames,
                FindingKind::PlaceholderCaption,
            ],
        ),
        ("1\n2\n4\n", vec![]),
    ] {
        let (_folder, path) = write(content);
        let template = read_template(&path, &ReadOptions::default()).unwrap();
        let findings = check_template(&submission, &template);
        let found: Vec<FindingKind> = findings.iter().map(|finding| finding.kind).collect();
        assert_eq!(found, kinds, "{content}");
    }
}
