use ddns_core::driver::DdnsEngine;

fn take(driver: DdnsEngine) {
    let _ = driver.engine;
}

fn main() {
    let _ = take;
}
