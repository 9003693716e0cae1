//! Rights that are needed at the start alone.

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities, set_no_new_privs,
};

use crate::sandbox::give_up_attaching;

/// The calling thread gives up every capability, now and for whatever it starts, for good. What it holds open stays open.
///
/// Threads have capabilities of their own: those that a runtime starts have to do the same.
pub fn drop_all() {
    if let Err(error) = try_drop() {
        tracing::warn!(%error, "Capabilities could not be given up");
    }
    if let Err(error) = give_up_attaching() {
        tracing::warn!(%error, "The right to load eBPF programs could not be given up");
    }
}

fn try_drop() -> Result<(), Errno> {
    let before = capabilities(None)?;
    set_no_new_privs(true)?;
    // Only who has CAP_SETPCAP may take from the bounding set; with no_new_privs it grants nothing any more.
    if before.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            match remove_capability_from_bounding_set(capability) {
                // This kernel has no such capability.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(error) => return Err(error),
            }
        }
    }
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}
