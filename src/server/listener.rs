//! Binds listeners.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::constants::{RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES};

/// A listener cannot use its address.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: cannot listen on {address}: {source}")]
pub struct BindError {
    flag: &'static str,
    address: SocketAddr,
    source: io::Error,
}

/// Listens on `address`, which `flag` named.
///
/// `[::]` means every address, including IPv4, whatever `net.ipv6.bindv6only` says and whether or
/// not the kernel of the node has IPv6.
///
/// # Errors
/// When the address is in use, does not belong to the node, or needs a privilege.
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
    // A restart does not wait for the TIME_WAIT of old connections.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Connections inherit these. Only Linux has the first; elsewhere, the program is a command line.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(crate::constants::WRITE_TIMEOUT))?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(&address.into())?;
    socket.listen(1024)?;
    TcpListener::from_std(socket.into())
}

/// A kernel without IPv6 returns one of several errors, but neither of these two.
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
