//! Writes a site into the folder given: of the records in the files that follow, or else of the
//! example records, which is what the browser check opens.

#[path = "../../../record/tests/examples/mod.rs"]
mod examples;

use fgd_record::Record;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let dir = arguments.next().ok_or("give the folder to write into")?;
    let mut records = arguments
        .map(|file| Ok(Record::from_json(&std::fs::read_to_string(file)?)?))
        .collect::<Result<Vec<Record>, Box<dyn std::error::Error>>>()?;
    if records.is_empty() {
        records = examples::all().into_iter().map(|(_, r)| r).collect();
    }
    let index = fgd_reports::site::write(&records, dir.as_ref())?;
    println!("{}", index.display());
    Ok(())
}
