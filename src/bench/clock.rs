//! Time as the scenarios see it: read and waited for through one trait, so that tests can simulate it.

use std::time::{Duration, Instant};

/// A clock that never goes back.
pub trait Clock: Sync {
    /// Time since some fixed moment.
    fn now(&self) -> Duration;
    /// Waits until `now()` is at least `time`.
    fn sleep_until(&self, time: Duration);
}

/// The time of this machine.
#[derive(Debug)]
pub struct WallClock(Instant);

impl WallClock {
    /// A clock that starts now.
    #[allow(clippy::new_without_default, reason = "a default would hide that it starts to run")]
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

/// The system wakes a sleeper up to about this much late, so the rest is waited out awake.
const AWAKE: Duration = Duration::from_micros(200);

impl Clock for WallClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep_until(&self, time: Duration) {
        if let Some(rest) = time.checked_sub(self.now() + AWAKE) {
            std::thread::sleep(rest);
        }
        while self.now() < time {
            std::hint::spin_loop();
        }
    }
}
