//! What a process that has closed the sandbox can't do any more, tried by itself. Needs root: without the sandbox all of it
//! would be granted.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use ddns_linux::{Layer, Reach, Standing, close};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::io::Errno;
use rustix::process::chroot;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

/// `work` in a thread that has closed these layers: they bind the thread that closes them.
fn within(layers: &[Layer], reach: &Reach, work: impl FnOnce() + Send) {
    thread::scope(|threads| {
        threads.spawn(|| {
            for (layer, standing) in close(layers, reach) {
                assert!(matches!(standing, Standing::Closed(_)), "{}: {standing}", layer.as_str());
            }
            work();
        });
    });
}

fn denied<T>(result: std::io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn files_outside_the_list_are_out_of_reach() {
    let directory = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| directory.path().join(name));
    fs::create_dir(&own).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(other.join("secret"), "secret").unwrap();
    let (kept, me) = (File::open(other.join("secret")).unwrap(), std::env::current_exe().unwrap());
    let reach = Reach { write: vec![own.clone()], read: Vec::new(), run: vec![me.clone()] };
    within(&[Layer::Landlock], &reach, || {
        fs::write(own.join("a"), "a").unwrap();
        OpenOptions::new().append(true).open(own.join("a")).unwrap().set_len(0).unwrap();
        fs::rename(own.join("a"), own.join("b")).unwrap();
        fs::create_dir(own.join("c")).unwrap();
        fs::rename(own.join("b"), own.join("c/b")).unwrap();
        fs::remove_dir_all(own.join("c")).unwrap();
        File::open("/etc/resolv.conf").map(drop).or_else(|_| File::open("/etc/hosts").map(drop)).unwrap();
        assert!(Command::new(&me).arg("--list").output().unwrap().status.success(), "ourselves, as the store's worker");

        assert!(denied(fs::read(other.join("secret"))), "a file of somebody else");
        assert!(denied(fs::read_dir(&other)) && denied(fs::write(other.join("new"), "")), "their directory");
        assert!(denied(fs::rename(other.join("secret"), own.join("secret"))), "taking it over");
        assert!(
            denied(fs::write("/etc/ddns-sandbox", "")) && denied(OpenOptions::new().write(true).open("/etc/hosts"))
        );
        assert!(
            denied(fs::read("/var/lib/dpkg/status")) && denied(fs::read_dir("/root")) && denied(fs::read_dir("/home"))
        );
        assert!(denied(File::open("/proc/1/environ")) && denied(File::open("/dev/zero")));
        assert!(denied(Command::new("/bin/sh").arg("-c").arg("true").status()), "a shell");
        assert!(denied(std::os::unix::fs::symlink("/", own.join("link"))), "a symbolic link");
        assert_eq!(mknodat(CWD, own.join("pipe"), FileType::Fifo, Mode::RUSR, 0), Err(Errno::ACCESS));
    });
    drop(kept);
    assert!(!Path::new("/etc/ddns-sandbox").exists());
}

#[test]
fn calls_outside_the_list_are_refused() {
    within(&[Layer::Seccomp], &Reach::default(), || {
        assert_eq!(chroot("/"), Err(Errno::PERM));
        assert_eq!(
            mknodat(CWD, "/tmp/ddns-sandbox-device", FileType::CharacterDevice, Mode::RUSR, 0),
            Err(Errno::PERM)
        );
        assert_eq!(rustix::system::sethostname(b"x"), Err(Errno::PERM));
        assert_eq!(rustix::process::setpriority_process(None, 5), Err(Errno::PERM));
        let namespace = File::open("/proc/self/ns/net").unwrap();
        let moved = rustix::thread::move_into_link_name_space(
            std::os::fd::AsFd::as_fd(&namespace),
            Some(LinkNameSpaceType::Network),
        );
        assert_eq!(moved, Err(Errno::PERM));
        #[expect(deprecated, reason = "the safe form of it; what it could break is refused")]
        let unshared = rustix::thread::unshare(UnshareFlags::NEWUTS);
        assert_eq!(unshared, Err(Errno::PERM));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(fs::read_dir("/").unwrap().count() > 0);
        thread::spawn(|| assert_eq!(chroot("/"), Err(Errno::PERM), "what a thread starts is bound as well"))
            .join()
            .unwrap();
    });
    assert_eq!(chroot("/"), Ok(()), "the thread that closed nothing is as free as before");
}

#[test]
fn every_layer_can_be_left_open() {
    let reach = Reach::default();
    within(&[], &reach, || {
        assert_eq!(chroot("/"), Ok(()));
        assert!(fs::read("/var/lib/dpkg/status").is_ok());
    });
    within(&[Layer::SeccompLog], &reach, || assert_eq!(chroot("/"), Ok(()), "it is let through, and logged"));
}
