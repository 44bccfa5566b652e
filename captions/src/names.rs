//! Names of columns that people use, and how names are compared: without case, spaces, `_` and `-`.

/// Names of id columns in order of preference, compared without case, spaces, `_` and `-`. Names of images stand before `id`,
/// which is as often a row's own number.
pub(super) const ID_NAMES: [&str; 36] = [
    "imageid",
    "imgid",
    "cocoid",
    "image",
    "img",
    "imagename",
    "imgname",
    "filename",
    "imagefilename",
    "imagefile",
    "imgfile",
    "file",
    "imagepath",
    "imgpath",
    "filepath",
    "path",
    "imageurl",
    "imgurl",
    "imagekey",
    "images",
    "videoid",
    "audioid",
    "questionid",
    "id",
    "ids",
    "key",
    "name",
    "url",
    "uid",
    "uuid",
    "docid",
    "sampleid",
    "fname",
    "photo",
    "photoid",
    "index",
];

/// Names that say that a column holds what a captioner made, in order of preference, compared likewise.
pub(super) const GENERATED: [&str; 34] = [
    "prediction",
    "predictions",
    "predictedcaption",
    "predictedcaptions",
    "captionpredicted",
    "predicted",
    "pred",
    "preds",
    "predcaption",
    "captionpred",
    "generatedcaption",
    "generatedcaptions",
    "captiongenerated",
    "generated",
    "generatedtext",
    "generation",
    "candidate",
    "candidates",
    "candidatecaption",
    "cand",
    "cands",
    "hypothesis",
    "hypotheses",
    "hyp",
    "hyps",
    "modeloutput",
    "modelcaption",
    "filteredresps",
    "resps",
    "output",
    "outputs",
    "response",
    "completion",
    "result",
];

/// Names of captions that could be either.
pub(super) const NEUTRAL: [&str; 15] = [
    "caption",
    "captions",
    "captiontext",
    "captionstr",
    "text",
    "sentence",
    "sentences",
    "description",
    "descriptions",
    "comment",
    "raw",
    "utterance",
    "blipcaption",
    "vlmcaption",
    "annotationscaptions",
];

/// Names that say that a column holds references.
pub(super) const REFERENCES: [&str; 36] = [
    "reference",
    "references",
    "referencecaption",
    "referencecaptions",
    "captionreference",
    "captionreferences",
    "referencestrs",
    "referencetext",
    "ref",
    "refs",
    "refcaption",
    "multreferences",
    "mrefs",
    "groundtruth",
    "groundtruths",
    "groundtruthcaption",
    "groundtruthcaptions",
    "gt",
    "gts",
    "gtcaption",
    "gtcaptions",
    "captiongt",
    "gtruth",
    "truth",
    "gold",
    "goldcaption",
    "goldcaptions",
    "goldencaption",
    "humancaption",
    "humancaptions",
    "originalcaption",
    "annotation",
    "answer",
    "answers",
    "target",
    "targets",
];

/// Whether a column of this name holds ids of images and nothing else.
pub(super) fn says_image(name: &str) -> bool {
    matches!(normalised(name).as_str(), "imageid" | "imgid")
}

/// Whether a column of this name holds images' names, and not a row's own number.
pub(super) fn names_images(name: &str) -> bool {
    let name = normalised(name);
    ID_NAMES.iter().take_while(|known| **known != "questionid").any(|known| name == *known)
}

/// Whether a column of this name could hold image ids.
pub(super) fn is_id_name(name: &str) -> bool {
    // pandas numbers a second column of one name: `image_id.1`.
    let first = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('.');
    let name = normalised(first.unwrap_or(name));
    ID_NAMES.contains(&name.as_str())
}

/// Whether a column of this name could hold captions.
pub(super) fn is_caption_name(name: &str) -> bool {
    let name = normalised(name);
    let mut known = GENERATED.iter().chain(&NEUTRAL).chain(&REFERENCES);
    known.any(|known| name == *known || is_numbered(&name, known))
}

/// The column of this name, or else all columns of this name with a number behind it; the names are normalised.
pub(super) fn called(names: &[String], known: &str) -> Option<Vec<usize>> {
    if let Some(at) = names.iter().position(|name| name == known) {
        return Some(vec![at]);
    }
    // A name that is repeated without end must not make every row as long.
    let numbered = (0..names.len()).filter(|&at| is_numbered(&names[at], known));
    let numbered: Vec<usize> = numbered.take(1000).collect();
    (!numbered.is_empty()).then_some(numbered)
}

fn is_numbered(name: &str, stem: &str) -> bool {
    let number = name.strip_prefix(stem).unwrap_or_default();
    (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn normalised(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
