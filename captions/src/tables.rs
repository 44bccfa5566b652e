//! Tables that people have, known by the names of their columns, whatever format they stand in.

/// One kind of table.
pub(super) struct KnownTable {
    /// What it is called in messages.
    pub name: &'static str,
    /// Names of columns that it has.
    columns: &'static [&'static str],
    /// The column of the ids, where the conventions would take another.
    pub id: Option<&'static str>,
}

const TABLES: [KnownTable; 8] = [
    // Its column `image` holds the picture itself.
    KnownTable { name: "VLMEvalKit table", columns: &["index", "question"], id: Some("index") },
    KnownTable {
        name: "Flickr30k results file",
        columns: &["image_name", "comment_number", "comment"],
        id: None,
    },
    KnownTable {
        name: "Flickr30k table of lists",
        columns: &["raw", "sentids", "filename"],
        id: Some("filename"),
    },
    KnownTable { name: "Karpathy table", columns: &["cocoid", "imgid"], id: Some("cocoid") },
    KnownTable {
        name: "Karpathy table",
        columns: &["filename", "imgid", "sentences"],
        id: Some("filename"),
    },
    KnownTable { name: "Clotho caption file", columns: &["file_name", "caption_1"], id: None },
    KnownTable {
        name: "AudioCaps table",
        columns: &["audiocap_id", "youtube_id", "caption"],
        id: Some("youtube_id"),
    },
    KnownTable { name: "aac-metrics table", columns: &["candidates", "mult_references"], id: None },
];

/// The table with these columns.
pub(super) fn known<S: AsRef<str>>(names: &[S]) -> Option<&'static KnownTable> {
    let has = |wanted: &&str| names.iter().any(|name| name.as_ref().trim() == *wanted);
    TABLES.iter().find(|table| table.columns.iter().all(has))
}
