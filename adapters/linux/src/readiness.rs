use std::io;
use std::os::fd::{AsFd, AsRawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches a descriptor with the current tokio runtime.
#[expect(
    deprecated,
    reason = "the successor is unsafe for types that change or close their descriptor; AsFd rules out that"
)]
pub(crate) fn watch<T: AsFd + AsRawFd>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(owner, interest)
}

/// A read that went on until there was nothing left has succeeded.
pub(crate) fn until_empty(read: io::Result<()>) -> io::Result<()> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        read => read,
    }
}
