//! Makes what is handed out, from one tree: package, tarball, image, and the papers that go with them.

mod binary;
mod check;
mod image;
mod inventory;
mod licences;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Purpose};
use crate::{ebpf, root, run_command, step, tool};
use binary::Linkage;

/// Options of `cargo xtask dist`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Install, upgrade, remove and purge what was made, and run the image (root)
    #[arg(long)]
    pub check: bool,
    /// Build the binary twice, in two places, and compare
    #[arg(long)]
    pub check_reproducible: bool,
}

/// Makes it all.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(Purpose::Dist)?;
    ebpf::run()?;
    if arguments.check_reproducible {
        return binary::check_reproducible();
    }
    let release = Release::new()?;
    let made = release.make()?;
    show(&made)?;
    if arguments.check { check::run(&release) } else { Ok(()) }
}

/// One release: its name and its place.
pub struct Release {
    /// As in Cargo.toml.
    pub version: String,
    /// The time of the commit, in seconds: whatever is made carries it.
    pub epoch: String,
}

impl Release {
    fn new() -> Result<Self> {
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), epoch: epoch()? })
    }

    /// What is handed out.
    pub fn directory() -> PathBuf {
        root().join("target/dist")
    }

    /// What the tarball holds, and what package and image take from.
    pub fn tree(&self) -> PathBuf {
        root().join("target/dist-work").join(self.name())
    }

    fn name(&self) -> String {
        format!("ddnsd-{}-{}-linux", self.version, std::env::consts::ARCH)
    }

    /// What it is made of.
    pub fn inventory(&self) -> PathBuf {
        Self::directory().join(format!("{}.cdx.json", self.name()))
    }

    /// The Debian package.
    pub fn package(&self) -> PathBuf {
        Self::directory().join(format!("ddnsd_{}_{}.deb", self.version, binary::debian_architecture()))
    }

    fn make(&self) -> Result<Vec<PathBuf>> {
        let directory = Self::directory();
        fs::create_dir_all(&directory)?;
        for old in fs::read_dir(&directory)? {
            fs::remove_file(old?.path()).context("target/dist holds what this did not make")?;
        }
        step("dist: the binary, linked with glibc and by itself");
        let linked = binary::build(Linkage::Shared)?;
        let alone = binary::build(Linkage::Static)?;
        step("dist: papers");
        self.lay_out(&alone)?;
        let inventory = self.inventory();
        inventory::write(self, &inventory)?;
        licences::write(&self.tree().join("THIRD-PARTY-LICENCES"))?;
        fs::copy(self.tree().join("THIRD-PARTY-LICENCES"), directory.join("THIRD-PARTY-LICENCES"))?;
        step("dist: package");
        let package = self.pack(&linked)?;
        step("dist: tarball");
        let tarball = self.roll()?;
        step("dist: image");
        let image = image::build(self, &alone)?;
        let mut made = vec![package, tarball, image, inventory, directory.join("THIRD-PARTY-LICENCES")];
        made.push(sums(&made)?);
        Ok(made)
    }

    /// The files as they lie in the repository, and those that ddnsd prints of itself.
    fn lay_out(&self, ddnsd: &Path) -> Result<()> {
        let tree = self.tree();
        if tree.exists() {
            fs::remove_dir_all(&tree)?;
        }
        for directory in ["man", "completions"] {
            fs::create_dir_all(tree.join(directory))?;
        }
        put(ddnsd, &tree.join("ddnsd"), 0o755)?;
        for file in ["README.md", "CHANGELOG.md", "LICENSE", "LICENSE-MIT", "LICENSE-APACHE"] {
            put(&root().join(file), &tree.join(file), 0o644)?;
        }
        for part in ["docs", "deploy"] {
            copy_all(&root().join(part), &tree.join(part))?;
        }
        run_command(Command::new(ddnsd).arg("man").arg(tree.join("man")).env_clear())?;
        for (shell, name) in [("bash", "ddnsd.bash"), ("zsh", "_ddnsd"), ("fish", "ddnsd.fish")] {
            let script = Command::new(ddnsd).args(["completions", shell]).env_clear().output()?;
            ensure!(script.status.success(), "ddnsd completions {shell} failed");
            fs::write(tree.join("completions").join(name), script.stdout)?;
        }
        Ok(())
    }

    /// The Debian package, as `[package.metadata.deb]` of ddns-daemon describes it.
    fn pack(&self, ddnsd: &Path) -> Result<PathBuf> {
        let work = self.tree().with_file_name("package");
        for part in ["man", "completions"] {
            copy_all(&self.tree().join(part), &work.join(part))?;
        }
        put(ddnsd, &work.join("ddnsd"), 0o755)?;
        let unit = fs::read_to_string(root().join("deploy/systemd/ddnsd.service"))?;
        let moved = unit.replace("ExecStart=/usr/local/bin/", "ExecStart=/usr/bin/");
        ensure!(unit != moved, "ddnsd.service starts no /usr/local/bin/ddnsd");
        fs::write(work.join("ddnsd.service"), moved)?;
        fs::write(work.join("copyright"), licences::copyright(&self.tree().join("THIRD-PARTY-LICENCES"))?)?;
        let package = self.package();
        run_command(
            Command::new(tool("cargo-deb"))
                .args(["deb", "--quiet", "--no-build", "--no-strip", "--package", "ddns-daemon"])
                .args(["--deb-version", &self.version, "--output"])
                .arg(&package)
                .env("SOURCE_DATE_EPOCH", &self.epoch)
                .current_dir(root()),
        )?;
        Ok(package)
    }

    /// Binary, scripts, documents.
    pub fn tarball(&self) -> PathBuf {
        Self::directory().join(format!("{}.tar.gz", self.name()))
    }

    fn roll(&self) -> Result<PathBuf> {
        let tarball = self.tarball();
        run_command(
            Command::new("tar")
                .args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
                .arg(format!("--mtime=@{}", self.epoch))
                .arg("--file")
                .arg(&tarball)
                .arg("--directory")
                .arg(root().join("target/dist-work"))
                .arg(self.name())
                .env("GZIP", "-9n"),
        )?;
        Ok(tarball)
    }
}

/// When the last commit was made, unless the environment says otherwise.
fn epoch() -> Result<String> {
    if let Ok(given) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(given);
    }
    let output = Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root()).output()?;
    ensure!(output.status.success(), "no commit to take the time from; set SOURCE_DATE_EPOCH");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Copies a file and says who may do what with it.
fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}

fn copy_all(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
            put(&entry.path(), &target, if executable { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

fn sums(files: &[PathBuf]) -> Result<PathBuf> {
    let names = files.iter().filter_map(|file| file.file_name());
    let output = Command::new("sha256sum").args(names).current_dir(Release::directory()).output()?;
    ensure!(output.status.success(), "sha256sum: {}", String::from_utf8_lossy(&output.stderr));
    let path = Release::directory().join("SHA256SUMS");
    fs::write(&path, output.stdout)?;
    Ok(path)
}

/// What was made, how large it is, and what the package holds.
fn show(made: &[PathBuf]) -> Result<()> {
    step("dist: what the package holds");
    for package in made.iter().filter(|file| file.extension().is_some_and(|extension| extension == "deb")) {
        run_command(Command::new("dpkg-deb").arg("--contents").arg(package))?;
    }
    step("dist: target/dist");
    let binaries = [Linkage::Shared, Linkage::Static].map(Linkage::place);
    for file in binaries.iter().chain(made) {
        let name = file.strip_prefix(root()).unwrap_or(file);
        println!("{:>11}  {}", fs::metadata(file)?.len(), name.display());
    }
    Ok(())
}
