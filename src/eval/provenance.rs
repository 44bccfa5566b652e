//! Where a record comes from: program, inputs, comparability key and signature.

use super::METRIC_VERSION;
use fgd_reports::record::{Comparability, EncoderInfo, Input, Tool};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// This program.
pub fn tool() -> Tool {
    let commit = env!("FGD_BUILD_COMMIT");
    Tool {
        name: "fgd".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        commit: (!commit.is_empty()).then(|| commit.into()),
        dirty: env!("FGD_BUILD_DIRTY").parse().ok(),
    }
}

/// The time, as records write it.
pub fn now() -> String {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(0)
        .unwrap_or(now)
        .format(&Rfc3339)
        .unwrap_or_else(|_| "unknown".into())
}

/// Hash over ids and texts of references: the order of rows and the file's format do not count.
pub fn captions_sha256<'a>(captions: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines: Vec<(&str, &str)> = captions.collect();
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for (id, text) in lines {
        // Lengths keep ("a", "bc") apart from ("ab", "c").
        hasher.update((id.len() as u64).to_le_bytes());
        hasher.update(id);
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    format!("{:x}", hasher.finalize())
}

/// What must be equal before two records may be ranked together.
pub fn comparability(encoder: Option<&EncoderInfo>, references_sha256: String) -> Comparability {
    let mut comparability = Comparability {
        key: String::new(),
        encoder_sha256: encoder.map(|encoder| encoder.sha256.clone()),
        precision: encoder.map_or_else(|| "given".into(), |encoder| precision(&encoder.engine)),
        pooling: encoder.map(|encoder| {
            let normalize = if encoder.normalize { "+normalize" } else { "" };
            format!("{}{normalize}", encoder.pooling)
        }),
        max_length: encoder.map(|encoder| encoder.max_length),
        references_sha256: Some(references_sha256),
        metric_version: METRIC_VERSION,
    };
    let parts = serde_json::to_vec(&comparability).expect("strings and numbers serialise");
    let digest = format!("{:x}", Sha256::digest(parts));
    comparability.key = digest[..16].to_owned();
    comparability
}

/// Engines that compute in f32 agree to 1e-6 and may be compared; a quantised one stands alone.
fn precision(engine: &str) -> String {
    if engine.starts_with("int12") {
        "int12".into()
    } else {
        "f32".into()
    }
}

/// Files of one role that a signature names one by one; of more it has their number and a hash over theirs.
const NAMED: usize = 8;

fn files(inputs: &[Input]) -> Vec<String> {
    let mut roles: Vec<(&str, Vec<&str>)> = Vec::new();
    for input in inputs {
        match roles.iter_mut().find(|(role, _)| *role == input.role) {
            Some((_, hashes)) => hashes.push(&input.sha256),
            None => roles.push((&input.role, vec![&input.sha256])),
        }
    }
    let mut files = Vec::new();
    for (role, hashes) in roles {
        if hashes.len() > NAMED {
            let all = format!("{:x}", Sha256::digest(hashes.concat()));
            files.push(format!("{role}:{}x{}", hashes.len(), &all[..8]));
        } else {
            files.extend(hashes.iter().map(|hash| format!("{role}:{}", &hash[..8])));
        }
    }
    files
}

/// One line that names everything the numbers depend on.
pub fn signature(
    tool: &Tool,
    encoder: Option<&EncoderInfo>,
    inputs: &[Input],
    comparability: &Comparability,
) -> String {
    let encoder = encoder.map_or_else(
        || "encoder:given-embeddings".to_owned(),
        |encoder| {
            format!(
                "encoder:{}{}|weights:{}|engine:{}|max:{}|pool:{}",
                encoder.id,
                encoder
                    .revision
                    .as_deref()
                    .map(|revision| format!("@{}", &revision[..revision.len().min(8)]))
                    .unwrap_or_default(),
                &encoder.sha256[..8],
                encoder.engine,
                encoder.max_length,
                comparability.pooling.as_deref().unwrap_or("-"),
            )
        },
    );
    let files = files(inputs);
    format!(
        "fgd:{}|metrics:v{}|{encoder}|{}|key:{}",
        tool.version,
        comparability.metric_version,
        files.join("|"),
        comparability.key
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_of_hundreds_of_files_stays_a_line() {
        let input = |at: usize| Input {
            role: if at == 0 { "references" } else { "submission" }.into(),
            name: String::new(),
            path: String::new(),
            sha256: format!("{at:064x}"),
            rows: 1,
        };
        let few: Vec<Input> = (0..3).map(input).collect();
        assert_eq!(files(&few).len(), 3);
        let many: Vec<Input> = (0..501).map(input).collect();
        let files_of_many = files(&many);
        assert_eq!(files_of_many.len(), 2);
        assert!(files_of_many[1].starts_with("submission:500x"));
        assert_ne!(files(&many[..500])[1], files_of_many[1]);
    }
}
