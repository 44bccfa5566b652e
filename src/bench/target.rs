//! What is benchmarked: something that answers queries about items.

/// A system under test, ready for queries. A query runs on the threads of the current rayon pool.
pub trait Target: Send {
    /// Distinct items that queries are made of, at least one.
    fn items(&self) -> usize;

    /// Answers one query about these items, all different. An error counts as a failed query.
    fn query(&mut self, items: &[usize]) -> Result<Answer, String>;

    /// Tells a target that does its work outside of this process how many threads to use from now on.
    fn use_threads(&mut self, _threads: usize) {}
}

/// What a query came to.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Tokens read (encoder) or generated (captioner); `None` where there are none.
    pub tokens: Option<u64>,
    /// Where the time went.
    pub work: Vec<Work>,
}

/// A part of the work of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// What was done.
    pub stage: &'static str,
    /// What it was done to: `image`, `token`, …
    pub unit: &'static str,
    /// How many of these.
    pub count: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// Useful floating-point operations and bytes of weights read at least, where they are counted.
    pub cost: Option<Cost>,
}

/// What a piece of work costs at least.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations, two per multiply-add.
    pub flop: f64,
    /// Bytes of weights that must be read.
    pub bytes: f64,
    /// Whether they are products of fewer bits than f32, which the measured ceilings of arithmetic say nothing of.
    pub rounded: bool,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.flop += other.flop;
        self.bytes += other.bytes;
        self.rounded |= other.rounded;
    }
}
