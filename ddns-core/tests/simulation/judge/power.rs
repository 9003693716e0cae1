use std::time::Duration;

use ddns_core::config::Config;
use ddns_core::ports::{LanReport, PathReport};

use super::{Judged, hold};

const DAY: Duration = Duration::from_secs(86_400);
/// The wall clock is kept in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(10);
/// An attempt begins with its intent, whose way to the disk takes at most so long.
const INTENDING: Duration = Duration::from_secs(40);

/// When power was taken, and whether it was right.
#[derive(Clone, Debug, Default)]
pub struct Power {
    dead_since: Option<Duration>,
    started: Duration,
    /// When, and in which process's lifetime.
    offs: Vec<(Duration, Duration)>,
}

impl Power {
    /// What another process must know too.
    pub fn restarts(&mut self, now: Duration) -> Self {
        Self { dead_since: None, started: now, offs: std::mem::take(&mut self.offs) }
    }

    pub fn cycles(&self) -> usize {
        self.offs.len()
    }

    pub fn probed(&mut self, now: Duration, report: &PathReport) {
        let silent = report.targets.iter().all(|target| !target.reached());
        let carrier = matches!(report.lan, Some(LanReport { carrier: Some(true), .. }));
        self.dead_since = if silent && carrier { self.dead_since.or(Some(now)) } else { None };
    }

    pub const fn woke(&mut self) {
        self.dead_since = None;
    }

    /// Power is being taken. A clock that was set between two processes may have misled the second.
    pub fn off(
        &mut self,
        (now, booted, wall_set): (Duration, Duration, Duration),
        intent: bool,
        config: &Config,
        stopping: bool,
    ) -> Judged {
        let recovery = &config.recovery;
        hold(intent, "d: no off without an intent on disk", || "nothing is there".into())?;
        let may = recovery.allowed && recovery.plug.is_some() && !config.dry_run && !stopping;
        hold(may, "d: no off that is not allowed", || format!("stopping: {stopping}"))?;
        let dead = self.dead_since.map(|since| now - since);
        let long = dead.is_some_and(|dead| dead + ROUNDING >= recovery.after);
        hold(long, "d: no off before the line is dead for long", || format!("for {dead:?}"))?;
        let patient = now - booted + ROUNDING >= recovery.after + recovery.settle;
        hold(patient, "d: no off soon after a boot", || format!("booted at {booted:?}"))?;
        let known = |(at, process): &(Duration, Duration)| *process == self.started || *at > wall_set;
        self.offs.retain(|(at, _)| now - *at < DAY - INTENDING);
        let today: Vec<_> = self.offs.iter().copied().filter(known).collect();
        let within = today.len() < usize::try_from(recovery.max_per_day).unwrap();
        hold(within, "d: a day's budget", || format!("{today:?}"))?;
        let cooled = today.last().is_none_or(|(at, _)| now - *at + INTENDING >= recovery.cooldown);
        hold(cooled, "d: a pause after each off", || format!("{today:?}"))?;
        self.offs.push((now, self.started));
        Ok(())
    }
}
