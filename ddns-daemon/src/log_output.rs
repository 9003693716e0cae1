use std::io::IsTerminal;

use anyhow::Context;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// Sends the log where `format` says: ours from `level` on, that of libraries from WARN on.
pub(crate) fn start(level: &str, format: &str) -> anyhow::Result<()> {
    let level: LevelFilter = level.parse().unwrap_or(LevelFilter::INFO);
    // A target stands for all that begin with it.
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN));
    let targets = targets.with_target("ddnsd", level).with_target("ddns_", level);
    let output = fmt::layer::<Registry>().with_writer(std::io::stderr);
    let layer = match format {
        "journald" => tracing_journald::layer()
            .context("DDNS_LOG_FORMAT=journald: the journal can't be reached; use text or json where there is none")?
            .with_field_prefix(Some("DDNS".to_owned()))
            .with_syslog_identifier("ddnsd".to_owned())
            .boxed(),
        "json" => output.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        _ => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            output.with_ansi(colour).with_target(false).boxed()
        }
    };
    tracing_subscriber::registry().with(layer.with_filter(targets)).init();
    Ok(())
}
