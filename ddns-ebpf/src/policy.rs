//! Which announcements are worth a wake-up.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{HashMap, LruHashMap};
use ddns_ebpf::{AddressKey, AddressRecord, DAD_FAILED, Event, TENTATIVE};

/// What was last announced of an address: its flags and the length of its prefix. An address that falls out is announced
/// once more than needed.
#[map]
static KNOWN: LruHashMap<AddressKey, u64> = LruHashMap::with_max_entries(4096, 0);
/// The interfaces that matter, while [`ONLY_LISTED`] is set.
#[map]
static INTERFACES: HashMap<u32, u8> = HashMap::with_max_entries(64, 0);

#[unsafe(no_mangle)]
static ONLY_LISTED: u32 = 0;

/// Whether this says more than the announcements before it. A router's advertisement every few seconds renews
/// lifetimes, of which nobody needs to know; a tentative address is of no use until its announcement comes again
/// without that flag (RFC 4862 §5.4).
#[inline(always)]
pub fn matters(record: &AddressRecord) -> bool {
    // SAFETY: the loader writes the value before the program runs, the compiler must not take it for 0.
    let only_listed = unsafe { core::ptr::read_volatile(&raw const ONLY_LISTED) } != 0;
    if only_listed && INTERFACES.get_ptr(record.ifindex).is_none() {
        return false;
    }
    let key = AddressKey { address: record.address, netns: record.netns, ifindex: record.ifindex };
    let state = u64::from(record.flags) << 8 | u64::from(record.prefix_len);
    let known = match KNOWN.get_ptr(key) {
        // SAFETY: an aligned u64 that stays readable as long as the program runs; another processor may write it in
        // between, which at worst tells one announcement too many.
        Some(known) => unsafe { *known },
        None => u64::MAX,
    };
    // That a duplicate was found is news, and the flag for it comes beside the other.
    let is_tentative = |state: u64| (state >> 8) as u32 & (TENTATIVE | DAD_FAILED) == TENTATIVE;
    match record.event {
        Event::New => {
            if known == state {
                return false;
            }
            let _ = KNOWN.insert(key, state, 0);
            !is_tentative(state)
        }
        Event::Deleted => {
            let _ = KNOWN.remove(key);
            !is_tentative(known)
        }
    }
}
