//! `cluestream health`: asks a running server whether it can work, for container health checks.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::CliError;
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How long the server may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

/// Why the server is not well.
#[derive(Debug, thiserror::Error)]
pub(super) enum HealthError {
    #[error("no server answers at {address}: {source}")]
    Unreachable { address: SocketAddr, source: io::Error },
    #[error("the server at {address} cannot work: {report}")]
    NotReady { address: SocketAddr, report: String },
}

pub(super) fn run(arguments: &Arguments, config: &Config) -> Result<(), CliError> {
    let address = reachable(config.listen);
    let timeout = Duration::from_secs(arguments.timeout.max(1));
    let (status, report) =
        ask(address, timeout).map_err(|source| HealthError::Unreachable { address, source })?;
    if status != 200 {
        return Err(HealthError::NotReady { address, report }.into());
    }
    writeln!(io::stdout().lock(), "{report}")?;
    Ok(())
}

/// A server that listens everywhere is asked here.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

/// One GET over HTTP/1.0, whose answer ends with the connection: no client library is needed.
fn ask(address: SocketAddr, timeout: Duration) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // In one piece: a server may answer, and hang up, after the first.
    stream.write_all(format!("GET /readyz HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP");
    Ok((status.ok_or_else(no_http)?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_at_this_machine() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()), "127.0.0.1:80".parse().unwrap());
        assert_eq!(reachable("[::]:80".parse().unwrap()), "[::1]:80".parse().unwrap());
        assert_eq!(reachable("10.0.0.1:80".parse().unwrap()), "10.0.0.1:80".parse().unwrap());
    }

    #[test]
    fn the_status_and_the_report_are_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 256];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.0 503 Service Unavailable\r\n\r\n{\"ready\":false}\n").unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let answer = ask(address, Duration::from_secs(5)).unwrap();
        assert_eq!(answer, (503, "{\"ready\":false}".to_owned()));
        assert!(server.join().unwrap().starts_with("GET /readyz "));
    }
}
