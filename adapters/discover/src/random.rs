use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

/// Octets that nobody can guess, so that nobody off the path can answer in another's place.
pub(crate) fn octets<const N: usize>() -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    let filled = getrandom(&mut octets[..], GetRandomFlags::empty())?;
    // The kernel fills up to 256 octets at once.
    if filled == N { Ok(octets) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
