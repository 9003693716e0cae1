//! The example does what it says.

#[path = "../examples/embed.rs"]
mod embed;

#[test]
fn a_program_with_its_own_source_and_provider_gets_its_record_proven() {
    let outcome = embed::main();
    assert!(outcome.is_ok(), "{outcome:?}");
}
