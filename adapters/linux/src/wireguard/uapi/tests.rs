use proptest::prelude::*;

use super::*;

/// The private key of the protocol's own example, which must appear nowhere.
const PRIVATE: &str = "e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a";
const PRESHARED: &str = "188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52";
const FIRST: &str = "b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33";
const SECOND: &str = "58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376";

/// The example of the protocol's page, with handshakes.
fn example() -> String {
    format!(
        "private_key={PRIVATE}\nlisten_port=12912\npublic_key={FIRST}\npreshared_key={PRESHARED}\n\
         allowed_ip=192.168.4.4/32\nendpoint=[abcd:23::33%2]:51820\nlast_handshake_time_sec=1700000000\n\
         last_handshake_time_nsec=123456789\ntx_bytes=38333\nrx_bytes=2224\nprotocol_version=1\n\
         public_key={SECOND}\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\n\
         persistent_keepalive_interval=111\nendpoint=182.122.22.19:3233\nerrno=0\n\n"
    )
}

fn read(text: &str) -> Result<Vec<Peer>, AnswerError> {
    let mut answer = Answer::default();
    answer.take(text.as_bytes())?;
    answer.finish()
}

#[test]
fn peers_come_with_their_handshakes() {
    let peers = read(&example()).expect("the example");
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0].handshake, Some(Wall::from_millis(1_700_000_000_123)));
    assert_eq!((peers[0].key.0[0], peers[0].key.0[31]), (0xb8, 0x33));
    assert_eq!(peers[1].handshake, None, "zero is never");
}

#[test]
fn where_an_answer_is_cut_doesnt_matter() {
    let (text, whole) = (example(), read(&example()));
    for cut in 0..text.len() {
        let mut answer = Answer::default();
        answer.take(&text.as_bytes()[..cut]).expect("the first part");
        answer.take(&text.as_bytes()[cut..]).expect("the second part");
        assert_eq!(answer.finish(), whole, "cut at {cut}");
    }
}

#[test]
fn what_breaks_off_is_no_answer() {
    let text = example();
    for end in 0..text.len() {
        assert_eq!(read(&text[..end]), Err(AnswerError::Incomplete), "{end}");
    }
    assert_eq!(read(&text.replace("errno=0\n", "")), Err(AnswerError::Incomplete));
    assert_eq!(read("errno=-1\n\n"), Err(AnswerError::Errno(-1)));
}

#[test]
fn what_is_not_of_the_protocol_is_refused_by_its_line() {
    let peer = format!("public_key={FIRST}\n");
    for (line, text) in [
        (1, "hello\n\n".to_owned()),
        (1, "=1\n\n".to_owned()),
        (1, "Key=1\n\n".to_owned()),
        (1, "last_handshake_time_sec=1\n\n".to_owned()),
        (1, "public_key=b859\n\n".to_owned()),
        (1, format!("public_key={}\n\n", FIRST.replace('b', "g"))),
        (2, format!("{peer}last_handshake_time_sec=+1\n\n")),
        (2, format!("{peer}last_handshake_time_sec=\n\n")),
        (2, format!("{peer}last_handshake_time_sec=99999999999999999999\n\n")),
        (2, format!("{peer}last_handshake_time_nsec=1000000000\n\n")),
        (3, format!("{peer}last_handshake_time_sec=1\nlast_handshake_time_sec=2\n\n")),
        (2, format!("errno=0\n{peer}\n")),
        (3, "errno=0\n\nx".to_owned()),
        (1, format!("a={}\n\n", "b".repeat(LINE))),
    ] {
        assert_eq!(read(&text), Err(AnswerError::Malformed { line }), "{text}");
    }
}

#[test]
fn nothing_that_is_kept_or_told_holds_a_secret_key() {
    let peers = format!("{:?}", read(&example()));
    let broken = read(&example().replace(&format!("private_key={PRIVATE}"), PRIVATE));
    let told = format!("{peers} {broken:?} {}", broken.as_ref().expect_err("it is broken"));
    for secret in [PRIVATE, PRESHARED] {
        assert!(!told.contains(&secret[..8]), "{told}");
    }
}

#[test]
fn a_line_is_overwritten_once_it_was_read() {
    let mut answer = Answer::default();
    answer.take(format!("private_key={PRIVATE}\n").as_bytes()).expect("a line");
    assert_eq!(*answer.line, [0; LINE]);
}

proptest! {
    #[test]
    fn any_octets_are_an_answer_or_an_error(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut answer = Answer::default();
        if answer.take(&octets).is_ok() {
            let _ = answer.finish();
        }
    }

    #[test]
    fn an_answer_with_an_octet_changed_reads_no_more_peers(place in 0..800_usize, octet in any::<u8>()) {
        let mut octets = example().into_bytes();
        let place = place % octets.len();
        octets[place] = octet;
        let mut answer = Answer::default();
        if answer.take(&octets).is_ok() {
            prop_assert!(answer.finish().map_or(0, |peers| peers.len()) <= 2);
        }
    }
}
