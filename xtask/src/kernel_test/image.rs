//! The guest's root file system: busybox, the modules, `ip`, and the suite.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::kernel::{Files, modules};
use crate::run_command;

const MODULES: [&str; 1] = ["veth"];
/// Programs that the suite runs.
const PROGRAMS: [&str; 2] = ["ip", "radvd"];

const INIT: &str = "#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/sbin:/bin TMPDIR=/tmp
umask 022
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
mount -t tmpfs none /run
mount -t tracefs none /sys/kernel/tracing
for module in $(cat /modules/order); do insmod /modules/$module; done
/sbin/ip link set lo up
echo \"@@BEGIN $(uname -r)\"
/suite --test-threads 4 @ONLY@
echo \"@@END $?\"
poweroff -f
";

/// Builds the compressed archive that the kernel unpacks.
pub fn build(files: &Files, suite: &Path, only: Option<&str>) -> Result<PathBuf> {
    let top = files.directory.join("initramfs");
    let _ = fs::remove_dir_all(&top);
    for directory in ["bin", "sbin", "proc", "sys", "dev", "tmp", "run", "etc", "modules"] {
        fs::create_dir_all(top.join(directory))?;
    }
    symlink("../run", top.join("var")).context("var")?;
    fs::copy("/bin/busybox", top.join("bin/busybox")).context("busybox")?;
    symlink("busybox", top.join("bin/sh"))?;
    fs::copy(suite, top.join("suite"))?;
    for program in PROGRAMS {
        add_program(program, &top)?;
    }
    add_modules(files, &top)?;
    // radvd asks who root is.
    fs::write(top.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n")?;
    fs::write(top.join("init"), INIT.replace("@ONLY@", only.unwrap_or_default()))?;
    fs::set_permissions(top.join("init"), fs::Permissions::from_mode(0o755))?;
    let archive = files.directory.join("initramfs.cpio.gz");
    let pack = "find . | cpio --quiet -o -H newc | gzip -1 >../initramfs.cpio.gz";
    run_command(Command::new("sh").args(["-c", pack]).current_dir(&top))?;
    Ok(archive)
}

/// A program with its libraries, at their places.
fn add_program(name: &str, top: &Path) -> Result<()> {
    let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(|place| Path::new(place).join(name));
    let program = places.into_iter().find(|place| place.exists()).with_context(|| format!("no {name}"))?;
    fs::copy(&program, top.join("sbin").join(name))?;
    let output = Command::new("ldd").arg(&program).output().context("ldd")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for library in text.split_whitespace().filter(|word| word.starts_with('/')) {
        let place = top.join(library.trim_start_matches('/'));
        fs::create_dir_all(place.parent().context("a library's directory")?)?;
        fs::copy(library, place)?;
    }
    Ok(())
}

/// The modules and what they need, uncompressed, in the order in which they load.
fn add_modules(files: &Files, top: &Path) -> Result<()> {
    let directory = modules(&files.unpacked)?;
    let base = directory.parent().and_then(Path::parent).context("the base of the modules")?;
    if !directory.join(&files.release).join("modules.dep").exists() {
        run_command(Command::new("depmod").arg("-b").arg(base).arg(&files.release).stderr(Stdio::null()))?;
    }
    let mut order: Vec<String> = Vec::new();
    for module in MODULES {
        let mut modprobe = Command::new("modprobe");
        modprobe.args(["-S", &files.release, "--show-depends", module, "-d"]).arg(base);
        let output = modprobe.output().context("modprobe")?;
        ensure!(output.status.success(), "{modprobe:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        for path in text.lines().filter_map(|line| line.trim().strip_prefix("insmod ")) {
            // Options may follow.
            let path = Path::new(path.split_whitespace().next().unwrap_or_default());
            let name = path.file_name().context("a module's name")?.to_string_lossy().into_owned();
            let plain = name.trim_end_matches(".xz").trim_end_matches(".zst").to_owned();
            if order.contains(&plain) {
                continue;
            }
            let tool = match path.extension().and_then(|extension| extension.to_str()) {
                Some("xz") => "xz -dc",
                Some("zst") => "zstd -dcq",
                _ => "cat",
            };
            let unpack = format!("{tool} '{}' >'{}'", path.display(), top.join("modules").join(&plain).display());
            run_command(Command::new("sh").args(["-c", &unpack]))?;
            order.push(plain);
        }
    }
    fs::write(top.join("modules/order"), order.join("\n"))?;
    Ok(())
}
