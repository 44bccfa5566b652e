//! The conditions that a record was held to.

use fgd_record::Gate;

use crate::document::{Cell, Table, Tone};

/// The gates, under headings for the condition, the answer and the reason.
pub fn table(gates: &[Gate], [condition, holds, because]: [&str; 3]) -> Table {
    let answer = |gate: &Gate| match gate.passed {
        Some(true) => Cell::from("yes").tone(Tone::Good),
        Some(false) => Cell::from("NO").tone(Tone::Bad),
        None => Cell::from("undecided").tone(Tone::Warning),
    };
    Table::of("Gates", gates)
        .text(condition, |gate| &gate.condition)
        .text(holds, answer)
        .text(because, |gate| &gate.explanation)
        .into()
}
