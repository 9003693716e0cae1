use super::*;

const LONG_AGO: Wall = Wall::from_millis(5_000);
const CHANGED: Wall = Wall::from_millis(100_000);

fn at(secs: u64) -> Instant {
    Instant::since_boot(Duration::from_secs(1000 + secs))
}

fn key(number: u8) -> PeerKey {
    PeerKey([number; 32])
}

fn peer(number: u8, handshake: Option<Wall>) -> Peer {
    Peer { key: key(number), handshake }
}

fn changed() -> HandshakeWatch {
    let mut watch = HandshakeWatch::default();
    watch.changed(at(0), CHANGED);
    watch
}

#[test]
fn a_key_is_shown_as_wg_shows_its_beginning() {
    let mut octets = [0; 32];
    octets[..6].copy_from_slice(&[0xc5, 0x32, 0x01, 0x03, 0x9a, 0xdb]);
    assert_eq!(PeerKey(octets).to_string(), "xTIBA5rb");
    assert_eq!(PeerKey([0xff; 32]).to_string(), "////////");
}

#[test]
fn nobody_is_looked_at_while_nothing_changes() {
    let mut watch = HandshakeWatch::default();
    assert_eq!(watch.looked(at(0), &[peer(1, Some(LONG_AGO))]), []);
    watch.failed(at(1));
    assert_eq!(watch.deadline(), None);
}

#[test]
fn each_peer_is_told_once_with_the_time_from_the_change_and_the_last_ends_the_watch() {
    let mut watch = changed();
    assert_eq!(watch.deadline(), Some(at(0)));
    assert_eq!(watch.looked(at(0), &[peer(1, Some(LONG_AGO)), peer(2, Some(LONG_AGO))]), []);
    let first = CHANGED.after(Duration::from_millis(2500));
    let told = watch.looked(at(3), &[peer(1, Some(first)), peer(2, Some(LONG_AGO))]);
    assert_eq!(told, [Return::Back(key(1), Duration::from_millis(2500))]);
    let second = CHANGED.after(Duration::from_secs(8));
    let told = watch.looked(at(9), &[peer(1, Some(first)), peer(2, Some(second))]);
    assert_eq!(told, [Return::Back(key(2), Duration::from_secs(8))]);
    assert_eq!(watch.deadline(), None);
}

#[test]
fn a_handshake_between_the_change_and_the_first_look_counts() {
    let soon = CHANGED.after(Duration::from_millis(3));
    let told = changed().looked(at(1), &[peer(1, Some(soon))]);
    assert_eq!(told, [Return::Back(key(1), Duration::from_millis(3))]);
}

#[test]
fn who_never_had_a_handshake_or_was_removed_is_not_waited_for() {
    let mut watch = changed();
    watch.looked(at(0), &[peer(1, None), peer(2, Some(LONG_AGO))]);
    assert!(watch.deadline().is_some());
    assert_eq!(watch.looked(at(1), &[peer(1, None)]), []);
    assert_eq!(watch.deadline(), None);
}

#[test]
fn looks_become_rarer_and_end_with_those_who_stay_away() {
    let (mut watch, mut looks) = (changed(), 0);
    let peers = [peer(1, Some(LONG_AGO))];
    let mut now = at(0);
    let told = loop {
        let told = watch.looked(now, &peers);
        looks += 1;
        let Some(next) = watch.deadline() else { break told };
        let wait = next.saturating_since(now);
        assert!(!wait.is_zero() && wait <= LONGEST_WAIT, "{wait:?}");
        now = next;
    };
    assert_eq!((told, now), (vec![Return::Away(key(1))], at(180)));
    assert!((20..40).contains(&looks), "{looks}");
}

#[test]
fn a_further_change_begins_anew() {
    let mut watch = changed();
    watch.looked(at(0), &[peer(1, Some(LONG_AGO))]);
    let between = CHANGED.after(Duration::from_secs(1));
    watch.changed(at(2), CHANGED.after(Duration::from_secs(2)));
    assert_eq!(watch.looked(at(2), &[peer(1, Some(between))]), [], "that was before this change");
    let told = watch.looked(at(4), &[peer(1, Some(CHANGED.after(Duration::from_secs(3))))]);
    assert_eq!(told, [Return::Back(key(1), Duration::from_secs(1))]);
}

#[test]
fn a_clock_that_is_set_back_hides_no_handshake_and_a_leap_makes_no_wait_longer_than_it_was() {
    let mut watch = changed();
    watch.looked(at(0), &[peer(1, Some(LONG_AGO)), peer(2, Some(LONG_AGO))]);
    let told =
        watch.looked(at(2), &[peer(1, Some(Wall::from_millis(7_000))), peer(2, Some(Wall::from_millis(u64::MAX)))]);
    assert_eq!(told, [Return::Back(key(1), Duration::ZERO), Return::Back(key(2), Duration::from_secs(2))]);
}

#[test]
fn an_interface_that_cant_be_read_is_given_up_after_the_same_time() {
    let mut watch = changed();
    while let Some(next) = watch.deadline() {
        assert!(next <= at(180));
        watch.failed(next);
    }
}
