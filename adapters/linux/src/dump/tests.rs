use super::*;
use crate::rtnetlink::RTM_DELLINK;

fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).unwrap();
    let header =
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &sequence.to_ne_bytes(), &[0; 4]];
    [&header.concat()[..], payload].concat()
}

/// Reads one datagram as part of dump 7: how it ended, whether it is torn, the kinds of messages seen.
fn read(datagram: &[u8]) -> (Result<End, Option<i32>>, bool, Vec<u16>) {
    let (mut dump, mut seen) = (Dump::Whole, Vec::new());
    let end = part(datagram, 7, &mut dump, &mut |message: &Message<'_>| {
        seen.push(message.kind);
        Dump::Whole
    });
    (end.map_err(|error| error.raw_os_error()), matches!(dump, Dump::Torn), seen)
}

const OK: [u8; 4] = [0; 4];

#[test]
fn a_dump_ends_with_done_and_takes_every_message_before() {
    let datagram = [message(20, 2, 7, &[]), message(20, 2, 7, &[]), message(NLMSG_DONE, 2, 7, &OK)].concat();
    assert_eq!(read(&datagram), (Ok(End::Done), false, vec![20, 20]));
    assert_eq!(read(&message(20, 2, 7, &[])), (Ok(End::Open), false, vec![20]));
}

/// Fault 3: a change in the midst of a dump.
#[test]
fn an_interrupted_dump_is_torn_and_still_read_to_its_end() {
    let datagram = [message(20, 2 | NLM_F_DUMP_INTR, 7, &[]), message(NLMSG_DONE, 2, 7, &OK)].concat();
    assert_eq!(read(&datagram), (Ok(End::Done), true, vec![20]));
    assert_eq!(read(&message(NLMSG_DONE, 2 | NLM_F_DUMP_INTR, 7, &OK)), (Ok(End::Done), true, vec![]));
}

#[test]
fn an_overrun_or_a_malformed_message_tears_the_dump() {
    assert!(read(&message(NLMSG_OVERRUN, 0, 7, &[])).1);
    assert_eq!(read(&message(20, 2, 7, &[0; 8])[..20]), (Ok(End::Open), true, vec![]));
}

#[test]
fn an_error_of_the_kernel_is_told() {
    let refused = (-13_i32).to_ne_bytes();
    assert_eq!(read(&message(NLMSG_ERROR, 0, 7, &refused)).0, Err(Some(13)));
    assert_eq!(read(&message(NLMSG_DONE, 2, 7, &refused)).0, Err(Some(13)));
    assert_eq!(read(&message(NLMSG_ERROR, 0, 7, &i32::MIN.to_ne_bytes())).0, Err(Some(i32::MAX)));
}

#[test]
fn answers_to_an_earlier_question_are_passed_over() {
    let datagram = [message(RTM_DELLINK, 2, 6, &[]), message(NLMSG_DONE, 2, 6, &OK)].concat();
    assert_eq!(read(&datagram), (Ok(End::Open), false, vec![]));
}
