use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_long;
use rustix::thread::set_no_new_privs;
use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

use super::Standing;

/// What happens to a call that is not on the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// It fails with EPERM.
    Refuse,
    /// It is let through, and the kernel's log tells.
    Log,
}

/// The filter stands, so that the right to attach is given up in it as well.
static STANDS: AtomicBool = AtomicBool::new(false);

/// Calls that a daemon of ours makes, and those that the C library and the runtime may choose in their place. None of them
/// makes a device, mounts, traces, loads a module, or changes who we are.
const ALLOWED: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads, and the end.
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_tgkill,
    // The worker of the store, which is this very program.
    libc::SYS_execve,
    libc::SYS_kill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_prlimit64,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Signals.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    // Time and waiting.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    // Files.
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_sync_file_range,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
    // Sockets.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_socket,
    libc::SYS_socketpair,
    // Who and where we are; capabilities are given up by capset(2) and prctl(2).
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_prctl,
    libc::SYS_seccomp,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    // A terminal's size, and whether there is one.
    libc::SYS_ioctl,
    // Attaching, until it is done; the kernel's counters of the eBPF programs, after that.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
];

/// The same under their older numbers, which only this architecture has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_arch_prctl,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_epoll_wait,
    libc::SYS_getdents,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_unlink,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];

/// The commands of bpf(2) that look into a map and change it lie between these (enum bpf_cmd of linux/bpf.h): all that is
/// still done with programs that are in place.
const MAP_CREATE: u64 = 0;
const MAP_GET_NEXT_KEY: u64 = 4;

thread_local! {
    /// A filter stays for good: one is enough.
    static GIVEN_UP: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn restrict(mode: Mode) -> Standing {
    let otherwise = match mode {
        Mode::Refuse => SeccompAction::Errno(libc::EPERM.unsigned_abs()),
        Mode::Log => SeccompAction::Log,
    };
    let rules = ALLOWED.iter().chain(ALLOWED_HERE).map(|call| (*call, Vec::new())).collect();
    match apply(rules, otherwise, SeccompAction::Allow) {
        Ok(()) => {
            STANDS.store(mode == Mode::Refuse, Ordering::Relaxed);
            let extent = match mode {
                Mode::Refuse => "all others fail",
                Mode::Log => "all others are let through and logged",
            };
            Standing::Closed(format!("{} calls; {extent}", ALLOWED.len() + ALLOWED_HERE.len()))
        }
        Err(error) => Standing::Refused(format!("{error}; this kernel needs CONFIG_SECCOMP_FILTER")),
    }
}

/// No eBPF program is loaded or attached any more by this thread, nor by what it starts; what is attached can be read.
pub(crate) fn give_up_attaching() -> Result<(), Error> {
    if !STANDS.load(Ordering::Relaxed) || GIVEN_UP.replace(true) {
        return Ok(());
    }
    let command = |is, which| SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, is, which)?]);
    let attaching = vec![command(SeccompCmpOp::Eq, MAP_CREATE)?, command(SeccompCmpOp::Gt, MAP_GET_NEXT_KEY)?];
    let rules = [(libc::SYS_bpf, attaching), (libc::SYS_perf_event_open, Vec::new())];
    apply(rules.into(), SeccompAction::Allow, SeccompAction::Errno(libc::EPERM.unsigned_abs()))
}

fn apply(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    on_a_rule: SeccompAction,
) -> Result<(), Error> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let program: BpfProgram = SeccompFilter::new(rules, otherwise, on_a_rule, architecture)?.try_into()?;
    // Without it only root may have a filter.
    set_no_new_privs(true).map_err(|error| Error::Prctl(error.into()))?;
    apply_filter(&program)
}

pub(super) fn known() -> Standing {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) if status.contains("\nSeccomp:") => Standing::Closed("known to this kernel".to_owned()),
        _ => Standing::Refused("this kernel has no seccomp filters (CONFIG_SECCOMP_FILTER)".to_owned()),
    }
}
