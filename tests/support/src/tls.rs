//! A TLS client that verifies what a server serves.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// A client that trusts these CAs.
///
/// # Errors
/// When one of them is not a certificate.
pub fn trusting<'a>(
    cas: impl IntoIterator<Item = CertificateDer<'a>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        roots.add(ca.into_owned())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    Ok(builder.with_safe_default_protocol_versions()?.with_root_certificates(roots))
}

/// A connection from another address of this machine, if one is given.
///
/// # Errors
/// When there is none.
pub async fn open(source: Option<Ipv4Addr>, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = source {
        socket.bind((source, 0).into())?;
    }
    socket.connect(address).await
}

/// Connects, and verifies that the server has a certificate for `name`. The client offers the
/// protocols `offered` by ALPN.
///
/// # Errors
/// When there is no connection, or the certificate is not what the client trusts.
pub async fn connect(
    address: SocketAddr,
    name: &str,
    config: ClientConfig,
    offered: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    handshake(TcpStream::connect(address).await?, name, config, offered).await
}

/// The same on a connection that is there.
///
/// # Errors
/// When the certificate is not what the client trusts.
pub async fn handshake(
    stream: TcpStream,
    name: &str,
    mut config: ClientConfig,
    offered: &[&[u8]],
) -> io::Result<TlsStream<TcpStream>> {
    config.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// The certificate that a server serves for `name`, verified with the CAs in `bundle`, which are
/// in PEM form.
///
/// # Errors
/// As [`connect`], and when the bundle is not PEM.
pub async fn verified(
    address: SocketAddr,
    name: &str,
    bundle: &str,
) -> io::Result<CertificateDer<'static>> {
    let cas = CertificateDer::pem_slice_iter(bundle.as_bytes()).collect::<Result<Vec<_>, _>>();
    let config = trusting(cas.map_err(io::Error::other)?).map_err(io::Error::other)?;
    let stream = connect(address, name, config.with_no_client_auth(), &[b"http/1.1"]).await?;
    Ok(served(&stream))
}

/// The certificate of the server at the other end.
pub fn served(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    let chain = stream.get_ref().1.peer_certificates();
    chain.expect("a server shows its certificate")[0].clone().into_owned()
}
