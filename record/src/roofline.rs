//! Where the time of a query goes, and what the machine would allow: a roofline (Williams, Waterman & Patterson 2009).

use serde::{Deserialize, Serialize};

/// A part of the work of a query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// What is done.
    pub name: String,
    /// What it is done to: `image`, `caption`, `token`, `job`.
    pub unit: String,
    /// How many of these there were.
    pub count: u64,
    /// Seconds in all.
    pub seconds: f64,
    /// Share of the time of all queries.
    pub share: f64,
    /// Seconds per unit.
    pub seconds_per_unit: f64,
    /// Useful floating-point operations per unit in 1e9; `None` where they are not counted.
    pub gflop_per_unit: Option<f64>,
    /// Bytes of weights that must be read at least, per unit.
    pub bytes_per_unit: Option<f64>,
    /// Achieved GFLOP/s.
    pub gflop_per_second: Option<f64>,
    /// Achieved GB/s of weights.
    pub gb_per_second: Option<f64>,
    /// GFLOP/s that the machine allows at this ratio of operations to bytes: the roofline
    /// (Williams, Waterman & Patterson 2009).
    pub attainable_gflop_per_second: Option<f64>,
    /// What the roofline is made of here.
    pub bound_by: Option<BoundBy>,
}

impl Stage {
    /// Achieved over attainable speed: what is left to gain is the rest.
    pub fn share_of_ceiling(&self) -> Option<f64> {
        Some(self.gflop_per_second? / self.attainable_gflop_per_second?)
    }
}

/// What limits a stage at best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoundBy {
    /// Multiply-adds.
    Arithmetic,
    /// Reading weights.
    Memory,
}

/// What this machine can do at most, on the threads of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Multiply-adds in registers, f32, in GFLOP/s.
    pub fma_gflop_per_second: f64,
    /// A large f32 matrix product, in GFLOP/s.
    pub gemm_gflop_per_second: f64,
    /// Reading memory beyond the caches, in GB/s.
    pub read_gb_per_second: f64,
}

impl Ceilings {
    /// The roof of arithmetic in GFLOP/s: whichever of the two was faster, as a probe that others disturbed is no ceiling.
    pub fn arithmetic(&self) -> f64 {
        self.fma_gflop_per_second.max(self.gemm_gflop_per_second)
    }
}
