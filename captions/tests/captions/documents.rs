//! The files of other programs are read as what they are, in either role, and what is doubtful is said.

use fgd_captions::{FindingKind, ReadOptions, Role, Severity, is_valid, read};

use crate::written::{has, read_as, references, submission, told};

#[test]
fn known_documents_are_named_and_read() {
    for (document, name, content, as_submission, as_references) in [
        (
            "Anthropic batch output",
            "a.jsonl",
            r#"{"custom_id": "7", "result": {"type": "succeeded", "message": {"role": "assistant", "content": [{"type": "text", "text": "a bus"}]}}}"#,
            "7=a bus",
            "7=a bus",
        ),
        (
            "Gemini batch output",
            "a.jsonl",
            r#"{"key": "7", "response": {"candidates": [{"content": {"parts": [{"text": "a bus"}], "role": "model"}}]}}"#,
            "7=a bus",
            "7=a bus",
        ),
        (
            "Karpathy table",
            "a.csv",
            "filename,imgid,cocoid,sentids,sentences\nCOCO_7.jpg,0,7,\"[1, 2]\",\"['a bus', 'a red bus']\"\n",
            "7=a bus | 7=a red bus",
            "7=a bus | 7=a red bus",
        ),
        (
            "Karpathy split file",
            "a.json",
            r#"{"dataset": "coco", "images": [{"filename": "7.jpg", "cocoid": 7, "split": "test", "sentences": [{"raw": "a bus", "tokens": ["a", "bus"]}, {"raw": "a red bus", "tokens": []}]}]}"#,
            "7.jpg=a bus | 7.jpg=a red bus",
            "7.jpg=a bus | 7.jpg=a red bus",
        ),
        (
            "TextCaps file",
            "a.json",
            r#"{"dataset_type": "val", "dataset_name": "textcaps", "data": [{"image_id": "0a", "caption_str": "a sign", "reference_strs": ["a sign", "x"]}]}"#,
            "0a=a sign",
            "0a=a sign",
        ),
        (
            "VizWiz annotations",
            "a.json",
            r#"{"images": [{"id": 1, "file_name": "VizWiz_1.jpg"}], "annotations": [{"image_id": 1, "caption": "a can", "is_rejected": false, "is_precanned": false}, {"image_id": 1, "caption": "Quality issues", "is_rejected": true, "is_precanned": true}, {"image_id": 2, "caption": "canned", "is_rejected": 0, "is_precanned": 1}]}"#,
            "1=a can",
            "1=a can",
        ),
        (
            "COCO annotations",
            "nocaps.json",
            r#"{"images": [{"id": 4, "open_images_id": "f0", "file_name": "f0.jpg"}], "annotations": [{"image_id": 4, "id": 0, "caption": "a bed"}]}"#,
            "4=a bed",
            "4=a bed",
        ),
        (
            "localized narratives",
            "a.jsonl",
            "{\"dataset_id\": \"x\", \"image_id\": \"9f\", \"annotator_id\": 3, \"caption\": \"In this image\", \"timed_caption\": []}\n",
            "9f=In this image",
            "9f=In this image",
        ),
        (
            "LLaVA conversations",
            "a.json",
            r#"[{"id": "0", "image": "coco/7.jpg", "conversations": [{"from": "human", "value": "<image>\nDescribe."}, {"from": "gpt", "value": "a bus"}]}]"#,
            "coco/7.jpg=a bus",
            "coco/7.jpg=a bus",
        ),
        (
            "LLaVA answers",
            "a.jsonl",
            "{\"question_id\": 7, \"prompt\": \"Describe.\", \"text\": \"a bus\", \"answer_id\": \"k\", \"model_id\": \"m\"}\n",
            "7=a bus",
            "7=a bus",
        ),
        (
            "chat messages",
            "a.json",
            r#"[{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "a bus"}], "images": ["7.jpg"]}]"#,
            "7.jpg=a bus",
            "7.jpg=a bus",
        ),
        (
            "inspect_ai log",
            "a.json",
            r#"{"version": 2, "eval": {"task": "captions"}, "samples": [{"id": 7, "epoch": 1, "input": "Describe.", "target": "A red bus.", "output": {"completion": "a bus"}}]}"#,
            "7=a bus",
            "7=A red bus.",
        ),
        (
            "lmms-eval samples",
            "a.jsonl",
            "{\"doc_id\": 0, \"doc\": {\"image_id\": 7}, \"target\": [\"A red bus.\", \"A bus.\"], \"resps\": [[\"a bus \"]], \"filtered_resps\": [\"a bus\"]}\n",
            "7=a bus",
            "7=A red bus. | 7=A bus.",
        ),
        (
            "answer of the Hugging Face dataset viewer",
            "a.json",
            r#"{"features": [], "rows": [{"row_idx": 0, "row": {"image_id": 7, "caption": "a bus"}, "truncated_cells": []}]}"#,
            "7=a bus",
            "7=a bus",
        ),
        (
            "OpenAI batch output",
            "a.jsonl",
            "{\"id\": \"b\", \"custom_id\": \"7.jpg\", \"response\": {\"body\": {\"choices\": [{\"message\": {\"content\": \"a bus\"}}]}}}\n",
            "7.jpg=a bus",
            "7.jpg=a bus",
        ),
        (
            "VLMEvalKit table",
            "a.tsv",
            "index\timage\tquestion\tanswer\tprediction\n7\t/9j/4AAQ\tDescribe.\t['A red bus.', 'A bus.']\ta bus\n8\t/9j/4AAR\tDescribe.\t['Two dogs.']\tdogs\n",
            "7=a bus | 8=dogs",
            "7=A red bus. | 7=A bus. | 8=Two dogs.",
        ),
        (
            "Flickr30k results file",
            "results.csv",
            "image_name| comment_number| comment\n7.jpg| 0| A bus , red .\n7.jpg| 1| A bus .\n",
            "7.jpg=A bus , red . | 7.jpg=A bus .",
            "7.jpg=A bus , red . | 7.jpg=A bus .",
        ),
        (
            "Clotho caption file",
            "a.csv",
            "file_name,caption_1,caption_2,caption_3\n7.wav,rain falls,it rains,\n",
            "7.wav=rain falls | 7.wav=it rains",
            "7.wav=rain falls | 7.wav=it rains",
        ),
        (
            "Flickr8k token file, without the number (#0) behind each id",
            "tokens.txt",
            "7_a.jpg#0\tA bus , red .\n7_a.jpg#1\tA bus .\n",
            "7_a.jpg=A bus , red . | 7_a.jpg=A bus .",
            "7_a.jpg=A bus , red . | 7_a.jpg=A bus .",
        ),
    ] {
        let file = submission(name, content);
        assert_eq!(told(&file), as_submission, "{document}");
        assert_eq!(file.document, Some(document));
        assert!(is_valid(&file.findings), "{document}: {:?}", file.findings);
        let is_noted = has(&file, FindingKind::Document, Severity::Note);
        assert_eq!(is_noted, !document.starts_with("COCO"), "{document}");
        assert_eq!(told(&references(name, content)), as_references, "{document}");
    }
    let vizwiz = r#"{"annotations": [{"image_id": 1, "caption": "a", "is_rejected": true}, {"image_id": 2, "caption": "b", "is_rejected": false}]}"#;
    let file = submission("a.json", vizwiz);
    assert!(has(&file, FindingKind::LeftOut, Severity::Note));
    assert_eq!(told(&file), "2=b");
}

#[test]
fn objects_are_read_by_what_is_in_them_and_their_own_keys_are_no_captions() {
    for content in [
        r#"{"columns": ["image_id", "caption"], "index": [0, 1], "data": [[7, "a bus"], [8, "dogs"]]}"#,
        r#"{"image_id": {"0": 7, "1": 8}, "caption": {"0": "a bus", "1": "dogs"}}"#,
        r#"{"image_id": [7, 8], "caption": ["a bus", "dogs"]}"#,
        r#"{"image_ids": [7, 8], "captions": ["a bus", "dogs"]}"#,
        r#"{"columns": ["caption"], "index": [7, 8], "data": [["a bus"], ["dogs"]]}"#,
        r#"{"schema": {"fields": []}, "data": [{"index": 0, "image_id": 7, "caption": "a bus"}, {"index": 1, "image_id": 8, "caption": "dogs"}]}"#,
        r#"{"0": {"image_id": 7, "caption": "a bus"}, "1": {"image_id": 8, "caption": "dogs"}}"#,
        r#"[[7, "a bus"], [8, "dogs"]]"#,
        r#"{"7": [{"caption": "a bus"}], "8": [{"caption": "dogs"}]}"#,
        r#"{"7": {"caption": "a bus"}, "8": {"caption": "dogs"}}"#,
        r#"{"7": "a bus", "8": [{"caption": "dogs"}]}"#,
        r#"{"7": [{"caption": "a bus"}], "8": ["dogs"]}"#,
        r#"{"7": ["a bus"], "8": [{"caption": "dogs", "id": 3}]}"#,
        r#"{"results": [{"image_id": 7, "caption": "a bus"}, {"image_id": 8, "caption": "dogs"}], "model": "m", "epoch": 3}"#,
        r#"{"model": "m", "config": {"beams": 3}, "predictions": [{"image_id": 7, "pred": "a bus"}, {"image_id": 8, "pred": "dogs"}]}"#,
        r#"{"model": "m", "epoch": 3, "results": {"7": "a bus", "8": "dogs"}}"#,
        r#"{"videos": [{"video_id": "7"}], "sentences": [{"video_id": 7, "caption": "a bus"}, {"video_id": 8, "caption": "dogs"}]}"#,
        r#"{"train": [{"image_id": 7, "caption": "a bus"}], "val": [{"image_id": 8, "caption": "dogs"}]}"#,
        r#"[{"image": {"bytes": null, "path": "7"}, "caption": "a bus"}, {"image": {"path": "8"}, "caption": "dogs"}]"#,
        "{\n  \"image_id\": 7,\n  \"caption\": \"a bus\"\n}\n{\n  \"image_id\": 8,\n  \"caption\": \"dogs\"\n}\n",
    ] {
        for name in ["a.json", "a.jsonl"] {
            if name == "a.jsonl" && !content.starts_with("{\n") {
                continue;
            }
            let file = submission(name, content);
            assert_eq!(told(&file), "7=a bus | 8=dogs", "{content}");
            assert!(is_valid(&file.findings), "{content}: {:?}", file.findings);
        }
    }
}

#[test]
fn what_names_a_role_is_taken_by_it_and_what_has_no_ids_is_refused() {
    let both = r#"{"predictions": [{"image_id": 7, "caption": "a bus"}], "references": [{"image_id": 7, "caption": "A bus."}]}"#;
    let file = submission("a.json", both);
    assert_eq!(told(&file), "7=a bus");
    assert!(has(&file, FindingKind::ColumnChoice, Severity::Note), "{:?}", file.findings);
    assert_eq!(told(&references("a.json", both)), "7=A bus.");
    let numbered = r#"{"ref_1": [{"caption": "a bus"}], "ref_2": [{"caption": "dogs"}]}"#;
    assert_eq!(told(&submission("a.json", numbered)), "ref_1=a bus | ref_2=dogs");
    for (name, content) in [
        ("a.json", r#"{"captions": ["a bus", "dogs"], "scores": [1, 2]}"#),
        ("a.json", r#"[{"caption": "a bus"}, {"caption": "dogs"}]"#),
        ("a.json", r#"{"columns": ["caption"], "index": [0, 1], "data": [["a bus"], ["dogs"]]}"#),
        ("a.jsonl", "{\"caption\": \"a bus\"}\n{\"caption\": \"dogs\"}\n"),
    ] {
        let message = read_as(name, content, &ReadOptions::default()).unwrap_err().to_string();
        assert!(message.contains("--id-column") && message.contains("`caption"), "{message}");
    }
}

#[test]
fn parquet_holds_what_other_programs_put_into_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/fuzz/parquet");
    for (name, expected) in [
        ("structs.parquet", "1=a bus | 1=a red bus | 2=two dogs"),
        // pandas keeps an index of evenly spaced numbers in the file's metadata alone.
        ("range-index.parquet", "7=a bus | 9=two dogs"),
        ("nocaps.parquet", "7=a bus | 7=a red bus | 8=two dogs"),
    ] {
        let file = read(&folder.join(name), &ReadOptions::default()).unwrap();
        assert_eq!(told(&file), expected, "{name}");
        assert!(is_valid(&file.findings), "{name}: {:?}", file.findings);
    }
}

#[test]
fn fields_lead_into_any_nested_record() {
    let ask = |id: &str, caption: &str, content: &str| {
        let options = ReadOptions {
            id_column: Some(id.into()),
            caption_column: Some(caption.into()),
            ..ReadOptions::default()
        };
        let name = if content.starts_with("{\"a\"") { "a.jsonl" } else { "a.json" };
        read_as(name, content, &options).map(|file| told(&file))
    };
    for (id, caption, content) in [
        ("meta.file", "out[].text", r#"[{"meta": {"file": "7"}, "out": [{"text": "a bus"}]}]"#),
        (
            "data.items.file",
            "data.items[].talk[who=model].say",
            r#"{"data": {"n": 1, "items": [{"file": "7", "talk": [{"who": "user", "say": "?"}, {"who": "model", "say": "a bus"}]}]}}"#,
        ),
        (
            "images[split=test].name",
            "images[split=test].s.raw",
            r#"{"images": [{"name": "7", "split": "test", "s": [{"raw": "a bus"}]}, {"name": "8", "split": "val", "s": [{"raw": "x"}]}]}"#,
        ),
        ("a.b", "c.d", "{\"a\": {\"b\": 7}, \"c\": {\"d\": \"a bus\"}}\n"),
        ("x.id", "x.t", r#"{"results": [{"x": {"id": 7, "t": "a bus"}}], "model": "m"}"#),
    ] {
        assert_eq!(ask(id, caption, content).unwrap(), "7=a bus", "{id} {caption}");
    }
    let message = ask("x.id", "x.nothing", r#"[{"x": {"id": 7}}]"#).unwrap_err().to_string();
    assert!(message.contains("`x.nothing`") && message.contains("`x`"), "{message}");
}

/// Two pictures in records that no convention leads to.
const NESTED: &str = r#"{"meta": {"model": "m"}, "data": {"preds": [
    {"img": {"id": "7", "url": "http://x/7"}, "out": [{"text": "a red bus", "p": 0.5}]},
    {"img": {"id": "8", "url": "http://x/8"}, "out": [{"text": "two dogs", "p": 0.5}]}]}}"#;

fn refused(name: &str, content: &str, id: Option<&str>, caption: Option<&str>) -> String {
    let [id_column, caption_column] = [id, caption].map(|path| path.map(str::to_owned));
    let options = ReadOptions { id_column, caption_column, ..ReadOptions::default() };
    read_as(name, content, &options).map(|file| file.findings).unwrap_err().to_string()
}

#[test]
fn nested_records_are_said_to_need_fields() {
    for (name, content, fields) in [
        ("a.json", NESTED, "--fields image=data.preds.img.id,caption=data.preds.out.text"),
        (
            "b.json",
            r#"[{"img": {"key": "1"}, "out": {"text": "a bus"}}]"#,
            "--fields image=img.key,caption=out.text",
        ),
        (
            "c.jsonl",
            "{\"img\": {\"key\": \"1\"}, \"out\": {\"said\": \"a bus stops here\"}}\n",
            "--fields image=img.key,caption=out.said",
        ),
        (
            "d.json",
            r#"[{"image_id": 7, "prediction": {"best": {"text": "a bus"}}}]"#,
            "--fields image=image_id,caption=prediction.best.text",
        ),
    ] {
        let message = refused(name, content, None, None);
        assert!(message.ends_with(fields), "{name}: {message}");
    }
    let parquet = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fixtures/fuzz/parquet/nested.parquet");
    let message = read(&parquet, &ReadOptions::default()).unwrap_err().to_string();
    assert!(message.ends_with("--fields image=meta.image.id,caption=out.text"), "{message}");
    assert!(message.contains("`tags`"), "what is no column of ids is named too: {message}");
    let options = ReadOptions { role: Role::References, ..ReadOptions::default() };
    let message = read_as("a.json", NESTED, &options).unwrap_err().to_string();
    assert!(message.contains("--reference-fields image=data."), "{message}");
    // Nothing is nested, or what is missing is no path.
    let message = refused("a.json", r#"[{"image_id": 7, "said": "a bus stops here"}]"#, None, None);
    assert!(message.ends_with("choose one with --caption-column NAME"), "{message}");
    let null = r#"[{"image_id": 7, "caption": null, "other": {"text": "a bus"}}]"#;
    assert!(has(&submission("a.json", null), FindingKind::NullCaption, Severity::Error));
}

#[test]
fn a_path_that_leads_nowhere_is_one_error() {
    let image = Some("data.preds.img.id");
    let text = Some("data.preds.out.text");
    for (id, caption, says) in [
        (Some("data.preds.img.idd"), text, "no record has a value at `data.preds.img.idd`"),
        (image, Some("data.preds.out.txt"), "no record has a value at `data.preds.out.txt`"),
        (Some("data.all.id"), Some("data.all.text"), "no record has a value at `data.all.id`"),
        (image, None, "give caption=PATH too"),
    ] {
        let message = refused("a.json", NESTED, id, caption);
        let ends = "try --fields image=data.preds.img.id,caption=data.preds.out.text";
        assert!(message.contains(says) && message.ends_with(ends), "{message}");
    }
}

#[test]
fn half_of_the_fields_leads_to_the_records_too() {
    let ask = |id: Option<&str>, caption: Option<&str>| {
        let content = r#"{"n": {"of": 1}, "data": {"items": [{"meta": {"id": 7}, "image_id": 8, "caption": "a", "best": {"text": "b"}}]}}"#;
        let [id_column, caption_column] = [id, caption].map(|path| path.map(str::to_owned));
        let options = ReadOptions { id_column, caption_column, ..ReadOptions::default() };
        told(&read_as("a.json", content, &options).unwrap())
    };
    assert_eq!(ask(Some("data.items.meta.id"), None), "7=a");
    assert_eq!(ask(None, Some("data.items.best.text")), "8=b");
}
