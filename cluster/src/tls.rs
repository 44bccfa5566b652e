//! Mutual TLS between the processes of a cluster.
//!
//! One file is the password: a private key and its certificate, which every process has. Each shows the certificate, and each takes
//! no other. The engine's servers know no TLS, so they stay on loopback, and a relay before them takes what comes from other
//! machines; the engine's clients are handed endpoints that speak TLS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use ballista_core::extension::EndpointOverrideFn;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Uri};

use crate::network;

/// The name that the certificate is made out to, whatever the machines are called.
const NAME: &str = "fgd-cluster";
/// Longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the engine's own endpoints have.
const WINDOWS: [u32; 2] = [64 << 20, 16 << 20];

/// Where the key of the cluster is.
#[derive(Debug, Clone, clap::Args)]
pub struct KeyArgs {
    /// The key of the cluster, a PEM file of a private key and its certificate (cluster/README.md makes one): processes speak TLS, and
    /// only with those that have it.
    #[arg(long, value_name = "FILE", env = "FGD_KEY")]
    key: Option<PathBuf>,
}

impl KeyArgs {
    /// Reads it, if there is one.
    pub fn read(&self) -> anyhow::Result<Option<Key>> {
        let Some(path) = &self.key else { return Ok(None) };
        let read = std::fs::read_to_string(path).map_err(anyhow::Error::from);
        let key = read.and_then(|pem| Key::parse(&pem));
        Ok(Some(key.with_context(|| format!("--key {}", path.display()))?))
    }
}

/// What a process shows to others, and takes from them.
#[derive(Clone)]
pub struct Key {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    engine: ClientTlsConfig,
}

impl Key {
    fn parse(pem: &str) -> anyhow::Result<Self> {
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>()?;
        let [certificate] = &certificates[..] else {
            bail!("must hold one certificate, and holds {}", certificates.len());
        };
        let private = || PrivateKeyDer::from_pem_slice(pem.as_bytes());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone())?;
        let (roots, provider) = (Arc::new(roots), Arc::new(ring::default_provider()));
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates.clone(), private()?)?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates.clone(), private()?)?;
        let engine = ClientTlsConfig::new()
            .domain_name(NAME)
            .ca_certificate(Certificate::from_pem(pem))
            .identity(Identity::from_pem(pem, pem));
        Ok(Self { server: Arc::new(server), client: Arc::new(client), engine })
    }

    /// What the engine's endpoints become.
    pub fn endpoints(&self) -> EndpointOverrideFn {
        let tls = self.engine.clone();
        Arc::new(move |endpoint: Endpoint| {
            let mut parts = endpoint.uri().clone().into_parts();
            parts.scheme = Some("https".parse()?);
            // An endpoint keeps its address, so this is a new one.
            let endpoint = Endpoint::from(Uri::from_parts(parts)?)
                .connect_timeout(PATIENCE)
                .tcp_nodelay(true)
                .initial_connection_window_size(WINDOWS[0])
                .initial_stream_window_size(WINDOWS[1]);
            Ok(endpoint.tls_config(tls.clone())?)
        })
    }

    /// A connection to a relay.
    pub async fn connect(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<impl AsyncRead + AsyncWrite + use<>> {
        let name = ServerName::try_from(NAME).map_err(std::io::Error::other)?;
        TlsConnector::from(self.client.clone()).connect(name, stream).await
    }

    /// Listens at `outer` from now on, and relays what others with the key say to `inner`, and back.
    pub async fn relay(&self, outer: SocketAddr, inner: SocketAddr) -> anyhow::Result<()> {
        let listener = TcpListener::bind(outer).await.with_context(|| format!("{outer}"))?;
        let acceptor = TlsAcceptor::from(self.server.clone());
        tokio::spawn(async move {
            loop {
                let (stream, from) = network::accept(&listener).await;
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Err(error) = relayed(acceptor, stream, inner).await {
                        tracing::info!("{from}: {error}");
                    }
                });
            }
        });
        Ok(())
    }
}

async fn relayed(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    inner: SocketAddr,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let accepted = tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await;
    let mut stream = accepted.map_err(|_| std::io::ErrorKind::TimedOut)??;
    let mut engine = TcpStream::connect(inner).await?;
    engine.set_nodelay(true)?;
    copy_bidirectional(&mut stream, &mut engine).await?;
    Ok(())
}
