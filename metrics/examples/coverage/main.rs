//! Do the intervals of the set distance hold on real captions? docs/statistics.md has the table that this prints.
//!
//!     cargo run --release -p fgd-metrics --example coverage -- REFERENCES.npy [TRUNCATED.npy] [--draws N] [--sizes N,N…]
//!         [--tables coverage,clusters,finite,tests,power,ranks,holm] [--systems trunc,noise…] [--first DRAW]
//!         [--no-exchanges]
//!
//! The embeddings of a file are a population whose distances are known. Systems are made from them ([`population`]), samples are
//! drawn as captions are, and what the crate says of each sample is held against the truth. Every draw has a random stream of its own
//! (`--first` goes on where another run ended), and a table is printed again every 20 draws, so a run can be stopped at any time.

mod cells;
mod population;
mod ranks;
mod tests;

use std::path::PathBuf;

use population::Population;

/// What to run.
pub struct Plan {
    /// The first draw.
    pub first: usize,
    /// How many.
    pub draws: usize,
    /// Images of a sample.
    pub sizes: Vec<usize>,
    /// The systems of the tables of coverage, and how the names of tested pairs begin; all, if none is named.
    pub systems: Vec<String>,
    /// Whether the exchange test is one of the tests, which takes most of their time.
    pub exchanges: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut plan = Plan {
        first: 0,
        draws: 1_000,
        sizes: vec![500, 1_000, 2_000, 4_000],
        systems: Vec::new(),
        exchanges: true,
    };
    let mut tables = "coverage,clusters,finite,tests,power,ranks,holm".to_owned();
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--draws" => plan.draws = value()?.parse()?,
            "--first" => plan.first = value()?.parse()?,
            "--no-exchanges" => plan.exchanges = false,
            "--tables" => tables = value()?,
            "--systems" => plan.systems = value()?.split(',').map(str::to_owned).collect(),
            "--sizes" => {
                plan.sizes = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            _ => files.push(PathBuf::from(argument)),
        }
    }
    let Some((references, truncated)) = files.split_first() else {
        return Err("give a .npy file of embeddings".into());
    };
    let population = Population::open(references, truncated.first())?;
    for table in tables.split(',') {
        match table {
            "coverage" => cells::coverage(&population, &plan)?,
            "clusters" => cells::clusters(&population, &plan)?,
            "finite" => cells::finite(&population, &plan)?,
            "tests" => tests::equal(&population, &plan)?,
            "power" => tests::power(&population, &plan)?,
            "ranks" => ranks::ranks(&population, &plan)?,
            "holm" => ranks::holm(&population, &plan)?,
            other => return Err(format!("no table is called {other}").into()),
        }
    }
    Ok(())
}
