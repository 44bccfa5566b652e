//! What is worth training on.

use super::*;

/// Real and synthetic captions, every rule, and a caption that a report must survive.
pub fn curate() -> Record {
    let source = |name: &str, captions, kept| CurateSource { name: name.into(), captions, kept };
    let rule = |rule: &str, captions| CurateRule { rule: rule.into(), captions };
    let results = CurateResults {
        captions: 42_734,
        kept: 38_420,
        images: 4411,
        sources: vec![source("real", 21_367, 20_299), source("synthetic", 21_367, 18_121)],
        dropped: vec![
            rule("harmful", 31),
            rule("repeated", 2147),
            rule("unlike", 2136),
            rule("surplus", 0),
        ],
        unjudged: 3,
        examples: vec![CurateExample {
            rule: "harmful".into(),
            image_id: "000311.jpg".into(),
            caption: HOSTILE.into(),
            source: "synthetic".into(),
            reason: "`a bus` comes 4 times in a row".into(),
        }],
    };
    let mut record = record(Results::Curate(Box::new(results)), "");
    record.inputs = vec![input("captions", "train", 21_367), input("synthetic", "chosen", 21_367)];
    record
}
