//! Binding a listener.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

/// The address of a listener cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: cannot listen on {address}: {source}")]
pub struct BindError {
    flag: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// Listens on `address`; `flag` is the one that named it.
///
/// `[::]` means every address, IPv4 too, whatever `net.ipv6.bindv6only` says, and it means the
/// same on a node whose kernel has no IPv6.
///
/// # Errors
/// When the address is in use, is not ours, or needs a right that we do not have.
pub fn bind(flag: &'static str, address: SocketAddr) -> Result<TcpListener, BindError> {
    let result = match listen(address) {
        Err(error) if address.ip().is_unspecified() && address.is_ipv6() && lacks_ipv6(&error) => {
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        result => result,
    };
    result.map_err(|source| BindError { flag, address, source })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restart must not have to wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

/// Without IPv6 in the kernel the error is one of several. These two are none of them.
fn lacks_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_address_means_ipv4_too() {
        let listener = bind("--listen", "[::]:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    }

    #[tokio::test]
    async fn an_address_in_use_is_named_with_its_flag() {
        let first = bind("--listen", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let error = bind("--admin-listen", address).unwrap_err().to_string();
        let expected =
            format!("--admin-listen: cannot listen on {address}: Address already in use");
        assert!(error.starts_with(&expected), "{error}");
    }
}
