//! The eBPF object, embedded by the build script.

include!(concat!(env!("OUT_DIR"), "/object.rs"));

/// `None` if the crate was built before the object was.
pub(super) fn embedded() -> Option<&'static [u8]> {
    OBJECT
}
