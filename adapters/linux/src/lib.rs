//! Linux: kernel address events, rtnetlink snapshots, WAN probe, clock.
