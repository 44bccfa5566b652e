//! What the decoder remembers between steps: keys and values of every row's own tokens, and those of its prompt, which all rows
//! of a prompt share.

mod device;
mod host;

use candle_core::Tensor;

use crate::error::{Error, Result};
use device::DeviceCache;
use host::HostCache;

/// What a cache begins with.
pub(super) struct Beginning<'a> {
    /// Keys and values of the prompts, [prompts, source, heads·d_kv] for each block.
    pub prompts: Vec<[Tensor; 2]>,
    /// Which of the source a prompt has, [prompts, source].
    pub mask: Option<&'a Tensor>,
    /// Position bias of a last token [heads, 1, longest].
    pub bias: Tensor,
    pub rows_per_prompt: usize,
    /// Most tokens of a row.
    pub longest: usize,
}

/// Decoder state for some sequences of each prompt.
pub struct Cache(Kind);

enum Kind {
    Host(HostCache),
    Device(DeviceCache),
}

impl Cache {
    pub(super) fn new(beginning: Beginning) -> Result<Self> {
        Ok(Self(match beginning.bias.device().is_cpu() {
            true => Kind::Host(HostCache::new(beginning)?),
            false => Kind::Device(DeviceCache::new(beginning)?),
        }))
    }

    /// Adds the prompts of another cache, after its own. On a device only where no prompt is left: its rows are equally long.
    ///
    /// # Errors
    /// A device's cache that has prompts.
    pub fn join(&mut self, other: Self) -> Result<()> {
        match (&mut self.0, other.0) {
            (Kind::Host(own), Kind::Host(other)) => own.join(other),
            (Kind::Device(own), Kind::Device(other)) if own.is_empty() => *own = other,
            _ => {
                let reason = "on a GPU prompts join a batch only when it has ended";
                return Err(Error::Setting(reason.into()));
            }
        }
        Ok(())
    }

    /// For each prompt the rows that go on: row `i` of it continues what row `rows[prompt][i]` was. A prompt without rows is
    /// gone.
    ///
    /// # Errors
    /// A row that is not there.
    pub fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        match &mut self.0 {
            Kind::Host(cache) => cache.go_on(rows),
            Kind::Device(cache) => cache.go_on(rows)?,
        }
        Ok(())
    }

    /// Attention to each row's own tokens, the newest among them: its query, key and value, each [rows, heads·d_kv] → the same.
    pub(super) fn own(&mut self, block: usize, newest: [&Tensor; 3]) -> Result<Tensor> {
        match &mut self.0 {
            Kind::Host(cache) => cache.own(block, newest),
            Kind::Device(cache) => cache.own(block, newest),
        }
    }

    /// Attention to each row's prompt: [rows, heads·d_kv] → the same.
    pub(super) fn prompt(&self, block: usize, queries: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Kind::Host(cache) => cache.prompt(block, queries),
            Kind::Device(cache) => cache.prompt(block, queries),
        }
    }
}

fn full(longest: usize) -> Error {
    Error::Setting(format!("the decoder cache holds {longest} tokens and is full"))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn tensor(shape: &[usize], seed: usize) -> Tensor {
        let count = shape.iter().product::<usize>();
        let values: Vec<f32> = (0..count).map(|i| ((i + 31 * seed) as f32 * 0.731).sin()).collect();
        Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
    }

    fn beginning(mask: &Tensor, rows_per_prompt: usize) -> Beginning<'_> {
        Beginning {
            prompts: (0..2).map(|block| [1, 2].map(|s| tensor(&[3, 7, 24], s + block))).collect(),
            mask: Some(mask),
            bias: tensor(&[3, 1, 5], 9),
            rows_per_prompt,
            longest: 5,
        }
    }

    /// Beams that change places, are doubled and leave: a device's cache, here on the CPU, is the host's twin.
    #[test]
    fn the_host_cache_agrees_with_the_devices() {
        let mut mask = vec![0f32; 21];
        mask[6] = f32::NEG_INFINITY;
        let mask = Tensor::from_vec(mask, (3, 7), &Device::Cpu).unwrap();
        let mut host = HostCache::new(beginning(&mask, 2)).unwrap();
        let mut device = DeviceCache::new(beginning(&mask, 2)).unwrap();
        let moves: [&[&[usize]]; 5] = [
            &[&[0, 1], &[1, 0], &[1, 1]],
            &[&[0, 1], &[], &[0, 1]],
            &[&[1], &[1, 0]],
            &[&[0], &[0]],
            &[&[], &[]],
        ];
        for (step, rows) in moves.iter().enumerate() {
            let count = [6, 6, 4, 3, 2][step];
            for block in 0..2 {
                let [q, k, v] = [1, 2, 3].map(|s| tensor(&[count, 24], 7 * step + s + block));
                for (host, device) in [
                    (host.own(block, [&q, &k, &v]), device.own(block, [&q, &k, &v])),
                    (host.prompt(block, &q), device.prompt(block, &q)),
                ] {
                    let apart = (host.unwrap() - device.unwrap()).unwrap().abs().unwrap();
                    let apart: f32 =
                        apart.max_all().unwrap().to_dtype(DType::F32).unwrap().to_scalar().unwrap();
                    assert!(apart < 1e-5, "step {step}, block {block}: {apart}");
                }
            }
            let rows: Vec<Vec<usize>> = rows.iter().map(|rows| rows.to_vec()).collect();
            host.go_on(&rows);
            device.go_on(&rows).unwrap();
        }
        assert!(device.is_empty());
    }
}
