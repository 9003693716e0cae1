//! Where the kernel's structures keep what the programs read: rustc makes no CO-RE relocations, so the loader looks the
//! offsets up in the kernel's BTF and writes them here.

use aya_ebpf::helpers::bpf_probe_read_kernel;

#[unsafe(no_mangle)]
pub static SKB_LEN: u32 = 0;
#[unsafe(no_mangle)]
pub static SKB_DATA: u32 = 0;
#[unsafe(no_mangle)]
pub static NET_INUM: u32 = 0;
#[unsafe(no_mangle)]
pub static SOCK_NET: u32 = 0;

/// A value that the loader wrote.
#[inline(always)]
pub fn global(place: &'static u32) -> u32 {
    // SAFETY: an aligned u32 that is written before the program runs; the compiler must not take it for the constant it
    // was compiled with.
    unsafe { core::ptr::read_volatile(place) }
}

/// The member at this offset of a kernel structure.
#[inline(always)]
pub fn read<T>(structure: u64, offset: &'static u32) -> Option<T> {
    // SAFETY: the helper checks the address, and copies.
    unsafe { bpf_probe_read_kernel((structure + u64::from(global(offset))) as *const T) }.ok()
}
