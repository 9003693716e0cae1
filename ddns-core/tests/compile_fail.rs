//! What programs outside may not do doesn't compile, and what they may does.

#[test]
fn what_is_closed_to_outsiders_does_not_compile_and_what_is_open_does() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/open_to_outsiders.rs");
    cases.compile_fail("tests/compile_fail/*_closed.rs");
}
