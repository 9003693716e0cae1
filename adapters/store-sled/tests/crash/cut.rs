use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::scene::{self, Mount, Random, Writer};
use crate::store;
use crate::tally::Tally;

const BTRFS: u64 = 1 << 30;
const EXT4: u64 = 64 << 20;

/// FAULTS 46: the store on ext4 in a file on btrfs. A reflink of that file at any moment is the disk of a host whose
/// power goes then: what ext4 has not sent to it is lost, and its journal is replayed at the next mount.
pub fn power(tally: &mut Tally, many: u32, random: &mut Random) -> Result<()> {
    let base = tempfile::tempdir()?;
    let image = sparse(&base.path().join("btrfs.img"), BTRFS)?;
    scene::tool("mkfs.btrfs --quiet", &[&image])?;
    let host = Mount::new("mount -o loop", &image, base.path().join("host"))?;
    let disk = sparse(&host.0.join("disk.img"), EXT4)?;
    scene::tool("mkfs.ext4 -q", &[&disk])?;
    let alive = Mount::new("mount -o loop", &disk, base.path().join("alive"))?;
    let directory = alive.0.join("state");
    let mut writer = Writer::start(&[], &directory, &[])?;
    for cut in 0..many {
        // The second half strikes while the copy is done and nothing else makes the disk sync.
        if cut == many / 2 {
            writer.kill()?;
            writer = Writer::start(&[], &directory, &[u32::MAX, 150])?;
        }
        std::thread::sleep(Duration::from_micros(random.below(300_000)));
        let acknowledged = writer.acknowledged()?;
        let kept =
            fs::read_to_string(directory.join("sled.witness")).ok().and_then(|kept| kept.trim_end().parse().ok());
        // A name of its own: a loop device that has not let go of the last one would show that.
        let after = host.0.join(format!("after-{cut}.img"));
        scene::tool("cp --reflink=always", &[&disk, &after])?;
        let dead = Mount::new("mount -o loop", &after, base.path().join("dead"))?;
        let state = dead.0.join("state");
        // sled by itself: what it had kept before the cut, it has kept.
        let copy = scene::worker("read", &state)?.unwrap_or_default();
        if kept.is_some_and(|kept: u64| generation(&copy).is_none_or(|found| found < kept)) {
            tally.wedge(format!("sled had kept generation {kept:?} and says {copy}"));
        }
        let (outcome, logged) = store::loaded(&state)?;
        tally.judge(acknowledged, &outcome, || format!("{copy}\n{logged}"));
        if logged.contains("damaged") || logged.contains("in no slot") {
            tally.mended();
        }
        drop(dead);
        fs::remove_file(after)?;
    }
    writer.kill()?;
    Ok(())
}

/// The generation in a worker's report on what the database holds.
fn generation(report: &str) -> Option<u64> {
    let number = report.strip_prefix("{\"holds\":{\"generation\":")?;
    number.split(',').next()?.parse().ok()
}

fn sparse(path: &Path, length: u64) -> Result<PathBuf> {
    File::create(path)?.set_len(length)?;
    Ok(path.to_owned())
}
