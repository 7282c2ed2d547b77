//! A disk that is a loop device, and a host that finds it by a serial number.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use qcloud_csi::node::linux::LinuxHost;

pub(crate) const SERIAL: &str = "disk-0a1b2c3d";
pub(crate) const MIB: u64 = 1 << 20;
/// Enough for an XFS.
pub(crate) const SIZE: u64 = 400 * MIB;

/// Whether a program can be run here.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// Runs a program of the test itself.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output().unwrap();
    assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// A folder for one test, removed at its end.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("qcloud-csi-linux-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Whatever a failed test left mounted, the upper ones first.
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for target in mounts.lines().rev().filter_map(|line| line.split(' ').nth(4)) {
            if Path::new(target).starts_with(&self.0) {
                _ = Command::new("umount").arg(target).output();
            }
        }
        _ = fs::remove_dir_all(&self.0);
    }
}

/// A machine with one disk.
pub(crate) struct Machine {
    pub(crate) device: PathBuf,
    image: PathBuf,
    // Removed last.
    pub(crate) folder: Folder,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for target in mounts.lines().rev().filter_map(|line| line.split(' ').nth(4)) {
            if Path::new(target).starts_with(&self.folder.0) {
                _ = Command::new("umount").arg(target).output();
            }
        }
        _ = Command::new("blockdev").arg("--setrw").arg(&self.device).output();
        _ = Command::new("losetup").arg("-d").arg(&self.device).output();
    }
}

impl Machine {
    /// A machine with a blank disk, or why there is none.
    pub(crate) fn new() -> Result<Self, String> {
        if run("id", &["-u"]) != "0" {
            return Err("only root can mount".to_owned());
        }
        for program in ["losetup", "blkid", "mkfs.ext4", "e2fsck", "resize2fs", "blockdev"] {
            if Command::new(program).arg("-V").output().is_err() {
                return Err(format!("{program} is not installed"));
            }
        }
        let folder = Folder::new();
        let image = folder.0.join("disk.img");
        fs::File::create(&image).unwrap().set_len(SIZE).unwrap();
        let made = Command::new("losetup").args(["-f", "--show"]).arg(&image).output().unwrap();
        if !made.status.success() {
            return Err(format!("no loop device: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let device = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        let machine = Self { device, image, folder };
        // A `/sys` in which the loop device has a serial number.
        let entry = machine.folder.0.join("sys/block").join(machine.device.file_name().unwrap());
        fs::create_dir_all(&entry).unwrap();
        let real = Path::new("/sys/block").join(machine.device.file_name().unwrap());
        fs::copy(real.join("dev"), entry.join("dev")).unwrap();
        fs::write(entry.join("serial"), format!("{SERIAL}\n")).unwrap();
        symlink("/sys/dev", machine.folder.0.join("sys/dev")).unwrap();
        Ok(machine)
    }

    pub(crate) async fn host(&self) -> LinuxHost {
        let host = LinuxHost::new(self.folder.0.join("scratch")).await.unwrap();
        host.with_devices(self.folder.0.join("sys"), "/dev")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Grows the disk, as the cloud does.
    pub(crate) fn grow(&self, size: u64) {
        fs::OpenOptions::new().write(true).open(&self.image).unwrap().set_len(size).unwrap();
        run("losetup", &["-c", self.device.to_str().unwrap()]);
    }

    /// What is mounted below this machine's folder.
    pub(crate) fn mounted(&self) -> Vec<String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let targets = mounts.lines().filter_map(|line| line.split(' ').nth(4));
        targets.filter(|target| Path::new(target).starts_with(&self.folder.0)).map(str::to_owned).collect()
    }
}

/// A machine, unless it can't be had here.
#[macro_export]
macro_rules! machine {
    () => {
        match $crate::machine::Machine::new() {
            Ok(machine) => machine,
            Err(why) => {
                println!("skipped: {why}");
                return;
            }
        }
    };
}
