use ddns_core::state::SavedState;

fn main() {
    let forged = SavedState { records: Default::default() };
    let SavedState { records: _ } = forged;
}
