//! The ring to user space.

use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, PerCpuArray, RingBuf};
use ddns_ebpf::EVENTS_BYTES;

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);
#[map]
static DROPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
/// When the full ring was last complained of.
#[map]
static WARNED: Array<u64> = Array::with_max_entries(1, 0);

const WARN_EVERY_NANOS: u64 = 1_000_000_000;

/// Puts an entry into the ring; false if it is full, which is counted.
#[inline(always)]
pub fn put<T: 'static>(value: T) -> bool {
    let Some(mut entry) = EVENTS.reserve::<T>(0) else {
        count_drop();
        return false;
    };
    entry.write(value);
    entry.submit(0);
    true
}

#[inline(always)]
fn count_drop() {
    let Some(drops) = DROPS.get_ptr_mut(0) else { return };
    // SAFETY: an aligned u64 of this processor's own, valid as long as the program runs.
    unsafe { *drops += 1 };
}

/// True once a second at most, so that a full ring does not flood the log.
#[inline(always)]
pub fn complaint_is_due(now: u64) -> bool {
    let Some(warned) = WARNED.get_ptr_mut(0) else { return false };
    // SAFETY: an aligned u64, valid as long as the program runs; processors that race here both complain, which does no
    // harm.
    unsafe {
        if now - *warned < WARN_EVERY_NANOS {
            return false;
        }
        *warned = now;
    }
    true
}
