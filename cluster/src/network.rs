//! Who may reach the processes. The engine knows neither passwords nor certificates of its own: whoever reaches its ports can have it
//! read files and run queries. So ports are open to this machine alone, unless somebody vouches for the network.

use std::net::IpAddr;

use anyhow::{Context, bail};

/// Where a process listens.
#[derive(Debug, Clone, clap::Args)]
pub struct BindArgs {
    /// Address to listen on.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", env = "FGD_BIND")]
    pub bind: String,
    /// What other machines reach this one by; the bound address by default.
    #[arg(long, value_name = "HOST", env = "FGD_ADVERTISE")]
    pub advertise: Option<String>,
    /// Only machines of the cluster reach these ports: needed to listen on more than loopback.
    #[arg(long, env = "FGD_TRUSTED_NETWORK", value_parser = clap::builder::FalseyValueParser::new())]
    pub trusted_network: bool,
}

impl BindArgs {
    /// The address, if it may be listened on.
    pub fn address(&self) -> anyhow::Result<IpAddr> {
        let address: IpAddr =
            self.bind.parse().with_context(|| format!("--bind {}: is no IP address", self.bind))?;
        if !address.is_loopback() && !self.trusted_network {
            bail!(
                "--bind {address}: whoever reaches these ports can read files and run queries as this user, and there is no password or \
                 TLS on them; bind an address of a private network (WireGuard, a NetworkPolicy) and say --trusted-network, or tunnel a \
                 loopback port through SSH"
            );
        }
        if address.is_unspecified() && self.advertise.is_none() {
            bail!(
                "--bind {address}: is every address of this machine; say by --advertise which of them the others know"
            );
        }
        Ok(address)
    }

    /// What others reach this process by.
    pub fn host(&self) -> String {
        self.advertise.clone().unwrap_or_else(|| self.bind.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_loopback_is_opened_only_to_a_trusted_network() {
        let args = |bind: &str, trusted_network| {
            BindArgs { bind: bind.into(), advertise: None, trusted_network }.address()
        };
        assert!(args("127.0.0.1", false).is_ok() && args("::1", false).is_ok());
        assert!(args("10.0.0.1", true).is_ok());
        assert!(args("0.0.0.0", true).unwrap_err().to_string().contains("--advertise"));
        let error = args("0.0.0.0", false).unwrap_err().to_string();
        assert!(error.contains("--trusted-network"), "{error}");
        assert!(args("localhost:1", true).is_err());
    }
}
