//! Writes the site of the example records into the folder given: what the browser check opens.

#[path = "../examples/mod.rs"]
mod examples;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args_os()
        .nth(1)
        .ok_or("give the folder to write into")?;
    let records: Vec<_> = examples::all().into_iter().map(|(_, r)| r).collect();
    let index = fgd_reports::site::write(&records, dir.as_ref())?;
    println!("{}", index.display());
    Ok(())
}
