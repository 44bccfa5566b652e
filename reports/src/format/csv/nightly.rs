//! A night in tidy form: one row per figure.

use super::{IN_MEMORY, defused};
use fgd_record::NightlyResults;

const HEADER: [&str; 14] = [
    "suite", "night", "system", "metric", "kind", "verdict", "value", "unit", "level", "low",
    "high", "change", "p_holm", "reason",
];

/// The night as CSV, with a header and a final newline.
pub fn render(results: &NightlyResults) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER).expect(IN_MEMORY);
    let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
    for finding in &results.findings {
        let cells = [
            defused(&results.suite),
            defused(&results.night),
            defused(&finding.system),
            defused(&finding.metric),
            defused(&finding.kind),
            finding.verdict.name().to_string(),
            number(finding.value),
            defused(&finding.unit),
            number(finding.level),
            number(finding.band.map(|[low, _]| low)),
            number(finding.band.map(|[_, high]| high)),
            number(finding.change),
            number(finding.p_holm),
            defused(&finding.reason),
        ];
        writer.write_record(cells).expect(IN_MEMORY);
    }
    let bytes = writer.into_inner().expect(IN_MEMORY);
    String::from_utf8(bytes).expect(IN_MEMORY)
}
