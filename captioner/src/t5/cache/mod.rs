//! What the decoder remembers between steps: keys and values of every row's own tokens, and those of its prompt, which all rows
//! of a prompt share.

mod device;
mod host;

use candle_core::Tensor;
use fgd_kernels::Form;

use crate::error::{Error, Result};
pub(super) use device::DeviceCache;
pub(super) use host::{Heads, HostCache};

/// What a cache begins with.
pub(super) struct Beginning<'a> {
    pub prompts: usize,
    /// Tokens of each prompt.
    pub sources: usize,
    /// Keys and values of the prompts, [prompts·sources, heads·d_kv] for each block.
    pub seen: Vec<[Tensor; 2]>,
    /// Which of the source a prompt has, [prompts, sources].
    pub mask: Option<&'a Tensor>,
    /// Position bias by distance, the farthest first: [heads, longest] in f32.
    pub bias: Tensor,
    pub rows_per_prompt: usize,
    /// Most tokens of a row.
    pub longest: usize,
    /// What keys and values are kept in in host memory: bf16 where products are rounded, else f32.
    pub form: Form,
}

/// Decoder state for some sequences of each prompt.
pub struct Cache(pub(super) Kind);

/// Where it is.
pub(super) enum Kind {
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

    /// Adds the prompts of another cache, after its own. On a device only where no prompt is left: there a step costs nearly the same
    /// for a few rows and for many, and what joins would have to be moved.
    ///
    /// # Errors
    /// A device's cache that has prompts.
    pub fn join(&mut self, other: Self) -> Result<()> {
        match (&mut self.0, other.0) {
            (Kind::Host(own), Kind::Host(other)) => own.join(other),
            (Kind::Device(own), Kind::Device(other)) if own.is_empty() => own.begin_again(other),
            _ => {
                let reason = "on a GPU prompts join a batch only when it has ended";
                return Err(Error::Setting(reason.into()));
            }
        }
        Ok(())
    }

    /// Whether it is in host memory.
    pub fn is_on_host(&self) -> bool {
        matches!(self.0, Kind::Host(_))
    }

    /// For each prompt the rows that go on: row `i` of it continues what row `rows[prompt][i]` was. A prompt without rows is
    /// gone.
    ///
    /// # Errors
    /// A row that is not there.
    pub fn go_on(&mut self, rows: &[Vec<usize>]) -> Result<()> {
        match &mut self.0 {
            Kind::Host(cache) => cache.go_on(rows),
            Kind::Device(cache) => cache.go_on(rows),
        }
        Ok(())
    }
}

fn full(longest: usize) -> Error {
    Error::Setting(format!("the decoder cache holds {longest} tokens and is full"))
}
