//! How a checkpoint is loaded: what its weights are kept in, and where it runs.

use candle_core::Device;
use fgd_kernels::Level;

use super::error::{Error, Result};
use super::weights::Precision;

/// How a checkpoint is loaded.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// What weights are kept in.
    pub precision: Precision,
    /// Where it runs.
    pub device: Device,
}

impl LoadOptions {
    /// What is multiplied on this CPU for these options, if it is rounded before: in bf16 another CPU may not do so.
    pub(crate) fn rounded_products(&self) -> Option<&'static str> {
        let halves = self.device.is_cpu() && Level::current().has_bf16();
        match self.precision {
            Precision::Bf16 if halves => Some("bf16, attention too"),
            Precision::Q8 if halves => Some("8 bits by 128, attention in bf16"),
            Precision::Q8 => Some("8 bits by 128"),
            Precision::F32 | Precision::Bf16 => None,
        }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { precision: Precision::F32, device: Device::Cpu }
    }
}

/// The device of this name: `cpu`, `cuda` or `cuda:N`.
///
/// # Errors
/// Another name, or a GPU that this build or this machine does not have.
pub fn parse_device(name: &str) -> Result<Device> {
    let (kind, ordinal) = name.split_once(':').unwrap_or((name, "0"));
    match (kind, ordinal.parse()) {
        ("cpu", _) if name == "cpu" => Ok(Device::Cpu),
        ("cuda", Ok(ordinal)) => cuda(ordinal),
        _ => Err(Error::Setting(format!("device {name:?} is unknown; give cpu or cuda:N"))),
    }
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Result<Device> {
    crate::gpu::open(ordinal).map_err(|error| {
        // What follows are the calls that led there.
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        Error::Setting(format!("cuda:{ordinal} cannot be used ({reason}); try --device cpu"))
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> Result<Device> {
    Err(Error::Setting(format!(
        "cuda:{ordinal} needs a build with the cuda feature (script/build-cuda, or cargo build --release --features cuda); \
         this one has only --device cpu"
    )))
}
