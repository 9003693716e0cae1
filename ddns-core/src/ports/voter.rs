use std::net::IpAddr;

use async_trait::async_trait;

use super::Cause;
use crate::address::Family;

/// Somebody outside who says which address this host is seen with.
#[async_trait]
pub trait Voter: Send + Sync {
    /// The address as this voter sees it. The question goes out over `family` and no other (trap 17). Single-shot,
    /// bounded in time, without retries; whether the answer is believed is for the caller to decide.
    async fn ask(&self, family: Family) -> Result<IpAddr, VoteError>;
}

/// Why a voter gave no address.
#[derive(Debug, thiserror::Error)]
pub enum VoteError {
    /// It has nothing to say about this family.
    #[error("does not know {0} addresses")]
    Unsupported(Family),
    /// No way to it.
    #[error("unreachable")]
    Unreachable(#[source] Cause),
    /// It did not answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// Somebody else answered in its place: the TLS certificate is not its own.
    #[error("somebody else answers in its place, as captive portals do")]
    Intercepted(#[source] Cause),
    /// It answered with a page or a redirect, as captive portals do.
    #[error("answered with a page instead of an address, as captive portals do: {0}")]
    Page(String),
    /// It refused, or failed on its side.
    #[error("refused: {0}")]
    Refused(String),
    /// Its answer is no address.
    #[error("answered with garbage: {0}")]
    Garbage(String),
}
