use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ddns_core::ports::Clock;
use ddns_core::time::{Instant, Wall};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;

use crate::readiness;

/// The system's clocks: time since boot with suspend counted (`CLOCK_BOOTTIME`), and the wall clock.
///
/// [`sleep_until`](Clock::sleep_until) needs a tokio runtime with I/O and time enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

impl Clock for BootClock {
    fn now(&self) -> Instant {
        now()
    }

    fn wall(&self) -> Wall {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        sleep_until(deadline).boxed()
    }
}

fn now() -> Instant {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
    Instant::since_boot(Duration::new(seconds, nanos))
}

/// tokio's own timers stand still while the host sleeps, a timerfd on the boot clock does not.
async fn sleep_until(deadline: Instant) {
    if deadline <= now() {
        return;
    }
    if let Err(error) = expiry(deadline).await {
        tracing::debug!(%error, "No boot-time timer, looking at the clock instead");
        look_until(deadline).await;
    }
}

async fn expiry(deadline: Instant) -> io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let since_boot = deadline.saturating_since(Instant::default());
    let at = Timespec {
        tv_sec: i64::try_from(since_boot.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: since_boot.subsec_nanos().into(),
    };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &once)?;
    let timer = readiness::watch(timer, Interest::READABLE)?;
    // Readable means expired, and the timer fires once: there is nothing to read.
    timer.readable().await.map(drop)
}

/// Without file descriptors for a timer: late by this much after a suspend, at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);

async fn look_until(deadline: Instant) {
    loop {
        let left = deadline.saturating_since(now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clocks_agree(boot: Instant) -> bool {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        boot.as_nanos() / 1_000_000_000 <= uptime as u64 + 1
    }

    #[test]
    fn time_counts_from_boot() {
        let first = BootClock.now();
        assert!(clocks_agree(first) && first > Instant::default());
        assert!(BootClock.now() >= first);
    }

    #[tokio::test]
    async fn a_sleep_ends_at_its_deadline_and_not_before() {
        for look in [false, true] {
            let deadline = BootClock.now() + Duration::from_millis(20);
            let sleep = if look { look_until(deadline).boxed() } else { BootClock.sleep_until(deadline) };
            tokio::time::timeout(Duration::from_secs(10), sleep).await.unwrap();
            assert!(BootClock.now() >= deadline);
        }
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_is_over_at_once() {
        for past in [Instant::default(), BootClock.now()] {
            assert!(BootClock.sleep_until(past).now_or_never().is_some());
        }
    }
}
