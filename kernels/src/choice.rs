//! The one place where an instruction set is chosen, once for the whole process.
//!
//! Encoder, captioner and metrics all run on [`Level::current`], the fastest level whose kernels agree with the portable
//! ones on a small problem, unless the program has called [`Level::select`] before.

use std::sync::OnceLock;

use super::agreement::agrees;
use super::level::Level;

/// A level was asked for by a name that no level has, or that this CPU or this process does not run.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{wanted}: {who} runs {}", present.join(", "))]
pub struct NoSuchKernels {
    wanted: String,
    who: &'static str,
    present: Vec<&'static str>,
}

static CURRENT: OnceLock<Level> = OnceLock::new();

impl Level {
    /// Makes every kernel of this process run on the level of this name (`portable`, `avx2`, `avx512`, `amx`); an empty name
    /// leaves the choice to [`Level::current`].
    ///
    /// # Errors
    /// No level has the name, the CPU lacks it, or the process runs on another one already.
    pub fn select(name: &str) -> Result<(), NoSuchKernels> {
        if name.is_empty() {
            return Ok(());
        }
        let refused = |who, present| NoSuchKernels { wanted: name.into(), who, present };
        let Some(level) = Level::available().find(|level| level.widest() == name) else {
            let mut present: Vec<_> = Level::available().map(Level::widest).collect();
            present.dedup();
            return Err(refused("this CPU", present));
        };
        match CURRENT.get_or_init(|| level) {
            current if *current == level => Ok(()),
            current => Err(refused("this process already", vec![current.widest()])),
        }
    }

    /// The level that this process runs on.
    pub fn current() -> Level {
        *CURRENT.get_or_init(|| {
            Level::available()
                .find(|level| {
                    let sound = agrees(*level);
                    if !sound {
                        tracing::warn!(
                            "the {} kernels disagree with the portable ones on this CPU and are not used; please report this",
                            level.widest()
                        );
                    }
                    sound
                })
                .unwrap_or(Level::PORTABLE)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_chosen_once() {
        let current = Level::current();
        assert!(Level::available().any(|level| level == current));
        Level::select("").unwrap();
        let unknown = Level::select("sse9").unwrap_err().to_string();
        assert!(unknown.starts_with("sse9: this CPU runs ") && unknown.ends_with("portable"));
        if current != Level::PORTABLE {
            let late = Level::select("portable").unwrap_err().to_string();
            let widest = current.widest();
            assert_eq!(late, format!("portable: this process already runs {widest}"));
        }
        Level::select(current.widest()).unwrap();
    }
}
