//! How the numbers were made: program, machine, models, files and settings.

use fgd_record::{CheckpointInfo, Deviation, EncoderInfo, Host, Input, Record, Tool};

use crate::document::number::{counted, significant};
use crate::document::{Cell, Document, Table, Tone};

/// The tables of a record's origin, or of one of its systems: of the systems' files only its own, or the pages of a
/// leaderboard would grow with the square of the submissions.
pub fn tables(record: &Record, system: Option<&str>) -> [Table; 2] {
    let mut rows: Vec<(&str, String)> =
        vec![("finished", record.created.clone()), ("program", program(&record.tool))];
    rows.extend(machine(&record.host));
    rows.extend(record.encoder.iter().flat_map(encoder));
    let systems = super::of(record).subjects(record).into_iter();
    let of_systems = systems.filter_map(|system| system.checkpoint);
    let checkpoints = record.checkpoint.iter().chain(of_systems);
    rows.extend(checkpoints.map(|info| ("checkpoint", checkpoint(info))));
    let settings = record.settings.iter();
    rows.extend(settings.map(|(flag, value)| ("setting", format!("{flag} = {value}"))));
    let timings = record.timings.iter();
    rows.extend(timings.map(|(step, seconds)| ("time", format!("{step}: {seconds:.2} s"))));
    rows.push(("comparability key", record.comparability.key.clone()));
    let environment = Table::of("Environment", &rows)
        .text("what", |(what, _)| *what)
        .text("value", |(_, value)| value);
    [environment.into(), files(record, system)]
}

fn program(tool: &Tool) -> String {
    let commit = match (&tool.commit, tool.dirty) {
        (Some(commit), Some(true)) => format!(", commit {commit} with uncommitted changes"),
        (Some(commit), _) => format!(", commit {commit}"),
        (None, _) => String::new(),
    };
    format!("{} {}{commit}", tool.name, tool.version)
}

fn machine(host: &Host) -> Vec<(&'static str, String)> {
    let Host { cpu, cores, threads, simd, os, .. } = host;
    let mut rows = vec![
        ("processor", cpu.clone()),
        ("cores", format!("{cores}, {threads} threads used, {simd}")),
        ("system", os.clone()),
    ];
    if let Some(bytes) = host.memory_bytes {
        let gib = bytes as f64 / f64::from(1 << 30);
        rows.push(("memory", format!("{gib:.1} GiB")));
    }
    rows.extend(host.gpu.iter().map(|gpu| ("GPU", gpu.clone())));
    rows
}

/// A model's name, with its revision where it is known.
fn at_revision(id: &str, revision: &Option<String>) -> String {
    match revision {
        Some(revision) => format!("{id} at {revision}"),
        None => id.to_string(),
    }
}

fn encoder(info: &EncoderInfo) -> Vec<(&'static str, String)> {
    let normalised = if info.normalize { ", normalised" } else { "" };
    let embedding = format!(
        "{} pooling{normalised}, {} dimensions, at most {} tokens, {} weights, {}",
        info.pooling, info.dim, info.max_length, info.dtype, info.engine
    );
    let mut rows = vec![
        ("encoder", at_revision(&info.id, &info.revision)),
        ("encoder SHA-256", info.sha256.clone()),
        ("embedding", embedding),
    ];
    let deviation = info.deviation.iter();
    rows.extend(deviation.map(|deviation| ("against f32", deviation_in_words(deviation))));
    rows
}

fn checkpoint(info: &CheckpointInfo) -> String {
    let id = at_revision(&info.id, &info.revision);
    let adapter = match &info.adapter {
        Some((adapter, sha256)) => format!(", adapter {adapter} (SHA-256 {sha256})"),
        None => String::new(),
    };
    let CheckpointInfo { dtype, device, sha256, .. } = info;
    format!("{id}{adapter}, {dtype} on {device}, SHA-256 {sha256}")
}

fn files(record: &Record, system: Option<&str>) -> Table {
    let is_of_another = |input: &&Input| {
        matches!(input.role.as_str(), "submission" | "record")
            && system.is_some_and(|system| system != input.name)
    };
    Table::of("Files", record.inputs.iter().filter(|input| !is_of_another(input)))
        .text("used as", |input| &input.role)
        .text("name", |input| &input.name)
        .number("rows", |input| Cell::count(input.rows))
        .text("SHA-256", |input| &input.sha256)
        .into()
}

/// What reports call an input.
pub fn input_name<'a>(record: &'a Record, role: &'a str) -> &'a str {
    let input = record.inputs.iter().find(|input| input.role == role);
    input.map_or(role, |input| &input.name)
}

/// The encoder in a few words.
pub fn encoder_name(record: &Record) -> String {
    match &record.encoder {
        Some(EncoderInfo { id, dtype, dim, .. }) => {
            format!("encoder {id} ({dtype}, {dim} dimensions)")
        }
        None => "embeddings as given".to_string(),
    }
}

/// How the images were drawn, where that was said: what errors and tests go by. Empty where images are apart and of captions yet to come.
pub fn drawn(record: &Record) -> String {
    let setting = |name: &str| record.settings.get(name).filter(|value| !value.is_null());
    let column = setting("cluster").and_then(|column| column.as_str());
    let clusters = column.map(|column| format!("images of one {column} count as one (--cluster)"));
    let images = setting("population").and_then(|images| images.as_u64());
    let population = images.map(|n| {
        format!(
            "drawn from {}, for which errors and tests speak (--population)",
            counted(n, "image")
        )
    });
    clusters.into_iter().chain(population).collect::<Vec<_>>().join(" · ")
}

/// What must be said where the numbers are not those that the name FGD stands for.
pub fn encoder_notices(document: &mut Document, record: &Record) {
    let Some(encoder) = &record.encoder else {
        let text = "The embeddings were given: whether these numbers are FGD depends on the encoder that made them.";
        return document.notice(Tone::Warning, text);
    };
    if !encoder.is_gte_small {
        document.notice(
            Tone::Warning,
            format!(
                "NOT FGD: numbers of encoder {}. FGD is measured with thenlper/gte-small, its tokenizer, its configuration and its pooling; never rank these beside it.",
                encoder.id
            ),
        );
    }
    if let Some(deviation) = &encoder.deviation {
        document.notice(
            Tone::Warning,
            format!(
                "Rounded embeddings ({}): those of {} from f32; never rank these beside numbers of f32.",
                encoder.engine,
                deviation_in_words(deviation)
            ),
        );
    }
}

fn deviation_in_words(deviation: &Deviation) -> String {
    format!(
        "{} differ by {} on average and by {} at most",
        counted(deviation.captions, "calibration caption"),
        significant(deviation.mean),
        significant(deviation.max)
    )
}
