use super::*;

const A: &str = "11.22.33.44";
const B: &str = "11.22.33.45";

fn answer(text: &str) -> Option<Result<IpAddr, VoteError>> {
    match text {
        "?" => None,
        "timeout" => Some(Err(VoteError::TimedOut)),
        "page" => Some(Err(VoteError::Page("<html>".to_owned()))),
        "tls" => Some(Err(VoteError::Intercepted("UnknownIssuer".into()))),
        "garbage" => Some(Err(VoteError::Garbage("pong".to_owned()))),
        "refused" => Some(Err(VoteError::Refused("429".to_owned()))),
        address => Some(Ok(address.parse().unwrap())),
    }
}

/// Votes as `operator:answer`; all operators count, silent ones too.
fn count(quorum: usize, votes: &[&str]) -> Count {
    let votes: Vec<_> = votes.iter().map(|vote| vote.split_once(':').unwrap()).collect();
    let answers: Vec<_> = votes.iter().map(|(_, text)| answer(text)).collect();
    let operators = votes.iter().map(|(operator, _)| operator).collect::<BTreeSet<_>>().len();
    let casts: Vec<_> = votes
        .iter()
        .zip(&answers)
        .map(|((operator, _), answer)| Cast { voter: operator, operator, answer: answer.as_ref() })
        .collect();
    Rule { family: Family::V4, quorum, operators }.count(&casts)
}

fn check(votes: &[&str], elected: Option<&str>) {
    let counted = count(2, votes);
    assert_eq!(counted.elected, elected.map(|address| address.parse().unwrap()), "{votes:?}: {counted:?}");
}

#[test]
fn two_equal_votes_of_different_operators_elect_if_nobody_dissents() {
    check(&["a:11.22.33.44", "b:11.22.33.44"], Some(A));
    check(&["a:11.22.33.44", "b:11.22.33.44", "c:timeout", "d:timeout", "e:refused"], Some(A));
    check(&["a:11.22.33.44"], None);
    check(&["a:11.22.33.44", "b:timeout"], None);
}

/// FAULTS 23: never a majority of one, and one operator is one.
#[test]
fn equal_votes_of_one_operator_count_once() {
    check(&["a:11.22.33.44", "a:11.22.33.44"], None);
    check(&["a:11.22.33.44", "a:11.22.33.44", "b:timeout"], None);
    check(&["a:11.22.33.44", "a:11.22.33.44", "b:11.22.33.44"], Some(A));
}

#[test]
fn an_operator_that_contradicts_itself_counts_for_nothing() {
    let counted = count(2, &["a:11.22.33.44", "a:11.22.33.45", "b:11.22.33.45", "c:11.22.33.45"]);
    assert_eq!(counted.elected, Some(B.parse().unwrap()));
    assert!(matches!(counted.ballots[0].vote, Err(Rejected::Contradiction(_))));
    assert!(matches!(counted.ballots[1].vote, Err(Rejected::Contradiction(_))));
    check(&["a:11.22.33.44", "a:11.22.33.45", "b:11.22.33.45"], None);
}

/// FAULTS 23: two liars of five never win, whatever the others do.
#[test]
fn two_liars_of_five_are_never_elected_whatever_the_others_say() {
    let honest = [A, "timeout", "?", "page"];
    let mut elections = 0;
    for one in honest {
        for two in honest {
            for three in honest {
                let votes = ["l1:11.22.33.45", "l2:11.22.33.45"].map(str::to_owned);
                let others = [("h1", one), ("h2", two), ("h3", three)].map(|(who, what)| format!("{who}:{what}"));
                let all: Vec<_> = votes.iter().chain(&others).map(String::as_str).collect();
                if [one, two, three].contains(&A) {
                    let counted = count(2, &all);
                    assert_ne!(counted.elected, Some(B.parse().unwrap()), "{all:?}");
                    elections += usize::from(counted.elected.is_some());
                }
            }
        }
    }
    assert_eq!(elections, 1, "three honest of five elect");
}

#[test]
fn against_dissent_more_than_half_of_all_operators_are_needed() {
    check(&["a:11.22.33.44", "b:11.22.33.44", "c:11.22.33.45"], Some(A));
    check(&["a:11.22.33.44", "b:11.22.33.44", "c:11.22.33.45", "d:timeout"], None);
    check(&["a:11.22.33.44", "b:11.22.33.44", "c:11.22.33.45", "d:11.22.33.45"], None);
    let counted = count(2, &["a:11.22.33.44", "b:11.22.33.44", "c:11.22.33.45"]);
    assert_eq!(counted.ballots[2].vote, Err(Rejected::Dissent(B.parse().unwrap())));
}

#[test]
fn the_quorum_can_be_raised_and_lowered() {
    assert_eq!(count(3, &["a:11.22.33.44", "b:11.22.33.44"]).elected, None);
    assert_eq!(count(1, &["a:11.22.33.44"]).elected, Some(A.parse().unwrap()));
}

/// Traps 9, 13 and 17, FAULTS 18: what is no public address of the family is rejected by its name, and dissents from
/// nothing.
#[test]
fn what_is_no_public_address_of_the_family_is_rejected_with_its_reason() {
    let votes = [
        "a:11.22.33.44",
        "b:11.22.33.44",
        "c:2a00:1::1",
        "d:192.168.1.1",
        "e:page",
        "f:tls",
        "g:garbage",
        "h:refused",
        "i:timeout",
        "j:100.64.0.1",
        "k:?",
    ];
    let counted = count(2, &votes);
    assert_eq!(counted.elected, Some(A.parse().unwrap()));
    assert!(!counted.settled, "one is still out, and eleven operators have no majority in two");
    let words: Vec<_> = counted
        .ballots
        .iter()
        .map(|ballot| ballot.vote.as_ref().map_or_else(Rejected::as_str, |_| "counted"))
        .collect();
    assert_eq!(
        words,
        [
            "counted",
            "counted",
            "wrong-family",
            "bogon",
            "captive-portal",
            "captive-portal",
            "garbage",
            "failed",
            "timeout",
            "bogon",
            "timeout"
        ]
    );
}

#[test]
fn a_majority_need_not_be_waited_for() {
    assert!(count(2, &["a:11.22.33.44", "b:11.22.33.44", "c:?"]).settled);
    assert!(!count(2, &["a:11.22.33.44", "b:11.22.33.44", "c:?", "d:?"]).settled);
    assert!(!count(2, &["a:11.22.33.44", "b:?"]).settled);
    assert!(count(2, &["a:11.22.33.44", "b:timeout"]).settled);
}
