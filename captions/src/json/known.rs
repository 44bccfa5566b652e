//! Documents that people have, known by their keys: one row of the table each, and nothing else of them is in the code.
//!
//! A document that is not here is read by the conventions of [`column`](crate::column), or by `--fields`.

use serde_json::{Map, Value};

use super::path::Path;
use crate::column::Role;

/// One kind of document.
pub(super) struct Known {
    /// What it is called in messages.
    pub name: &'static str,
    /// Keys that the outermost object has; none for lists and for JSON Lines.
    root: &'static [&'static str],
    /// The keys that lead from the outermost object to the records, with dots between them.
    pub records: &'static str,
    /// Paths that lead to something in the first record.
    record: &'static [&'static str],
    /// Paths of the ids: the first that a record has. None: by convention.
    pub id: &'static [&'static str],
    /// Paths of the captions of submissions, likewise.
    made: &'static [&'static str],
    /// Paths of the captions of references, likewise.
    reference: &'static [&'static str],
    /// Truth values by which records are left out, and what their captions are then.
    pub left_out: &'static [(&'static str, &'static str)],
}

const PLAIN: Known = Known {
    name: "",
    root: &[],
    records: "",
    record: &[],
    id: &[],
    made: &[],
    reference: &[],
    left_out: &[],
};

/// The documents, the more particular ones first.
const DOCUMENTS: [Known; 22] = [
    Known {
        name: "Karpathy split file",
        root: &["images"],
        records: "images",
        record: &["sentences.raw"],
        id: &["filename", "cocoid", "imgid"],
        made: &["sentences.raw"],
        reference: &["sentences.raw"],
        ..PLAIN
    },
    Known {
        name: "Karpathy split file of words",
        root: &["images"],
        records: "images",
        record: &["sentences.tokens"],
        id: &["filename", "cocoid", "imgid"],
        made: &["sentences.tokens"],
        reference: &["sentences.tokens"],
        ..PLAIN
    },
    Known {
        name: "TextCaps file",
        root: &["data"],
        records: "data",
        record: &["image_id", "caption_str"],
        id: &["image_id"],
        made: &["caption_str"],
        reference: &["caption_str"],
        ..PLAIN
    },
    Known {
        name: "TextCaps file with lists of references",
        root: &["data"],
        records: "data",
        record: &["image_id", "reference_strs"],
        id: &["image_id"],
        made: &["reference_strs"],
        reference: &["reference_strs"],
        ..PLAIN
    },
    Known {
        name: "VizWiz annotations",
        root: &["annotations"],
        records: "annotations",
        record: &["image_id", "caption", "is_rejected"],
        id: &["image_id"],
        made: &["caption"],
        reference: &["caption"],
        left_out: &[("is_rejected", "rejected"), ("is_precanned", "precanned")],
    },
    Known {
        name: "COCO annotations",
        root: &["annotations"],
        records: "annotations",
        record: &["image_id"],
        ..PLAIN
    },
    Known {
        name: "inspect_ai log",
        root: &["eval", "samples"],
        records: "samples",
        record: &["id", "output"],
        id: &["id"],
        made: &["output.completion", "output.choices.message.content"],
        reference: &["target"],
        ..PLAIN
    },
    Known {
        name: "lmms-eval log",
        root: &["logs"],
        records: "logs",
        record: &["doc_id", "target"],
        id: LMMS_IDS,
        made: &["filtered_resps", "resps"],
        reference: &["target"],
        ..PLAIN
    },
    Known {
        name: "lmms-eval samples",
        record: &["doc_id", "target"],
        id: LMMS_IDS,
        made: &["filtered_resps", "resps"],
        reference: &["target"],
        ..PLAIN
    },
    Known {
        name: "answer of the Hugging Face dataset viewer",
        root: &["rows", "features"],
        records: "rows.row",
        ..PLAIN
    },
    Known {
        name: "pandas document (orient=\"table\")",
        root: &["schema", "data"],
        records: "data",
        ..PLAIN
    },
    Known {
        name: "localized narratives",
        record: &["image_id", "annotator_id", "caption"],
        id: &["image_id"],
        made: &["caption"],
        reference: &["caption"],
        ..PLAIN
    },
    Known {
        name: "LLaVA conversations",
        record: &["conversations[from=gpt].value"],
        id: CHAT_IDS,
        made: &["conversations[from=gpt].value"],
        reference: &["conversations[from=gpt].value"],
        ..PLAIN
    },
    Known {
        name: "LLaVA answers",
        record: &["question_id", "text", "model_id"],
        id: &["question_id"],
        made: &["text"],
        reference: &["text"],
        ..PLAIN
    },
    Known {
        name: "chat messages",
        record: &["messages[role=assistant].content"],
        id: CHAT_IDS,
        made: CHAT_TEXTS,
        reference: CHAT_TEXTS,
        ..PLAIN
    },
    Known {
        name: "OpenAI batch output",
        record: &["custom_id", "response.body.choices.message.content"],
        id: &["custom_id"],
        made: &["response.body.choices.message.content"],
        reference: &["response.body.choices.message.content"],
        ..PLAIN
    },
    Known {
        name: "Anthropic batch output",
        record: &["custom_id", "result.message.content.text"],
        id: &["custom_id"],
        made: &["result.message.content.text"],
        reference: &["result.message.content.text"],
        ..PLAIN
    },
    Known {
        name: "Gemini batch output",
        record: &["key", "response.candidates.content.parts.text"],
        id: &["key"],
        made: &["response.candidates.content.parts.text"],
        reference: &["response.candidates.content.parts.text"],
        ..PLAIN
    },
    Known {
        name: "Label Studio export",
        record: &["annotations.result.value.text"],
        id: &["data.image", "data.img", "file_upload", "id"],
        made: &["annotations.result.value.text"],
        reference: &["annotations.result.value.text"],
        ..PLAIN
    },
    Known {
        name: "list of Karpathy records",
        record: &["sentences.raw"],
        id: &["filename", "file_name", "cocoid", "imgid"],
        made: &["sentences.raw"],
        reference: &["sentences.raw"],
        ..PLAIN
    },
    Known {
        name: "VLMEvalKit results",
        record: &["index", "question", "prediction"],
        id: &["index"],
        made: &["prediction"],
        reference: &["answer"],
        ..PLAIN
    },
    Known {
        name: "COCO results",
        root: &["annotations"],
        records: "annotations",
        record: &["caption"],
        ..PLAIN
    },
];

const LMMS_IDS: &[&str] = &[
    "doc.image_id",
    "doc.img_id",
    "doc.image_name",
    "doc.file_name",
    "doc.filename",
    "doc.image_path",
    "doc.question_id",
    "doc.id",
    "doc_id",
];
const CHAT_IDS: &[&str] = &["image", "images", "image_id", "id"];
const CHAT_TEXTS: &[&str] =
    &["messages[role=assistant].content.text", "messages[role=assistant].content"];

impl Known {
    /// Paths of the captions in a file of this role.
    pub fn captions(&self, role: Role) -> &'static [&'static str] {
        match role {
            Role::Submission => self.made,
            Role::References => self.reference,
        }
    }

    /// Whether an outermost object with these keys can be such a document.
    fn has_root(&self, keys: &[String]) -> bool {
        self.root.iter().all(|wanted| keys.iter().any(|key| key == wanted))
    }

    /// Whether its keys alone say what it is, should there be no record.
    pub fn is_empty_without_records(&self) -> bool {
        self.root == ["annotations"]
    }

    /// Whether it is a document that begins with an object of its own.
    fn is_object(&self) -> bool {
        !self.root.is_empty()
    }

    /// Whether a first record can be one of such a document.
    pub fn has_record(&self, record: &Map<String, Value>) -> bool {
        self.record.iter().all(|wanted| !Path::parse(wanted).values(record).is_empty())
    }
}

/// The documents whose outermost object has these keys.
pub(super) fn of_objects(keys: &[String]) -> impl Iterator<Item = &'static Known> {
    DOCUMENTS.iter().filter(|known| known.is_object() && known.has_root(keys))
}

/// The document whose first record this is, in a list or in lines.
pub(super) fn of_record(record: &Map<String, Value>) -> Option<&'static Known> {
    DOCUMENTS.iter().filter(|known| !known.is_object()).find(|known| known.has_record(record))
}
