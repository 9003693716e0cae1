//! The kernel source against the kernel of this machine, in network namespaces. Needs root, and the eBPF object that
//! `cargo xtask ebpf` builds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod namespace;
mod rights;
mod suite;
mod world;

/// Each rung passes the same suite.
macro_rules! on_both_rungs {
    ($($test:ident),* $(,)?) => {
        mod socket_filter {
            $(#[test] fn $test() { super::suite::$test(ddns_linux::Hook::SocketFilter, "socket-filter"); })*
        }
        mod netlink {
            $(#[test] fn $test() { super::suite::$test(ddns_linux::Hook::Netlink, "netlink"); })*
        }
    };
}

on_both_rungs!(
    an_added_address_is_announced,
    an_address_swap_ends_with_the_new_one,
    the_end_of_duplicate_address_detection_is_told,
    a_lease_renewed_by_delete_and_add_is_no_change,
    a_burst_ends_with_the_truth,
    a_flood_is_survived_and_told,
    a_stable_address_is_in_every_snapshot_under_churn,
    a_renamed_removed_or_recreated_interface_is_followed_by_name,
    a_link_going_down_and_up_is_told,
    a_dropped_watch_loses_nothing,
    a_peer_is_not_our_address,
);
