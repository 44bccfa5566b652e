//! Writes what the browser check opens into the folder given: the site of the example records, single pages of some of them,
//! and pages of 21,000 captions. With files of records behind the folder, the site of these instead.

#[path = "../../../record/tests/examples/mod.rs"]
mod examples;
mod large;

use std::path::Path;

use fgd_record::Record;
use fgd_reports::site;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = arguments.next().ok_or("give the folder to write into")?;
    let dir = Path::new(&dir);
    let records = arguments
        .map(|file| Ok(Record::from_json(&std::fs::read_to_string(file)?)?))
        .collect::<Result<Vec<Record>, Box<dyn std::error::Error>>>()?;
    if !records.is_empty() {
        println!("{}", site::write(&records, dir)?.display());
        return Ok(());
    }
    let all: Vec<Record> = examples::all().into_iter().map(|(_, record)| record).collect();
    site::write(&all, dir)?;
    for (name, record) in examples::all() {
        std::fs::write(dir.join(format!("alone-{name}.html")), site::page(&[record])?)?;
    }
    // `compare` writes of systems with markup in their names: those of the table have the same.
    let systems = ["base", "tuned <b>&amp;</b>"];
    let large = [
        ("large-score", large::with_captions(examples::score(), &["submission.csv"])),
        ("large-compare", large::with_captions(examples::compare(), &systems)),
    ];
    for (name, record) in large {
        std::fs::write(dir.join(format!("{name}.html")), site::page(&[record])?)?;
    }
    let crowded = examples::crowded(40);
    std::fs::write(dir.join("large-leaderboard.html"), site::page(&[crowded])?)?;
    println!("{}", dir.join("index.html").display());
    Ok(())
}
