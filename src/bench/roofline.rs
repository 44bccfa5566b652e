//! What stages reach of what the machine allows: the roofline model (Williams, Waterman & Patterson, *Communications of the
//! ACM* 52(4), 2009). With i operations per byte read, no more than min(arithmetic, i × bandwidth) is attainable.

use fgd_record::{BoundBy, Ceilings, Stage};

use super::target::Work;

/// The stages of a run. `busy` is the time in which the target was at work, of which the shares are.
pub fn stages(work: &[Work], busy: f64, ceilings: Option<&Ceilings>) -> Vec<Stage> {
    work.iter().map(|work| stage(work, busy, ceilings)).collect()
}

fn stage(work: &Work, busy: f64, ceilings: Option<&Ceilings>) -> Stage {
    let count = work.count.max(1) as f64;
    let mut stage = Stage {
        name: work.stage.into(),
        unit: work.unit.into(),
        count: work.count,
        seconds: work.seconds,
        share: if busy > 0.0 { work.seconds / busy } else { 0.0 },
        seconds_per_unit: work.seconds / count,
        ..Stage::default()
    };
    let Some(cost) = work.cost.filter(|_| work.seconds > 0.0) else {
        return stage;
    };
    stage.gflop_per_unit = Some(cost.flop / 1e9 / count);
    stage.bytes_per_unit = Some(cost.bytes / count);
    stage.gflop_per_second = Some(cost.flop / 1e9 / work.seconds);
    stage.gb_per_second = Some(cost.bytes / 1e9 / work.seconds);
    if let Some(ceilings) = ceilings.filter(|_| cost.bytes > 0.0) {
        let by_memory = cost.flop / cost.bytes * ceilings.read_gb_per_second;
        let by_arithmetic = ceilings.arithmetic();
        if cost.rounded && by_arithmetic <= by_memory {
            return stage;
        }
        stage.attainable_gflop_per_second = Some(by_memory.min(by_arithmetic));
        stage.bound_by = Some(match by_memory < by_arithmetic {
            true => BoundBy::Memory,
            false => BoundBy::Arithmetic,
        });
    }
    stage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Cost;

    #[test]
    fn the_lower_roof_counts() {
        let ceilings = Ceilings {
            fma_gflop_per_second: 100.0,
            gemm_gflop_per_second: 90.0,
            read_gb_per_second: 10.0,
        };
        let work = |flop: f64, bytes: f64| Work {
            stage: "vision",
            unit: "image",
            count: 4,
            seconds: 2.0,
            cost: Some(Cost { flop, bytes, rounded: false }),
        };
        // 100 operations per byte: arithmetic decides; 50 GFLOP/s of 100.
        let stage = &stages(&[work(1e11, 1e9)], 4.0, Some(&ceilings))[0];
        assert_eq!(stage.bound_by, Some(BoundBy::Arithmetic));
        assert_eq!(stage.share_of_ceiling(), Some(0.5));
        assert_eq!((stage.share, stage.seconds_per_unit), (0.5, 0.5));
        assert_eq!(stage.gflop_per_unit, Some(25.0));
        // 2 operations per byte: reading decides; 10 GFLOP/s of 20, and 5 GB/s of 10.
        let stage = &stages(&[work(2e10, 1e10)], 4.0, Some(&ceilings))[0];
        assert_eq!(stage.bound_by, Some(BoundBy::Memory));
        assert_eq!(stage.share_of_ceiling(), Some(0.5));
        assert_eq!(stage.gb_per_second, Some(5.0));
        // A product that was faster than multiply-adds alone is the roof: 50 GFLOP/s of 200.
        let disturbed = Ceilings { gemm_gflop_per_second: 200.0, ..ceilings };
        let stage = &stages(&[work(1e11, 1e9)], 4.0, Some(&disturbed))[0];
        assert_eq!(stage.share_of_ceiling(), Some(0.25));
        // Products of fewer bits are faster than multiply-adds of f32: only reading is a roof for them.
        let rounded = |flop: f64, bytes: f64| {
            let cost = Some(Cost { flop, bytes, rounded: true });
            stages(&[Work { cost, ..work(flop, bytes) }], 4.0, Some(&ceilings)).remove(0)
        };
        assert_eq!(rounded(4e11, 1e9).share_of_ceiling(), None);
        assert_eq!(rounded(4e11, 1e9).gflop_per_second, Some(200.0));
        assert_eq!(rounded(2e10, 1e10).share_of_ceiling(), Some(0.5));
        // Without ceilings the speed still stands.
        assert!(stages(&[work(2e10, 1e10)], 4.0, None)[0].share_of_ceiling().is_none());
    }
}
