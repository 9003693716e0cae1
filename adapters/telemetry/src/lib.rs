//! What ddnsd measures of itself: one set of OpenTelemetry instruments, read as Prometheus text or pushed by OTLP, and a
//! trace of each change.
//!
//! **It measures and decides nothing.** Counters follow the engine's transitions and wrap its ports; gauges are looked at only
//! when somebody reads them. Without a reader there is no work: the one task here is the export by OTLP, where that is asked
//! for.

mod catalogue;
mod figures;
mod gauges;
mod instruments;
mod labels;
mod metered;
mod otlp;
mod process;
mod runtime;
mod span_queue;
mod telemetry;
mod traces;
mod transitions;

pub use catalogue::{Kind, METRICS, Metric, markdown};
pub use figures::{Figures, TunnelFigures};
pub use otlp::Otlp;
pub use telemetry::{Telemetry, TelemetryError};
