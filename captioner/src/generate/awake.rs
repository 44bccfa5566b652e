//! Threads that do not fall asleep between the many short products of a decoding step: waking one takes longer than some of
//! these.

use std::sync::atomic::{AtomicBool, Ordering};

/// Looks for work before a waiting thread lets others of the machine go first.
const LOOKS: usize = 4096;

/// Runs `body` in the thread pool, whose other threads look for its work all the time until it ends.
pub fn awake<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    let ended = AtomicBool::new(false);
    rayon::scope(|scope| {
        let (leader, ended) = (rayon::current_thread_index(), &ended);
        scope.spawn_broadcast(move |_, context| {
            let mut looks = 0;
            while Some(context.index()) != leader && !ended.load(Ordering::Relaxed) {
                if rayon::yield_now() == Some(rayon::Yield::Executed) {
                    looks = 0;
                } else if looks < LOOKS {
                    looks += 1;
                    std::hint::spin_loop();
                } else {
                    std::thread::yield_now();
                }
            }
        });
        // Also where `body` panics.
        let _end = End(ended);
        body()
    })
}

struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rayon::prelude::*;

    use super::*;

    #[test]
    fn work_is_done_and_panics_come_through() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let sums: Vec<u64> = pool
            .install(|| awake(|| (0..200).map(|n| (0..n).into_par_iter().sum::<u64>()).collect()));
        assert!(sums.iter().zip(0..).all(|(sum, n): (_, u64)| *sum == n * n.saturating_sub(1) / 2));
        let panicking = AssertUnwindSafe(|| pool.install(|| awake(|| panic!("as it must"))));
        assert!(catch_unwind(panicking).is_err());
    }
}
