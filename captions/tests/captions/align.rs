//! Alignment by id: what is matched, what is reported, and what stays hidden.

use std::path::PathBuf;

use fgd_captions::{
    Alignment, CaptionFile, Finding, FindingKind, ReadOptions, Severity, align, check_template,
    read, read_template,
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
    assert_eq!(alignment.ids, ["1", "2", "3", "dog", "00005"], "as the references spell them");
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
fn a_file_of_other_images_is_one_error_that_shows_no_ids_of_the_references() {
    let submission = file(&[("a red bus", "17"), ("two dogs", "18")]);
    let (alignment, images) = aligned(&submission, &file(&[("1717", "A"), ("1818", "B")]));
    assert_eq!(images.len(), 0);
    assert_eq!(found(&alignment.findings), [(FindingKind::NoCommonId, None, None)]);
    let message = &alignment.findings[0].message;
    assert!(message.contains("swapped") && !message.contains("1717"), "{message}");
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
