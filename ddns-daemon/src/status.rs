//! The status of a running daemon.

pub(crate) mod document;
