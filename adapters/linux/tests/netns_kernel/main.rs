//! The kernel source against the kernel of this machine, in network namespaces. Needs root, and the eBPF object that
//! `cargo xtask ebpf` builds. The rungs that trace the kernel are tested with the feature `tracing-rungs`, which
//! `cargo xtask kernel-test` switches on: many hosts, and most containers, grant them to nobody.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod audit;
mod gateways;
mod ipv6;
mod lifetimes;
mod namespace;
mod rights;
mod suite;
#[cfg(feature = "tracing-rungs")]
mod tracing;
mod wakeups;
mod world;

/// Each rung passes the same suite.
macro_rules! on_every_rung {
    ($($file:ident::$test:ident),* $(,)?) => {
        #[cfg(feature = "tracing-rungs")]
        mod fentry {
            $(#[test] fn $test() { super::$file::$test(ddns_linux::Hook::Fentry, "fentry"); })*
        }
        #[cfg(feature = "tracing-rungs")]
        mod kprobe {
            $(#[test] fn $test() { super::$file::$test(ddns_linux::Hook::Kprobe, "kprobe"); })*
        }
        mod socket_filter {
            $(#[test] fn $test() { super::$file::$test(ddns_linux::Hook::SocketFilter, "socket-filter"); })*
        }
        mod netlink {
            $(#[test] fn $test() { super::$file::$test(ddns_linux::Hook::Netlink, "netlink"); })*
        }
    };
}

on_every_rung!(
    suite::an_added_address_is_announced,
    suite::an_address_swap_ends_with_the_new_one,
    suite::a_lease_renewed_by_delete_and_add_is_no_change,
    suite::a_burst_ends_with_the_truth,
    suite::a_flood_is_survived_and_told,
    suite::a_stable_address_is_in_every_snapshot_under_churn,
    suite::a_renamed_removed_or_recreated_interface_is_followed_by_name,
    suite::an_interface_that_appears_later_is_heard,
    suite::a_link_going_down_and_up_is_told,
    suite::a_change_is_told_with_its_announcement_though_a_link_was_heard_first,
    suite::a_dropped_watch_loses_nothing,
    suite::a_peer_is_not_our_address,
    lifetimes::an_address_whose_lifetime_ends_is_told_at_each_stage,
    lifetimes::a_promoted_secondary_stays,
    ipv6::the_end_of_duplicate_address_detection_is_told,
    ipv6::a_duplicate_that_detection_finds_is_told,
    ipv6::a_prefix_that_a_router_replaces_is_followed_and_its_refreshes_wake_nobody,
    wakeups::other_interfaces_wake_nobody_where_ebpf_can_tell,
    wakeups::a_renewed_lifetime_wakes_nobody_where_ebpf_can_tell,
);
