//! Debian's kernels: downloaded by apt into a root of its own, unpacked, never installed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{root, run_command};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A kernel, and the Debian suite that has it.
pub struct Kernel {
    pub version: &'static str,
    suite: &'static str,
}

/// From the oldest with ring buffers that is still in use to the newest.
pub const ALL: [Kernel; 4] = [
    Kernel { version: "5.10", suite: "bullseye" },
    Kernel { version: "6.1", suite: "bookworm" },
    Kernel { version: "6.12", suite: "trixie" },
    Kernel { version: "7", suite: "sid" },
];

/// What a kernel consists of, on this machine.
pub struct Files {
    /// Everything of this kernel lies here.
    pub directory: PathBuf,
    /// Uncompressed, so that the guest need not.
    pub image: PathBuf,
    /// Where the package was unpacked.
    pub unpacked: PathBuf,
    /// The name under which its modules lie.
    pub release: String,
}

impl Kernel {
    /// Downloads and unpacks it, unless it is there.
    pub fn provide(&self) -> Result<Files> {
        let directory = root().join("target/kernel-test").join(self.suite);
        let unpacked = directory.join("unpacked");
        if !unpacked.exists() {
            self.download(&directory)?;
        }
        let release = only_entry(&modules(&unpacked)?)?;
        let image = directory.join("vmlinux");
        if !image.exists() {
            // Beside its modules since Linux 7, as systemd wants it.
            let places =
                [unpacked.join(format!("boot/vmlinuz-{release}")), modules(&unpacked)?.join(&release).join("vmlinuz")];
            let place = places.iter().find(|place| place.exists()).context("the package has no vmlinuz")?;
            let compressed = fs::read(place)?;
            let temporary = directory.join("vmlinux.new");
            fs::write(&temporary, uncompressed(&compressed)?)?;
            fs::rename(temporary, &image)?;
        }
        Ok(Files { directory, image, unpacked, release })
    }

    fn download(&self, directory: &Path) -> Result<()> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(part))?;
        }
        let mut sources = format!("deb [signed-by={KEYRING}] {} {} main\n", site("/debian/$")?, self.suite);
        if self.suite != "sid" {
            let security = site("/debian-security/$")?;
            sources += &format!("deb [signed-by={KEYRING}] {security} {}-security main\n", self.suite);
        }
        fs::write(directory.join("sources.list"), sources)?;
        let apt = |program: &str| {
            let mut apt = Command::new(program);
            for option in [
                format!("Dir::Etc::sourcelist={}", directory.join("sources.list").display()),
                "Dir::Etc::sourceparts=/dev/null".to_owned(),
                format!("Dir::State::Lists={}", directory.join("lists").display()),
                format!("Dir::Cache={}", directory.join("cache").display()),
                "Acquire::Languages=none".to_owned(),
                "Acquire::Retries=3".to_owned(),
                "APT::Sandbox::User=root".to_owned(),
            ] {
                apt.args(["-o", &option]);
            }
            apt.current_dir(directory);
            apt
        };
        run_command(apt("apt-get").args(["--quiet", "--quiet", "update"]))?;
        let depends = said(apt("apt-cache").args(["depends", "linux-image-amd64"]))?;
        let names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: linux-"));
        let mut versions = names.filter_map(|name| name.strip_prefix("image-").or(name.strip_prefix("base-")));
        let version = versions.find(|version| version.starts_with(|c: char| c.is_ascii_digit()));
        let version = version.context("linux-image-amd64 depends on no kernel")?;
        let is_split = said(apt("apt-cache").args(["show", &format!("linux-binary-{version}")])).is_ok();
        let packages = match is_split {
            true => vec![format!("linux-binary-{version}"), format!("linux-modules-{version}")],
            false => vec![format!("linux-image-{version}")],
        };
        run_command(apt("apt-get").args(["--quiet", "--quiet", "download"]).args(&packages))?;
        let unpacking = directory.join("unpacking");
        for package in fs::read_dir(directory)? {
            let package = package?.path();
            if package.extension().is_some_and(|extension| extension == "deb") {
                run_command(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&unpacking))?;
                fs::remove_file(package)?;
            }
        }
        fs::rename(unpacking, directory.join("unpacked")).context("no package came")
    }
}

/// Where the modules lie, before or after the merge of `/lib` into `/usr/lib`.
pub fn modules(unpacked: &Path) -> Result<PathBuf> {
    let places = ["lib/modules", "usr/lib/modules"].map(|place| unpacked.join(place));
    places.into_iter().find(|place| place.exists()).context("the package has no modules")
}

fn only_entry(directory: &Path) -> Result<String> {
    let mut entries = fs::read_dir(directory)?;
    let entry = entries.next().context("an empty directory of modules")??;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

/// The mirror that this machine uses, by the end of its address.
fn site(end: &str) -> Result<String> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]);
    let end = end.trim_end_matches('$');
    let known = said(&mut targets)?;
    known.lines().find(|site| site.ends_with(end)).map(ToOwned::to_owned).with_context(|| format!("apt knows no {end}"))
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success() && !output.stdout.is_empty(), "{command:?} ({})", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The ELF image inside a bzImage (Documentation/arch/x86/boot.rst: `setup_sects`, `payload_offset`, `payload_length`).
fn uncompressed(image: &[u8]) -> Result<Vec<u8>> {
    let word = |at: usize| image.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map(u32::from_le_bytes);
    let sectors = usize::from(*image.get(0x1f1).context("no bzImage")?);
    let (offset, length) = (word(0x248).context("no bzImage")? as usize, word(0x24c).context("no bzImage")? as usize);
    let start = (sectors + 1) * 512 + offset;
    let payload = image.get(start..start + length).context("a payload outside the image")?;
    let tool = match payload {
        [0xfd, b'7', b'z', ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0x1f, 0x8b, ..] => "gzip",
        _ => bail!("a compression that is none of xz, zstd and gzip"),
    };
    let mut child = Command::new(tool)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| tool.to_owned())?;
    let mut input = child.stdin.take().context("stdin")?;
    // The kernel's build puts four octets behind the stream, of which the tools complain after they have done all.
    let payload = payload.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&payload));
    let image = child.wait_with_output()?.stdout;
    let _ = writer.join();
    ensure!(image.starts_with(b"\x7fELF"), "{tool} found no ELF image");
    Ok(image)
}
