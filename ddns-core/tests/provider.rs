//! The example of docs/providers.md does what it says.

#[path = "../examples/provider.rs"]
mod provider;

use ddns_core::registry::Factory;

#[test]
fn a_provider_of_a_hundred_lines_creates_a_record_and_reads_it_back() {
    let outcome = provider::main();
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(provider::ImaginaryFactory.name(), "imaginary");
}
