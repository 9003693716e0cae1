use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::time::{ClockId, clock_gettime};

/// What the kernel says of this process (proc_pid_stat(5)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Process {
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Resident octets.
    pub(crate) resident: u64,
    /// Open file descriptors.
    pub(crate) descriptors: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// When it started, since the Unix epoch.
    pub(crate) started: Duration,
}

impl Process {
    /// This process at this moment; `None` without a readable /proc.
    pub(crate) fn look() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in parentheses may hold anything; the third field follows it.
        let fields: Vec<u64> = stat.rsplit_once(')')?.1.split_whitespace().map(|f| f.parse().unwrap_or(0)).collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let ticks = |ticks: u64| Duration::from_millis(ticks.saturating_mul(1000) / clock_ticks_per_second().max(1));
        let boot = clock_gettime(ClockId::Boottime);
        let since_boot = Duration::new(u64::try_from(boot.tv_sec).ok()?, u32::try_from(boot.tv_nsec).ok()?);
        let age = since_boot.saturating_sub(ticks(field(22)?));
        Some(Self {
            cpu: ticks(field(14)? + field(15)?),
            resident: field(24)?.saturating_mul(u64::try_from(page_size()).ok()?),
            descriptors: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?.saturating_sub(1),
            threads: field(20)?,
            started: SystemTime::now().duration_since(UNIX_EPOCH).ok()?.saturating_sub(age),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_descriptors_and_a_past() {
        let before = Process::look().unwrap();
        let held = vec![1_u8; 32 << 20];
        let files: Vec<_> = (0..20).map(|_| fs::File::open("/proc/self/stat").unwrap()).collect();
        let after = Process::look().unwrap();
        assert!(after.resident >= before.resident + (held.len() as u64) / 2, "{before:?} {after:?}");
        assert!(after.descriptors >= before.descriptors + files.len() as u64, "{before:?} {after:?}");
        assert!(after.cpu >= before.cpu && after.threads >= 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(after.started < now && now - after.started < Duration::from_secs(86_400), "{after:?}");
    }
}
