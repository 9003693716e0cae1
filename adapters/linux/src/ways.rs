//! The ways out of the host, and the interfaces that they lead through.

use std::collections::BTreeMap;

use crate::dump::{Dump, DumpError, DumpReader};
use crate::rtnetlink::{DefaultRoute, Link, RTM_NEWLINK, RTM_NEWROUTE, dump_links, dump_routes};

/// Two tables of the kernel, read one after the other.
#[derive(Default)]
pub(crate) struct Ways {
    /// The interfaces, by their indices.
    pub(crate) links: BTreeMap<u32, Link>,
    /// The default routes, the preferred one of each family first.
    pub(crate) routes: Vec<DefaultRoute>,
}

impl Ways {
    /// `None` if a change overtook the reading.
    pub(crate) fn read(reader: &mut DumpReader) -> Result<Option<Self>, DumpError> {
        let mut ways = Self::default();
        let links = reader.read(dump_links, |message| {
            if message.kind == RTM_NEWLINK {
                let Ok(link) = Link::parse(message.payload) else { return Dump::Torn };
                ways.links.insert(link.index, link);
            }
            Dump::Whole
        })?;
        let routes = reader.read(dump_routes, |message| {
            if message.kind == RTM_NEWROUTE {
                match DefaultRoute::parse(message.payload) {
                    Ok(route) => ways.routes.extend(route),
                    Err(_) => return Dump::Torn,
                }
            }
            Dump::Whole
        })?;
        if matches!(links, Dump::Torn) || matches!(routes, Dump::Torn) {
            return Ok(None);
        }
        ways.routes.sort_by_key(|route| (route.family, route.metric));
        Ok(Some(ways))
    }
}
