//! Tries what was made: in a throwaway copy of this host's root, and as a container.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Release, image, inventory};
use crate::{is_root, root, run_command, step};

/// The scripts, in the repository.
const SCRIPTS: &str = "xtask/src/dist";

/// The scripts that hosts run.
const SHIPPED: [&str; 5] = [
    "deploy/debian/postinst",
    "deploy/debian/prerm",
    "deploy/debian/postrm",
    "deploy/install.sh",
    "deploy/uninstall.sh",
];

/// All of it.
pub fn run(release: &Release) -> Result<()> {
    ensure!(is_root(), "to install something, and to run a container, takes root");
    step("dist: scripts");
    let own =
        ["throwaway.sh", "expect.sh", "package.sh", "install.sh", "image.sh"].map(|name| format!("{SCRIPTS}/{name}"));
    run_command(Command::new("shellcheck").arg("--external-sources").args(SHIPPED).args(&own).current_dir(root()))?;
    step("dist: the inventory against CycloneDX");
    inventory::validate(release)?;
    step("dist: the package's life");
    throwaway("package.sh", &[&release.package(), Path::new(&release.version)])?;
    step("dist: the tarball's scripts");
    throwaway("install.sh", &[&release.tarball(), Path::new(&release.version)])?;
    step("dist: the image, with no right at all");
    image::check(release)
}

/// Runs a script of ours where all that it does is undone.
fn throwaway(script: &str, arguments: &[&Path]) -> Result<()> {
    let scripts = root().join(SCRIPTS);
    run_command(
        Command::new("unshare")
            .args(["--mount", "--pid", "--net", "--fork", "--kill-child", "sh"])
            .arg(scripts.join("throwaway.sh"))
            .arg(root().join("target/dist-work/throwaway"))
            .arg(scripts.join(script))
            .arg(&scripts)
            .args(arguments),
    )
}
