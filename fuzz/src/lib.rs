//! Hostile input for every reader of fgd: each [`Target`] is a function over bytes that somebody else may have written.
//!
//! A target must neither panic nor abort nor take long, whatever the bytes are; that something is refused is a good end. The
//! functions are called by libFuzzer (`fuzz/libfuzzer`, where a nightly compiler and cargo-fuzz are at hand), by the driver
//! `attack`, which mutates the seeds itself, and by a test with the seeds and what was found before. `script/fuzz` runs them.

pub mod mutate;
mod readers;
mod seeds;

/// A reader under attack.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// Files under `fixtures/` that it reads: where mutation starts.
    pub seeds: &'static [&'static str],
    /// The reader.
    pub run: fn(&[u8]),
    /// How the file is called, so that the program knows its format.
    pub file: &'static str,
    /// The arguments of the program that read such a file; `{}` stands for it, `{out}` for a file that may be written.
    pub commands: &'static [&'static [&'static str]],
}

/// All readers.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    readers::TARGETS.into_iter().flatten()
}

impl Target {
    /// The target of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        targets().find(|target| target.name == name)
    }

    /// What mutation starts from: the seeds and, beside them, what was found before.
    pub fn corpus(&self) -> Vec<Vec<u8>> {
        let fixtures = seeds::fixtures();
        let mut corpus: Vec<Vec<u8>> =
            self.seeds.iter().filter_map(|name| std::fs::read(fixtures.join(name)).ok()).collect();
        corpus.extend(seeds::found(self.name));
        corpus.extend(seeds::made(self.name));
        corpus
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_survives_its_seeds_what_was_found_and_some_mutations() {
        for target in targets() {
            let corpus = target.corpus();
            assert!(!corpus.is_empty(), "{} has no seed", target.name);
            corpus.iter().for_each(|bytes| (target.run)(bytes));
            (0..20).for_each(|index| (target.run)(&mutate::input(&corpus, 1, index)));
        }
    }

    #[test]
    fn the_same_number_is_the_same_input() {
        let corpus = Target::named("csv").unwrap().corpus();
        assert_eq!(mutate::input(&corpus, 7, 3), mutate::input(&corpus, 7, 3));
        assert_ne!(mutate::input(&corpus, 7, 3), mutate::input(&corpus, 7, 4));
    }
}
