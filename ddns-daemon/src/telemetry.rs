use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Sends the log to standard error: ours from `level` on, that of libraries from WARN on.
pub(crate) fn start(level: &str, format: &str) {
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    let ours =
        ["ddnsd", "ddns_core", "ddns_linux", "ddns_http", "ddns_doh", "ddns_slots", "ddns_store_sled", "ddns_ebpf"];
    let targets = ours.into_iter().fold(Targets::new().with_default(level.min(LevelFilter::WARN)), |targets, ours| {
        targets.with_target(ours, level)
    });
    let output = fmt::layer().with_writer(std::io::stderr);
    let layer = if format == "json" {
        output.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        output.with_ansi(colour).with_target(false).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
}
