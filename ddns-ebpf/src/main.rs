//! The eBPF programs, in one object.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod address_filter;
#[cfg(target_arch = "bpf")]
mod distress;
#[cfg(target_arch = "bpf")]
mod kernel_layout;
#[cfg(target_arch = "bpf")]
mod message;
#[cfg(target_arch = "bpf")]
mod policy;
#[cfg(target_arch = "bpf")]
mod ring;
#[cfg(target_arch = "bpf")]
mod rtnl_notify;

/// The kernel grants helpers by licence; the tracing programs use some that ask for the GPL or a licence beside it.
#[cfg(target_arch = "bpf")]
// SAFETY: the loader reads this section by name; no other symbol is called LICENSE.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Never reached: the verifier refuses a program that could panic here.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
