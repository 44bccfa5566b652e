//! How the numbers were made: program, machine, models, files and settings.

use super::number::{count, counted, significant};
use super::{Block, Cell, Column, Table, Tone, visible};
use fgd_record::{CheckpointInfo, Deviation, EncoderInfo, Host, Input, Record, Results, Tool};

/// The tables of a record's origin.
pub fn tables(record: &Record) -> Vec<Block> {
    tables_of(record, None)
}

/// The same for one of the record's systems: of the systems' files only its own, or the pages of a leaderboard would
/// grow with the square of the submissions.
pub fn tables_of(record: &Record, system: Option<&str>) -> Vec<Block> {
    let mut rows: Vec<(&str, String)> = vec![
        ("finished", record.created.clone()),
        ("program", program(&record.tool)),
    ];
    rows.extend(machine(&record.host));
    if let Some(info) = &record.encoder {
        rows.extend(encoder(info));
    }
    for info in checkpoints(record) {
        rows.push(("checkpoint", checkpoint(info)));
    }
    for (flag, value) in &record.settings {
        rows.push(("setting", format!("{flag} = {value}")));
    }
    for (step, seconds) in &record.timings {
        rows.push(("time", format!("{step}: {seconds:.2} s")));
    }
    rows.push(("comparability key", record.comparability.key.clone()));
    let mut environment = Table::new(
        "Environment",
        vec![Column::text("what"), Column::text("value")],
    );
    for (what, value) in rows {
        environment
            .rows
            .push(vec![Cell::text(what), Cell::text(&value)]);
    }
    vec![
        Block::Table(environment),
        Block::Table(files(record, system)),
    ]
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
    let mut rows = vec![
        ("processor", host.cpu.clone()),
        (
            "cores",
            format!(
                "{}, {} threads used, {}",
                host.cores, host.threads, host.simd
            ),
        ),
        ("system", host.os.clone()),
    ];
    if let Some(bytes) = host.memory_bytes {
        let gib = bytes as f64 / f64::from(1 << 30);
        rows.push(("memory", format!("{gib:.1} GiB")));
    }
    if let Some(gpu) = &host.gpu {
        rows.push(("GPU", gpu.clone()));
    }
    rows
}

fn encoder(info: &EncoderInfo) -> Vec<(&'static str, String)> {
    let revision = match &info.revision {
        Some(revision) => format!(" at {revision}"),
        None => String::new(),
    };
    let normalised = if info.normalize { ", normalised" } else { "" };
    let mut rows = vec![
        ("encoder", format!("{}{revision}", info.id)),
        ("encoder SHA-256", info.sha256.clone()),
        (
            "embedding",
            format!(
                "{} pooling{normalised}, {} dimensions, at most {} tokens, {} weights, {}",
                info.pooling, info.dim, info.max_length, info.dtype, info.engine
            ),
        ),
    ];
    if let Some(deviation) = &info.deviation {
        rows.push(("against f32", deviation_in_words(deviation)));
    }
    rows
}

fn checkpoints(record: &Record) -> Vec<&CheckpointInfo> {
    let mut all: Vec<&CheckpointInfo> = record.checkpoint.iter().collect();
    if let Results::Compare(results) = &record.results {
        all.extend(results.systems.iter().filter_map(|s| s.checkpoint.as_ref()));
    }
    all
}

fn checkpoint(info: &CheckpointInfo) -> String {
    let revision = match &info.revision {
        Some(revision) => format!(" at {revision}"),
        None => String::new(),
    };
    let adapter = match &info.adapter {
        Some((adapter, sha256)) => format!(", adapter {adapter} (SHA-256 {sha256})"),
        None => String::new(),
    };
    format!(
        "{}{revision}{adapter}, {} on {}, SHA-256 {}",
        info.id, info.dtype, info.device, info.sha256
    )
}

fn files(record: &Record, system: Option<&str>) -> Table {
    let mut table = Table::new(
        "Files",
        vec![
            Column::text("used as"),
            Column::text("name"),
            Column::number("rows"),
            Column::text("SHA-256"),
        ],
    );
    let is_of_another = |input: &&Input| {
        matches!(input.role.as_str(), "submission" | "record")
            && system.is_some_and(|system| system != input.name)
    };
    for input in record.inputs.iter().filter(|i| !is_of_another(i)) {
        table.rows.push(vec![
            Cell::text(&input.role),
            Cell::text(&input.name),
            Cell::number(count(input.rows), Some(input.rows as f64)),
            Cell::text(&input.sha256),
        ]);
    }
    table
}

/// What reports call an input.
pub fn input_name(record: &Record, role: &str) -> String {
    record
        .inputs
        .iter()
        .find(|input| input.role == role)
        .map_or_else(|| role.to_string(), |input| input.name.clone())
}

/// The encoder in a few words.
pub fn encoder_name(record: &Record) -> String {
    match &record.encoder {
        Some(encoder) => format!(
            "encoder {} ({}, {} dimensions)",
            visible(&encoder.id),
            visible(&encoder.dtype),
            encoder.dim
        ),
        None => "embeddings as given".to_string(),
    }
}

/// What must be said where the numbers are not those that the name FGD stands for.
pub fn encoder_notices(record: &Record) -> Vec<Block> {
    let name = match &record.encoder {
        Some(encoder) if encoder.is_gte_small => None,
        Some(encoder) => Some(format!(
            "NOT FGD: numbers of encoder {}. FGD is measured with thenlper/gte-small; never rank these beside it.",
            visible(&encoder.id)
        )),
        None => Some("The embeddings were given: whether these numbers are FGD depends on the encoder that made them.".to_string()),
    };
    let rounding = record.encoder.as_ref().and_then(|encoder| {
        let deviation = encoder.deviation.as_ref()?;
        Some(format!(
            "Rounded embeddings ({}): those of {} from f32; never rank these beside numbers of f32.",
            visible(&encoder.engine),
            deviation_in_words(deviation)
        ))
    });
    let notice = |text| Block::Notice {
        tone: Tone::Warning,
        text,
    };
    name.into_iter().chain(rounding).map(notice).collect()
}

fn deviation_in_words(deviation: &Deviation) -> String {
    format!(
        "{} differ by {} on average and by {} at most",
        counted(deviation.captions, "calibration caption"),
        significant(deviation.mean),
        significant(deviation.max)
    )
}
