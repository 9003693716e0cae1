//! What is looked at only when somebody reads it.

use ddns_core::readiness::Readiness;
use ddns_core::recovery::RecoveryPhase;
use ddns_core::uptime::WINDOWS;
use opentelemetry::metrics::Meter;

use crate::catalogue::{self as metric, Metric};
use crate::figures::{Figures, LastLook, Seen, TunnelFigures};
use crate::instruments::attributes;

/// Where the values of one metric go, each with its labels.
type Out<'a> = &'a mut dyn FnMut(f64, &[&str]);

struct Register<'a> {
    meter: &'a Meter,
    look: &'a LastLook,
}

impl Register<'_> {
    fn gauge(&self, metric: Metric, read: impl Fn(&Seen, Out<'_>) + Send + Sync + 'static) {
        let look = self.look.clone();
        let builder = self.meter.f64_observable_gauge(metric.name);
        let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
            read(&look.lock(), &mut |value, labels| observer.observe(value, &attributes(&metric, labels)));
        };
        builder.with_description(metric.help).with_unit(metric.unit).with_callback(callback).build();
    }

    fn counter(&self, metric: Metric, read: impl Fn(&Seen, Out<'_>) + Send + Sync + 'static) {
        let look = self.look.clone();
        let builder = self.meter.f64_observable_counter(metric.name);
        let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<f64>| {
            read(&look.lock(), &mut |value, labels| observer.observe(value, &attributes(&metric, labels)));
        };
        builder.with_description(metric.help).with_unit(metric.unit).with_callback(callback).build();
    }

    /// A gauge of what the engine says.
    fn engine(&self, metric: Metric, read: impl Fn(&Figures, Out<'_>) + Send + Sync + 'static) {
        self.gauge(metric, move |seen, out| {
            if let Some(figures) = &seen.figures {
                read(figures, out);
            }
        });
    }
}

/// Registers all of them.
pub(crate) fn register(meter: &Meter, look: &LastLook, version: &'static str) {
    let register = Register { meter, look };
    register.gauge(metric::BUILD_INFO, move |_, out| out(1.0, &[version]));
    readiness(&register);
    sources(&register);
    path(&register);
    recovery(&register);
    counted(&register);
    tunnel(&register);
    inside(&register);
}

fn readiness(register: &Register<'_>) {
    const STATES: [Readiness; 4] = [Readiness::Init, Readiness::Probing, Readiness::Ready, Readiness::NotReady];
    register.engine(metric::READY, |figures, out| out(flag(figures.status.ready()), &[]));
    register.engine(metric::READINESS, |figures, out| {
        STATES.into_iter().for_each(|state| out(flag(state == figures.status.readiness), &[&state.to_string()]));
    });
    register.engine(metric::CONVERGED, |figures, out| {
        for record in &figures.status.records {
            out(flag(record.converged), &[&record.key.name.to_string(), &record.key.rtype.to_string()]);
        }
    });
    register.engine(metric::VERIFIED_AT, |figures, out| {
        for record in &figures.status.records {
            if let Some(at) = record.verified_at {
                out(millis(at.as_millis()), &[&record.key.name.to_string(), &record.key.rtype.to_string()]);
            }
        }
    });
    register.engine(metric::FAILURES, |figures, out| {
        for record in &figures.status.records {
            out(f64::from(record.failures), &[&record.key.name.to_string(), &record.key.rtype.to_string()]);
        }
    });
    register.engine(metric::STORE_DURABLE, |figures, out| out(flag(figures.status.store_error.is_none()), &[]));
}

fn sources(register: &Register<'_>) {
    register.engine(metric::SOURCE_UP, |figures, out| {
        for source in &figures.status.sources {
            out(flag(source.error.is_none()), &[&source.name, source.rung.unwrap_or("none")]);
        }
    });
    register.engine(metric::NAT_INFO, |figures, out| {
        for source in &figures.status.sources {
            if let Some(nat) = &source.nat {
                out(1.0, &[&source.name, nat.class.as_str()]);
            }
        }
    });
    register.counter(metric::FOLDED, |seen, out| {
        if let Some(figures) = &seen.figures {
            out(whole(figures.status.folded), &[]);
        }
    });
}

fn path(register: &Register<'_>) {
    register.gauge(metric::PROBE_TARGET_UP, |seen, out| {
        for target in seen.probe.iter().flat_map(|report| &report.targets) {
            out(flag(target.reached()), &[&target.target]);
        }
    });
    register.gauge(metric::ROUTER_UP, |seen, out| {
        let lan = seen.probe.as_ref().and_then(|report| report.lan.as_ref());
        if let Some(answers) = lan.and_then(|lan| lan.router_answers()) {
            out(flag(answers), &[]);
        }
    });
    register.gauge(metric::CARRIER_UP, |seen, out| {
        if let Some(carrier) = seen.probe.as_ref().and_then(|report| report.lan.as_ref()?.carrier) {
            out(flag(carrier), &[]);
        }
    });
}

fn recovery(register: &Register<'_>) {
    const PHASES: [RecoveryPhase; 5] = [
        RecoveryPhase::Watching,
        RecoveryPhase::Preparing,
        RecoveryPhase::Off,
        RecoveryPhase::Restoring,
        RecoveryPhase::Settling,
    ];
    register.engine(metric::RECOVERY_ALLOWED, |figures, out| out(flag(figures.status.recovery.allowed), &[]));
    register.engine(metric::RECOVERY_PHASE, |figures, out| {
        PHASES.into_iter().for_each(|phase| out(flag(phase == figures.status.recovery.phase), &[phase.as_str()]));
    });
    register.engine(metric::RECOVERY_ATTEMPTS, |figures, out| out(count(figures.status.recovery.attempts), &[]));
    register.engine(metric::RECOVERY_LIMIT, |figures, out| out(f64::from(figures.attempts_limit), &[]));
    register.engine(metric::RECOVERY_FAILURES, |figures, out| out(f64::from(figures.status.recovery.failures), &[]));
    register.engine(metric::PLUG_UP, |figures, out| {
        if figures.plug {
            out(flag(figures.status.recovery.plug_fails.is_none()), &[]);
        }
    });
}

fn counted(register: &Register<'_>) {
    register.engine(metric::AVAILABILITY, |figures, out| {
        for (name, window) in WINDOWS {
            if let Some(share) = figures.history.summary(figures.wall, window).availability() {
                out(share, &[name]);
            }
        }
    });
    register.engine(metric::OUTAGES, |figures, out| {
        for (name, window) in WINDOWS {
            out(f64::from(figures.history.summary(figures.wall, window).outages), &[name]);
        }
    });
    register.counter(metric::LOOPS, |seen, out| {
        if let Some(figures) = &seen.figures {
            let (total, up) = figures.history.loops;
            out(whole(up), &["up"]);
            out(whole(total.saturating_sub(up)), &["down"]);
        }
    });
}

fn tunnel(register: &Register<'_>) {
    register.engine(metric::HANDSHAKE_AGE, |figures, out| {
        let Some(TunnelFigures { interface, peers }) = &figures.tunnel else { return };
        for (peer, age) in peers {
            if let Some(age) = age {
                out(age.as_secs_f64(), &[interface, peer]);
            }
        }
    });
}

fn inside(register: &Register<'_>) {
    register.gauge(metric::TOKIO_TASKS, |seen, out| out(count(seen.runtime.tasks), &[]));
    register.counter(metric::TOKIO_BUSY, |seen, out| out(seen.runtime.busy.as_secs_f64(), &[]));
    register.counter(metric::TOKIO_PARKS, |seen, out| out(whole(seen.runtime.parks), &[]));
    register.counter(metric::TASK_POLLS, |seen, out| {
        seen.tasks.iter().for_each(|(task, of)| out(whole(of.total_poll_count), &[task]));
    });
    register.counter(metric::TASK_POLL_TIME, |seen, out| {
        seen.tasks.iter().for_each(|(task, of)| out(of.total_poll_duration.as_secs_f64(), &[task]));
    });
    register.counter(metric::TASK_SLOW_POLLS, |seen, out| {
        seen.tasks.iter().for_each(|(task, of)| out(whole(of.total_slow_poll_count), &[task]));
    });
    register.counter(metric::TASK_SCHEDULED, |seen, out| {
        seen.tasks.iter().for_each(|(task, of)| out(of.total_scheduled_duration.as_secs_f64(), &[task]));
    });
    register.counter(metric::PROCESS_CPU, |seen, out| {
        seen.process.iter().for_each(|process| out(process.cpu.as_secs_f64(), &[]));
    });
    register.gauge(metric::PROCESS_MEMORY, |seen, out| {
        seen.process.iter().for_each(|process| out(whole(process.resident), &[]));
    });
    register.gauge(metric::PROCESS_FDS, |seen, out| {
        seen.process.iter().for_each(|process| out(whole(process.descriptors), &[]));
    });
    register.gauge(metric::PROCESS_THREADS, |seen, out| {
        seen.process.iter().for_each(|process| out(whole(process.threads), &[]));
    });
    register.gauge(metric::PROCESS_START, |seen, out| {
        seen.process.iter().for_each(|process| out(process.started.as_secs_f64(), &[]));
    });
}

const fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// Exact up to 2^53, which no count here comes near.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
const fn whole(count: u64) -> f64 {
    count as f64
}

fn count(count: usize) -> f64 {
    whole(u64::try_from(count).unwrap_or(u64::MAX))
}

/// Milliseconds as seconds.
const fn millis(millis: u64) -> f64 {
    whole(millis) / 1000.0
}
