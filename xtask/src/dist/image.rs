//! The container image: the static binary and nothing else.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Release, put};
use crate::{is_root, root, run_command};

/// Who ddnsd is in the image: no user of any host.
const NOBODY: u32 = 65532;

/// The name of the image.
pub fn name(release: &Release) -> String {
    format!("localhost/ddnsd:{}", release.version)
}

fn archive(release: &Release) -> PathBuf {
    Release::directory().join(format!("ddnsd-{}-image.tar", release.version))
}

/// Builds the image without a registry and writes it as an archive that `docker load` and `podman load` read.
pub fn build(release: &Release, ddnsd: &Path) -> Result<PathBuf> {
    anyhow::ensure!(is_root(), "the image's files belong to another user, for which root is needed");
    let context = release.tree().with_file_name("image");
    let rootfs = context.join("rootfs");
    if context.exists() {
        fs::remove_dir_all(&context)?;
    }
    fs::create_dir_all(rootfs.join("usr/bin"))?;
    put(ddnsd, &rootfs.join("usr/bin/ddnsd"), 0o755)?;
    for own in ["run/ddnsd", "var/lib/ddnsd"] {
        fs::create_dir_all(rootfs.join(own))?;
        chown(rootfs.join(own), Some(NOBODY), Some(NOBODY))?;
    }
    let (storage, archive) = (context.join("storage"), archive(release));
    let buildah = || {
        let mut buildah = Command::new("buildah");
        buildah.arg("--root").arg(storage.join("root")).arg("--runroot").arg(storage.join("run"));
        buildah.args(["--storage-driver", "vfs"]);
        buildah
    };
    run_command(
        buildah()
            .args(["bud", "--quiet", "--isolation", "chroot", "--format", "docker", "--timestamp", &release.epoch])
            .args(["--tag", &name(release), "--file"])
            .arg(root().join("deploy/container/Containerfile"))
            .arg(&context),
    )?;
    run_command(buildah().args(["push", "--quiet", &name(release)]).arg(format!(
        "docker-archive:{}:{}",
        archive.display(),
        name(release)
    )))?;
    fs::remove_dir_all(&storage).context("the image's storage")?;
    Ok(archive)
}

/// Loads the archive and runs it as strictly as can be: nothing may be written, no right is held.
pub fn check(release: &Release) -> Result<()> {
    let storage = release.tree().with_file_name("containers");
    run_command(
        Command::new("unshare")
            .args(["--mount", "--cgroup", "--net", "--fork", "--kill-child", "sh"])
            .arg(root().join("xtask/src/dist/image.sh"))
            .arg(&storage)
            .arg(archive(release))
            .arg(name(release))
            .arg(&release.version),
    )
}
