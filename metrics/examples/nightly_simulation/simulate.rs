//! Speed figures of a made-up benchmark, night after night, with a change that is known.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Nights of a series.
pub const NIGHTS: usize = 60;

/// What happens to the level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// Nothing.
    None,
    /// It rises by this share in one night.
    Step(f64),
    /// It rises by this share over thirty nights.
    Drift(f64),
}

/// What the noise is like. A second measurement in the same night shares half of the night's variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Normal.
    Normal,
    /// Normal; 4% of the nights are 1.2 to 2 times as slow, and every other of them still is at a second measurement.
    Outliers,
    /// Two levels, the slower one in 30% of the nights; a second measurement finds the same one in half of the cases.
    Bimodal,
}

/// A kind of series.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What happens to the level.
    pub change: Change,
    /// What the noise is like.
    pub noise: Noise,
    /// Standard deviation of the noise (without outliers), as a share of the level.
    pub spread: f64,
}

/// A series: two measurements per night, of which the second is only looked at on demand. Logarithms of seconds.
#[derive(Debug, Clone)]
pub struct Series {
    /// The measurements.
    pub nights: Vec<[f64; 2]>,
    /// The night of the change; past the end where there is none.
    pub changed: usize,
}

/// The series of a scenario with this seed.
pub fn series(scenario: &Scenario, seed: u64) -> Series {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let changed = match scenario.change {
        Change::None => NIGHTS,
        _ => rng.random_range(25..35),
    };
    let nights = (0..NIGHTS).map(|night| {
        let level = match scenario.change {
            Change::None => 0.0,
            Change::Step(share) if night >= changed => (1.0 + share).ln(),
            Change::Drift(share) if night >= changed => {
                (1.0 + share * ((night + 1 - changed) as f64 / 30.0).min(1.0)).ln()
            }
            _ => 0.0,
        };
        let noise = measured(scenario, &mut rng);
        noise.map(|noise| level + (1.0 + noise).max(0.2).ln())
    });
    Series { nights: nights.collect(), changed }
}

/// The noise of two measurements in one night.
fn measured(scenario: &Scenario, rng: &mut ChaCha8Rng) -> [f64; 2] {
    let spread = scenario.spread;
    let jitter = if scenario.noise == Noise::Bimodal { 0.4 * spread } else { spread };
    let half = jitter * 0.5f64.sqrt();
    let night = half * normal(rng);
    let mut both = [night + half * normal(rng), night + half * normal(rng)];
    match scenario.noise {
        Noise::Normal => {}
        Noise::Outliers => {
            if rng.random_bool(0.04) {
                let factor = rng.random_range(0.2..1.0);
                both[0] += factor;
                if rng.random_bool(0.5) {
                    both[1] += factor;
                }
            }
        }
        Noise::Bimodal => {
            // Two levels of weights 0.7 and 0.3, so far apart that the whole has the spread.
            let gap = spread * (1.0f64 - 0.16).sqrt() / 0.21f64.sqrt();
            let slow = rng.random_bool(0.3);
            let again = if rng.random_bool(0.5) { slow } else { rng.random_bool(0.3) };
            both[0] += gap * f64::from(u8::from(slow));
            both[1] += gap * f64::from(u8::from(again));
        }
    }
    both
}

/// A standard normal deviate (Box & Muller 1958).
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
