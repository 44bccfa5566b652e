//! Who may reach the processes. The engine's ports know neither passwords nor certificates: whoever reaches them can have it read files
//! and run queries. So they are open to this machine alone, unless there is a key ([`tls`](crate::tls)) or somebody vouches for the
//! network.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::tls::Key;

/// The next one who comes. What fails meanwhile ends nothing: somebody may have gone again, or all files may be open.
pub async fn accept(listener: &tokio::net::TcpListener) -> (tokio::net::TcpStream, SocketAddr) {
    loop {
        if let Ok(accepted) = listener.accept().await {
            return accepted;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Where a process listens.
#[derive(Debug, Clone, clap::Args)]
pub struct BindArgs {
    /// Address to listen on.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1", env = "FGD_BIND")]
    pub bind: String,
    /// What other machines reach this one by; the bound address by default.
    #[arg(long, value_name = "HOST", env = "FGD_ADVERTISE")]
    pub advertise: Option<String>,
    /// Only machines of the cluster reach these ports: needed to listen on more than loopback without --key.
    #[arg(long, env = "FGD_TRUSTED_NETWORK", value_parser = clap::builder::FalseyValueParser::new())]
    pub trusted_network: bool,
}

/// Where a process listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// What others reach it by.
    outer: IpAddr,
    /// Where the engine listens.
    pub inner: IpAddr,
}

impl Place {
    /// Relays a port from outside to the engine's, if they are not the same.
    pub async fn relay(self, key: Option<&Key>, port: u16) -> anyhow::Result<()> {
        let [outer, inner] = [self.outer, self.inner].map(|ip| SocketAddr::new(ip, port));
        match key {
            Some(key) => key.relay(outer, inner).await,
            None => Ok(()),
        }
    }

    /// The first of two ports in a row that are free now.
    pub fn free_pair(self) -> anyhow::Result<u16> {
        let is_free = |ip, port| TcpListener::bind(SocketAddr::new(ip, port)).is_ok();
        for _ in 0..64 {
            let port = TcpListener::bind(SocketAddr::new(self.outer, 0))?.local_addr()?.port();
            let Some(next) = port.checked_add(1) else { continue };
            if [self.outer, self.inner].iter().all(|&ip| is_free(ip, port) && is_free(ip, next)) {
                return Ok(port);
            }
        }
        bail!("no two free ports in a row on {}; name one with --port", self.outer)
    }
}

impl BindArgs {
    /// The address, if it may be listened on.
    pub fn place(&self, key: Option<&Key>) -> anyhow::Result<Place> {
        let engine = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let outer = self.address(key.is_some())?;
        if key.is_some() && (outer == engine || outer.is_unspecified()) {
            bail!(
                "--bind {outer}: with a key, the engine has the ports of {engine} for itself; bind the address by which others reach this \
                 machine"
            );
        }
        Ok(Place { outer, inner: if key.is_some() { engine } else { outer } })
    }

    fn address(&self, has_key: bool) -> anyhow::Result<IpAddr> {
        let address: IpAddr =
            self.bind.parse().with_context(|| format!("--bind {}: is no IP address", self.bind))?;
        if !address.is_loopback() && !self.trusted_network && !has_key {
            bail!(
                "--bind {address}: whoever reaches these ports can read files and run queries as this user; give the key of the cluster with \
                 --key, or bind an address of a private network (WireGuard, a NetworkPolicy) and say --trusted-network"
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
            BindArgs { bind: bind.into(), advertise: None, trusted_network }.place(None)
        };
        assert!(args("127.0.0.1", false).is_ok() && args("::1", false).is_ok());
        assert!(args("10.0.0.1", true).is_ok());
        assert!(args("0.0.0.0", true).unwrap_err().to_string().contains("--advertise"));
        let error = args("0.0.0.0", false).unwrap_err().to_string();
        assert!(error.contains("--trusted-network"), "{error}");
        assert!(args("localhost:1", true).is_err());
    }
}
