use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};

use super::{Reach, Standing};

/// The newest rights that are taken away where the kernel knows them (Linux 6.10: devices' ioctl).
const NEWEST: ABI = ABI::V5;

/// What the C library and the kernel's own interfaces need: names are looked up by `/etc/resolv.conf` and its like, whose
/// files are replaced while we run, so that their directories have to be named.
const SYSTEM: [&str; 14] = [
    "/etc",
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/run/nscd",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/proc/self",
    "/proc/net",
    "/proc/sys/net",
    "/proc/sys/kernel",
    "/sys",
];
/// Opened for programs that are run.
const NULL: &str = "/dev/null";
/// What a dynamic program is loaded by.
const LOADERS: [&str; 3] = ["/lib", "/lib64", "/usr/lib"];

pub(super) fn restrict(reach: &Reach) -> Standing {
    match try_restrict(reach) {
        Ok(RulesetStatus::FullyEnforced) => Standing::Closed("all that this version knows".to_owned()),
        Ok(RulesetStatus::PartiallyEnforced) => Standing::Closed("as far as this kernel knows".to_owned()),
        Ok(RulesetStatus::NotEnforced) => unknown(),
        Err(error) => Standing::Refused(error.to_string()),
    }
}

fn try_restrict(reach: &Reach) -> Result<RulesetStatus, RulesetError> {
    let existing = |paths: &[PathBuf]| paths.iter().filter(|path| path.exists()).cloned().collect::<Vec<_>>();
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = AccessFs::ReadFile | AccessFs::Execute;
    let null = AccessFs::ReadFile | AccessFs::WriteFile;
    let system: Vec<PathBuf> = SYSTEM.map(PathBuf::from).into();
    // To make, write, remove, rename and lock, and nothing else: no devices, no programs.
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(existing(&system), read))?
        .add_rules(path_beneath_rules(existing(&reach.read), read))?
        .add_rules(path_beneath_rules(existing(&reach.write), write))?
        .add_rules(path_beneath_rules(existing(&reach.run), run))?
        .add_rules(path_beneath_rules(existing(&LOADERS.map(PathBuf::from)), run))?
        .add_rules(path_beneath_rules([NULL], null))?
        .restrict_self()?;
    Ok(status.ruleset)
}

pub(super) fn known() -> Standing {
    // A set of rules that is made and never used.
    let made = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))
        .and_then(Ruleset::create);
    match made {
        Ok(_) => Standing::Closed("known to this kernel".to_owned()),
        Err(_) => unknown(),
    }
}

fn unknown() -> Standing {
    Standing::Refused(
        "this kernel has no Landlock: use Linux 5.13 or newer, with landlock among the lsm= of its command line; the unit's \
         ProtectSystem= does a part of it"
            .to_owned(),
    )
}
