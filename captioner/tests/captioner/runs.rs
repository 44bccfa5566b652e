//! Runs over a list of images: stopped between batches, and gone on with.

use std::ops::ControlFlow;
use std::path::Path;

use fgd_captioner::run::{ImageFile, OnError, Outcome, Plan, caption_images};
use fgd_captioner::{DEFAULT_PROMPT, Error, GenerationConfig, Precision, Result, Sampling};

use super::checkpoint::*;

/// Captions five times the same image under five ids, two at a time, and stops once `enough` are done.
fn captions(journal: &Path, enough: usize) -> Result<Vec<Outcome>> {
    let captioner = load(&tiny("base"), None, Precision::F32)?;
    let image = |id: u32| ImageFile { id: id.to_string(), path: tiny("img.png") };
    let images: Vec<ImageFile> = (0..5).map(image).collect();
    let plan = Plan {
        images: &images,
        prompt: DEFAULT_PROMPT,
        generation: GenerationConfig {
            max_new_tokens: 8,
            sampling: Some(Sampling { top_k: None, seed: 3, ..Sampling::default() }),
            ..GenerationConfig::default()
        },
        batch_size: 2,
        on_error: OnError::Fail,
        decode_threads: 1,
    };
    let (outcomes, _) = caption_images(&captioner, &plan, journal, None, &mut |position| {
        if position.done >= enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(outcomes)
}

#[test]
fn a_run_that_was_stopped_goes_on_as_if_it_had_not_been() {
    let dir = tempfile::tempdir().unwrap();
    let tokens =
        |outcomes: Vec<Outcome>| outcomes.into_iter().map(|o| o.tokens).collect::<Vec<_>>();
    let whole = tokens(captions(&dir.path().join("whole"), usize::MAX).unwrap());
    // Every image draws from a stream of its own.
    assert!(whole.windows(2).any(|pair| pair[0] != pair[1]));

    let journal = dir.path().join("stopped");
    for (enough, expected) in [(1, 2), (0, 2), (4, 4)] {
        match captions(&journal, enough) {
            Err(Error::Interrupted { done, total, .. }) => assert_eq!((done, total), (expected, 5)),
            other => panic!("stopping after {enough} gave {other:?}"),
        }
    }
    // Nothing is left to stop after the last batch.
    assert_eq!(tokens(captions(&journal, 5).unwrap()), whole);
}

#[test]
fn a_journal_of_an_older_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    captions(&journal, usize::MAX).unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    let older = text.replacen("\"journal\":2", "\"journal\":1", 1);
    assert_ne!(older, text);
    std::fs::write(&journal, older).unwrap();
    let message = captions(&journal, usize::MAX).unwrap_err().to_string();
    assert!(message.contains("older version") && message.contains("--restart"), "{message}");
}
