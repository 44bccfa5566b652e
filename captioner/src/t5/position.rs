//! T5's relative position bias: one learned number per head and bucket of distance, computed in the first block and
//! used in all. The encoder gives half of the buckets to each direction; the decoder looks back only and has them all.

use candle_core::Tensor;

use crate::config::T5Config;
use crate::error::Result;
use crate::weights::Scope;

/// The table `relative_attention_bias.weight` [buckets, heads] with the rule that picks its rows.
pub struct PositionBias {
    table: Tensor,
    bidirectional: bool,
    buckets: usize,
    max_distance: usize,
}

impl PositionBias {
    /// From the self-attention of a stack's first block.
    pub fn load(attention: &Scope, config: &T5Config, bidirectional: bool) -> Result<Self> {
        let buckets = config.relative_attention_num_buckets;
        Ok(Self {
            table: attention
                .pp("relative_attention_bias")
                .tensor("weight", &[buckets, config.num_heads])?,
            bidirectional,
            buckets,
            max_distance: config.relative_attention_max_distance,
        })
    }

    /// Bias [heads, queries, keys] for queries at `first..first + queries` and keys at `0..keys`.
    pub fn forward(&self, first: usize, queries: usize, keys: usize) -> Result<Tensor> {
        let bucket = |q: usize, k: usize| {
            bucket(k as i64 - q as i64, self.bidirectional, self.buckets, self.max_distance)
        };
        let ids: Vec<u32> =
            (first..first + queries).flat_map(|q| (0..keys).map(move |k| bucket(q, k))).collect();
        let ids = Tensor::new(ids, self.table.device())?;
        let heads = self.table.dim(1)?;
        Ok(self.table.index_select(&ids, 0)?.t()?.reshape((heads, queries, keys))?)
    }
}

/// Mesh TensorFlow's bucketing as transformers has it (`T5Attention._relative_position_bucket`): exact up to half of a
/// direction's buckets, logarithmic up to `max_distance`, one bucket beyond. `relative` is key − query.
fn bucket(relative: i64, bidirectional: bool, buckets: usize, max_distance: usize) -> u32 {
    let (offset, buckets, distance) = if bidirectional {
        let half = buckets / 2;
        (if relative > 0 { half } else { 0 }, half, relative.unsigned_abs() as usize)
    } else {
        (0, buckets, (-relative).max(0) as usize)
    };
    let exact = buckets / 2;
    if distance < exact {
        return (offset + distance) as u32;
    }
    // In f32, as the original: at a bucket's edge the rounding decides.
    let log =
        (distance as f32 / exact as f32).ln() / (max_distance as f64 / exact as f64).ln() as f32;
    let far = exact + (log * (buckets - exact) as f32) as usize;
    (offset + far.min(buckets - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// Against transformers 5.23: `T5Attention._relative_position_bucket(torch.tensor([..]), bidirectional, 32, 128)`.
    #[test]
    fn buckets_are_those_of_transformers() {
        let at = |both: bool, ds: &[i64]| {
            ds.iter().map(|d| bucket(*d, both, 32, 128)).collect::<Vec<_>>()
        };
        let distances =
            [0, -1, -7, -8, -9, -11, -12, -15, -16, -17, -22, -23, -31, -32, -64, -127, -128, -500];
        assert_eq!(at(true, &distances), BIDIRECTIONAL_BACK);
        assert_eq!(at(true, &distances.map(|d| -d)), BIDIRECTIONAL_AHEAD);
        assert_eq!(at(false, &distances), CAUSAL);
        assert_eq!(at(false, &[1, 5, 200]), [0, 0, 0]);
    }

    const BIDIRECTIONAL_BACK: [u32; 18] =
        [0, 1, 7, 8, 8, 8, 9, 9, 10, 10, 10, 11, 11, 12, 14, 15, 15, 15];
    const BIDIRECTIONAL_AHEAD: [u32; 18] =
        [0, 17, 23, 24, 24, 24, 25, 25, 26, 26, 26, 27, 27, 28, 30, 31, 31, 31];
    const CAUSAL: [u32; 18] = [0, 1, 7, 8, 9, 11, 12, 15, 16, 16, 18, 18, 21, 21, 26, 31, 31, 31];
}
