use ddns_core::driver::DdnsEngine;
use ddns_core::engine::Event;

async fn interfere(mut engine: DdnsEngine) {
    engine.step(Event::Started, &mut Default::default());
    engine.turn(&mut Default::default(), async {}).await;
}

fn main() {
    let _ = interfere;
}
