use ddns_core::driver::DdnsEngine;

async fn twice(engine: DdnsEngine) {
    engine.run(async {}).await;
    engine.run(async {}).await;
}

fn main() {
    let _ = twice;
}
