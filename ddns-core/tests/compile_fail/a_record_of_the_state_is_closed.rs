use ddns_core::state::StateRecord;

fn main() {
    let _ = StateRecord::new();
    let _ = StateRecord { confirmed: None, pending: None, written_at: None, proxied: false, handle: None };
}
