//! One HTTP/1.1 request over a Unix socket.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail};

const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn get(socket: &Path, path: &str) -> Result<(u16, String)> {
    let attempt = || format!("GET {path} on {}", socket.display());
    let mut stream = UnixStream::connect(socket).with_context(attempt)?;
    stream
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| stream.set_write_timeout(Some(TIMEOUT)))
        .with_context(attempt)?;
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nHost: ddnsd\r\nConnection: close\r\n\r\n").as_bytes())
        .with_context(attempt)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(attempt)?;
    parse(&answer).with_context(attempt)
}

fn parse(answer: &[u8]) -> Result<(u16, String)> {
    let end =
        answer.windows(4).position(|window| window == b"\r\n\r\n").context("an answer without an end of its head")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("an answer without a status")?;
    let body = &answer[end + 4..];
    let chunked = head.lines().any(|line| line.starts_with("transfer-encoding:") && line.ends_with("chunked"));
    let body = if chunked { unchunked(body)? } else { body.to_vec() };
    Ok((status, String::from_utf8(body).context("a body that is no UTF-8")?))
}

/// RFC 9112 §7.1, without trailers.
fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").context("a chunk without a size")?;
        let size = std::str::from_utf8(&rest[..end]).context("a chunk size")?;
        let size =
            usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).context("a chunk size")?;
        if size == 0 {
            return Ok(body);
        }
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else { bail!("a body that was cut short") };
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).context("a body that was cut short")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_chunked_bodies_are_read() {
        let plain = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno";
        assert_eq!(parse(plain).expect("parses"), (503, "no".to_owned()));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).expect("parses"), (200, "abcde".to_owned()));
    }

    #[test]
    fn a_body_cut_short_is_an_error() {
        assert!(parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\n").is_err());
    }
}
