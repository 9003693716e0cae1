use std::net::IpAddr;

use futures_util::stream::BoxStream;

use super::SourceError;

/// The next hop of a default route.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Gateway {
    /// The interface towards it.
    pub interface: String,
    /// Its address.
    pub address: IpAddr,
}

/// Knows the ways out of this host.
pub trait Gateways: Send + Sync {
    /// The gateways: all of them at once, the preferred one of each family first, then again after each change. The
    /// stream may end or yield an error; the caller then watches again.
    fn watch(&self) -> BoxStream<'static, Result<Vec<Gateway>, SourceError>>;
}
