//! Runs over a list of images: stopped, gone on with, and in batches that images join and leave.

use std::ops::ControlFlow;
use std::path::Path;

use fgd_captioner::run::{
    BatchSize, ImageFile, Journal, OnError, Outcome, Plan, Position, Summary, caption_images,
};
use fgd_captioner::{DEFAULT_PROMPT, Error, GenerationConfig, Precision, Result, Sampling};

use super::checkpoint::*;

/// Five times the same image under five ids.
fn five() -> Vec<ImageFile> {
    (0..5).map(|id: u32| ImageFile { id: id.to_string(), path: tiny("img.png") }).collect()
}

/// A run over `images`, two at a time, that draws its tokens and goes on until `enough` are done.
struct Run<'a> {
    images: &'a [ImageFile],
    enough: usize,
    on_error: OnError,
    restart: bool,
}

impl Run<'_> {
    fn go(&self, journal: &Path) -> Result<(Vec<Outcome>, Summary)> {
        let captioner = load(&tiny("base"), None, Precision::F32)?;
        let plan = Plan {
            images: self.images,
            prompt: DEFAULT_PROMPT,
            generation: GenerationConfig {
                max_new_tokens: 8,
                sampling: Some(Sampling { top_k: None, seed: 3, ..Sampling::default() }),
                ..GenerationConfig::default()
            },
            batch_size: BatchSize::Images(2),
            memory: None,
            on_error: self.on_error,
            decode_threads: 1,
            restart: self.restart,
        };
        caption_images(&captioner, &plan, journal, None, &mut |position| match position.done
            >= self.enough
        {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    }
}

fn captions(journal: &Path, enough: usize) -> Result<Vec<Outcome>> {
    let images = five();
    let run = Run { images: &images, enough, on_error: OnError::Fail, restart: false };
    Ok(run.go(journal)?.0)
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
    // Images that were begun are captioned still.
    for (enough, expected) in [(1, 2), (0, 2), (3, 4)] {
        match captions(&journal, enough) {
            Err(Error::Interrupted { done, total, .. }) => assert_eq!((done, total), (expected, 5)),
            other => panic!("stopping after {enough} gave {other:?}"),
        }
    }
    // Nothing is left to stop after the last one.
    assert_eq!(tokens(captions(&journal, 5).unwrap()), whole);
}

#[test]
fn a_journal_of_an_older_version_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    captions(&journal, usize::MAX).unwrap();
    let text = std::fs::read_to_string(&journal).unwrap();
    let older = text.replacen("\"journal\":4", "\"journal\":3", 1);
    assert_ne!(older, text);
    std::fs::write(&journal, older).unwrap();
    let message = captions(&journal, usize::MAX).unwrap_err().to_string();
    assert!(message.contains("older version") && message.contains("--restart"), "{message}");
}

/// Images join a batch when others have left it, and none of that can be told from a caption or its probability, whatever it is
/// searched by and in every precision.
#[test]
fn captions_are_the_same_to_the_bit_in_batches_that_change() {
    let dir = tempfile::tempdir().unwrap();
    let images = files(dir.path(), 9);
    let greedy = GenerationConfig { max_new_tokens: 12, ..GenerationConfig::default() };
    let drawing = Sampling { temperature: 1.5, top_k: None, seed: 3, ..Sampling::default() };
    let searches = [
        GenerationConfig { num_beams: 3, num_return_sequences: 2, ..greedy.clone() },
        GenerationConfig { sampling: Some(drawing), num_return_sequences: 2, ..greedy.clone() },
        greedy,
    ];
    let mut end_apart = false;
    for precision in [Precision::F32, Precision::Bf16, Precision::Q8] {
        let captioner = load(&tiny("base"), None, precision).unwrap();
        for generation in &searches {
            let run = |batch_size| {
                let plan = Plan {
                    images: &images,
                    prompt: DEFAULT_PROMPT,
                    generation: generation.clone(),
                    batch_size,
                    memory: None,
                    on_error: OnError::Fail,
                    decode_threads: 1,
                    restart: true,
                };
                let journal = dir.path().join("journal");
                let go_on = &mut |_: Position| ControlFlow::Continue(());
                let (mut outcomes, summary) =
                    caption_images(&captioner, &plan, &journal, None, go_on).unwrap();
                outcomes.iter_mut().for_each(|outcome| outcome.milliseconds = None);
                (outcomes, summary.batch)
            };
            let (alone, most) = run(BatchSize::Images(1));
            assert_eq!(most, 1);
            let lengths: std::collections::HashSet<usize> =
                alone.iter().map(Outcome::generated).collect();
            end_apart |= lengths.len() > 1;
            for size in [BatchSize::Images(2), BatchSize::Images(4), BatchSize::Auto] {
                let (beside, most) = run(size);
                assert!(most > 1);
                assert_eq!(beside, alone, "{precision:?}, {size}");
            }
        }
    }
    assert!(end_apart, "some captions end before others");
}

/// Images of their own, in files that a test may change.
fn files(dir: &Path, count: u8) -> Vec<ImageFile> {
    let image = |id: u8| {
        let path = dir.join(format!("{id}.png"));
        image::RgbImage::from_pixel(9, 9, image::Rgb([id, 90, 200])).save(&path).unwrap();
        ImageFile { id: id.to_string(), path }
    };
    (0..count).map(image).collect()
}

#[test]
fn an_image_that_was_replaced_is_captioned_again_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let images = files(dir.path(), 5);
    let run = Run { images: &images, enough: 9, on_error: OnError::Fail, restart: false };
    let (first, summary) = run.go(&journal).unwrap();
    assert_eq!(summary.resumed, 0);
    assert_eq!(run.go(&journal).unwrap().1.resumed, 5);

    // Another picture of as many bytes, and one that is only touched.
    let other = std::fs::read(&images[1].path).unwrap();
    assert_eq!(other.len(), std::fs::read(&images[2].path).unwrap().len());
    let kept = std::fs::read(&images[2].path).unwrap();
    std::fs::write(&images[2].path, &other).unwrap();
    std::fs::write(&images[4].path, std::fs::read(&images[4].path).unwrap()).unwrap();
    let (second, summary) = run.go(&journal).unwrap();
    assert_eq!(summary.resumed, 4);
    assert_ne!(second[2].file, first[2].file);
    assert_ne!(second[2].file, None);
    for at in [0, 1, 3, 4] {
        assert_eq!(second[at], first[at]);
    }
    // As a run from the beginning would have it.
    let fresh = run.go(&dir.path().join("fresh")).unwrap().0;
    let tokens = |all: &[Outcome]| all.iter().map(|o| o.tokens.clone()).collect::<Vec<_>>();
    assert_eq!(tokens(&second), tokens(&fresh));

    // The first picture is back, and its caption was not lost.
    std::fs::write(&images[2].path, kept).unwrap();
    let (third, summary) = run.go(&journal).unwrap();
    assert_eq!((&third, summary.resumed), (&first, 5));
}

#[test]
fn an_image_that_was_skipped_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let images = files(dir.path(), 3);
    let whole = std::fs::read(&images[1].path).unwrap();
    std::fs::write(&images[1].path, &whole[..whole.len() / 2]).unwrap();
    std::fs::rename(&images[2].path, dir.path().join("away")).unwrap();
    let skip = Run { images: &images, enough: 9, on_error: OnError::Skip, restart: false };
    let (outcomes, summary) = skip.go(&journal).unwrap();
    assert_eq!((summary.captions, summary.broken.len(), summary.resumed), (1, 2, 0));
    // Still broken: no news, and the journal does not grow.
    let length = journal.metadata().unwrap().len();
    let (again, summary) = skip.go(&journal).unwrap();
    assert_eq!((again, summary.resumed), (outcomes, 3));
    assert_eq!(journal.metadata().unwrap().len(), length);
    let strict = Run { on_error: OnError::Fail, ..skip };
    assert!(matches!(strict.go(&journal), Err(Error::Image { .. })));

    std::fs::write(&images[1].path, &whole).unwrap();
    std::fs::rename(dir.path().join("away"), &images[2].path).unwrap();
    let (outcomes, summary) = strict.go(&journal).unwrap();
    assert_eq!((summary.captions, summary.resumed), (3, 1));
    assert_eq!(summary.captioned, 2);
    assert!(outcomes.iter().all(|outcome| outcome.error.is_none()));
    // An image that is out of reach for once does not lose its caption.
    std::fs::rename(&images[2].path, dir.path().join("away")).unwrap();
    let skip = Run { on_error: OnError::Skip, ..strict };
    assert_eq!(skip.go(&journal).unwrap().1.captions, 2);
    std::fs::rename(dir.path().join("away"), &images[2].path).unwrap();
    assert_eq!(skip.go(&journal).unwrap().1.resumed, 3);
}

#[test]
fn a_list_may_grow_shrink_and_change_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let mut images = files(dir.path(), 5);
    let run = |images: &[ImageFile]| {
        Run { images, enough: 9, on_error: OnError::Fail, restart: false }.go(&journal).unwrap()
    };
    run(&images[1..4]);
    images.reverse();
    let (outcomes, summary) = run(&images);
    assert_eq!(summary.resumed, 3);
    let ids: Vec<&str> = outcomes.iter().map(|outcome| outcome.id.as_str()).collect();
    assert_eq!(ids, ["4", "3", "2", "1", "0"]);
    assert_eq!(run(&images[..2]).1.resumed, 2);
}

#[test]
fn beginning_anew_waits_for_the_lock_before_it_forgets() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let images = files(dir.path(), 2);
    let run = Run { images: &images, enough: 9, on_error: OnError::Fail, restart: true };
    assert_eq!(run.go(&journal).unwrap().1.resumed, 0);
    assert_eq!(run.go(&journal).unwrap().1.resumed, 0);
    let text = std::fs::read(&journal).unwrap();
    let header: serde_json::Value =
        serde_json::from_slice(text.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let settings = header["settings"].as_object().unwrap();
    let held = Journal::open(&journal, settings, false).unwrap();
    let message = run.go(&journal).unwrap_err().to_string();
    assert!(message.contains("another process is writing it"), "{message}");
    assert_eq!(std::fs::read(&journal).unwrap(), text);
    drop(held);
    let run = Run { restart: false, ..run };
    assert_eq!(run.go(&journal).unwrap().1.resumed, 2);
}
