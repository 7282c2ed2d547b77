//! A machine in memory, for tests and demonstrations.
//!
//! What is written on a volume is kept with the disk, not with the host, so it is there again when the disk is staged by
//! another host that shares the same [`FakeDisks`]. Nothing here waits, and everything can be made to fail.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use qcloud_container::kubernetes::volumes::{PageRequest, Volumes};

use super::host::{
    Amount, Content, Device, DeviceNumber, Filesystem, Health, Host, HostError, Mount, MountOptions, Result, Source,
    Usage,
};

/// The least number of bytes that each inode of a fake filesystem stands for.
const BYTES_PER_INODE: u64 = 16384;

/// What is on all disks, by serial number, whichever host has them.
#[derive(Clone, Debug, Default)]
pub struct FakeDisks(Arc<Mutex<BTreeMap<String, Disk>>>);

#[derive(Clone, Debug, Default)]
struct Disk {
    filesystem: Option<FakeFilesystem>,
    /// What was written to the raw device.
    raw: Vec<u8>,
    /// Something that no filesystem of ours is, for tests.
    other: Option<String>,
}

#[derive(Clone, Debug)]
struct FakeFilesystem {
    kind: Filesystem,
    size: u64,
    /// Whether its journal is to be replayed.
    dirty: bool,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl FakeDisks {
    /// Puts something on a disk that is neither ext4 nor xfs.
    pub fn put_other(&self, serial: &str, what: impl Into<String>) {
        self.lock().entry(serial.to_owned()).or_default().other = Some(what.into());
    }

    /// Leaves the filesystem of a disk as the loss of its node does: with a journal to be replayed.
    pub fn set_dirty(&self, serial: &str) {
        if let Some(filesystem) = self.lock().get_mut(serial).and_then(|disk| disk.filesystem.as_mut()) {
            filesystem.dirty = true;
        }
    }

    /// Puts on a disk what is on another one, as making it from a snapshot does.
    pub fn copy(&self, from: &str, to: &str) {
        let mut disks = self.lock();
        if let Some(copied) = disks.get(from).cloned() {
            disks.insert(to.to_owned(), copied);
        }
    }

    /// The size of the filesystem on a disk, when it has one.
    #[must_use]
    pub fn filesystem_size(&self, serial: &str) -> Option<u64> {
        self.lock().get(serial)?.filesystem.as_ref().map(|filesystem| filesystem.size)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Disk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which disks are attached to a host at the moment: where a fake host meets a cloud.
#[async_trait]
pub trait Attachments: fmt::Debug + Send + Sync {
    /// The serial numbers of the disks, with their sizes in bytes.
    async fn attached(&self) -> Result<BTreeMap<String, u64>>;
}

/// The disks that a cloud says a node has, by the provider that the controller works with.
#[derive(Clone)]
pub struct CloudAttachments {
    volumes: Arc<dyn Volumes>,
    node: String,
}

impl CloudAttachments {
    /// Those of the node of this id.
    pub fn new(volumes: Arc<dyn Volumes>, node: impl Into<String>) -> Self {
        Self { volumes, node: node.into() }
    }
}

impl fmt::Debug for CloudAttachments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudAttachments").field("node", &self.node).finish_non_exhaustive()
    }
}

#[async_trait]
impl Attachments for CloudAttachments {
    async fn attached(&self) -> Result<BTreeMap<String, u64>> {
        let listed = self.volumes.list(&PageRequest::all()).await;
        let listed = listed.map_err(|error| HostError::io("ask the cloud for disks", io::Error::other(error)))?;
        Ok(listed
            .items
            .into_iter()
            .filter_map(|volume| {
                let attachment = volume.on(&self.node)?;
                Some((attachment.device.clone().unwrap_or_else(|| volume.id.clone()), volume.size))
            })
            .collect())
    }
}

/// When a call of a host fails that is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it has done anything.
    Before,
    /// After it has done everything.
    After,
}

/// A machine in memory.
#[derive(Clone, Debug)]
pub struct FakeHost {
    disks: FakeDisks,
    attachments: Option<Arc<dyn Attachments>>,
    /// Whether paths are made on this machine, too.
    tangible: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    attached: BTreeMap<String, Attached>,
    /// How many devices there have been: numbers are not used again.
    devices: u32,
    /// Lower ones first.
    mounts: Vec<FakeMount>,
    paths: BTreeMap<PathBuf, PathKind>,
    calls: u64,
    fault: Option<(u64, Moment)>,
    log: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Attached {
    number: DeviceNumber,
    size: u64,
    read_only: bool,
}

#[derive(Clone, Debug)]
struct FakeMount {
    target: PathBuf,
    source: Source,
    serial: String,
    read_only: bool,
    options: MountOptions,
    health: Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PathKind {
    Directory,
    File,
}

impl FakeHost {
    /// A machine without disks. [`attach`](Self::attach) gives it some.
    #[must_use]
    pub fn new(disks: FakeDisks) -> Self {
        Self { disks, attachments: None, tangible: false, state: Arc::default() }
    }

    /// Has exactly those disks at each moment that someone else says it has.
    #[must_use]
    pub fn with_attachments(mut self, attachments: Arc<dyn Attachments>) -> Self {
        self.attachments = Some(attachments);
        self
    }

    /// Makes its directories and files on this machine as well, where others look for them, and removes those again. What
    /// is mounted is still made up.
    #[must_use]
    pub fn with_tangible_paths(mut self) -> Self {
        self.tangible = true;
        self
    }

    /// Attaches a disk. One that is attached gets this size.
    pub fn attach(&self, serial: &str, size: u64) {
        attach(&mut self.lock(), serial, size);
    }

    /// Takes a disk away, whether or not it is in use.
    pub fn detach(&self, serial: &str) {
        detach(&mut self.lock(), serial);
    }

    /// Makes one call fail: the `nth` from now, counted from 0.
    pub fn fail(&self, nth: u64, moment: Moment) {
        let mut state = self.lock();
        state.fault = Some((state.calls + nth, moment));
    }

    /// Whether a failure that was asked for is still to come. It never comes then.
    #[must_use]
    pub fn forget_failure(&self) -> bool {
        self.lock().fault.take().is_some()
    }

    /// What calls have changed something, in their order, and is forgotten then.
    #[must_use]
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().log)
    }

    /// The options that the filesystem at a path was mounted with.
    #[must_use]
    pub fn options_at(&self, path: &Path) -> Option<MountOptions> {
        self.lock().mounts.iter().rfind(|mount| mount.target == path).map(|mount| mount.options.clone())
    }

    /// Says of the topmost mount at a path how it is.
    pub fn set_health(&self, path: &Path, health: Health) {
        if let Some(mount) = self.lock().mounts.iter_mut().rfind(|mount| mount.target == path) {
            mount.health = health;
        }
    }

    /// Mounts something that has nothing to do with volumes.
    pub fn mount_other(&self, path: &Path, kind: &str) {
        self.lock().mounts.push(FakeMount {
            target: path.to_owned(),
            source: Source::Other(kind.to_owned()),
            serial: String::new(),
            read_only: false,
            options: MountOptions::default(),
            health: Health::Sound,
        });
    }

    /// Whether there is a file or directory at a path.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.lock().paths.contains_key(path)
    }

    /// Does what a workload does: writes a file of a volume, or the raw device that is at the path.
    ///
    /// # Errors
    /// When no volume is there, or it can't be written.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let state = self.lock();
        let mount = used(&state, path)?;
        let locked = state.attached.get(&mount.serial).is_some_and(|attached| attached.read_only);
        if mount.read_only || locked {
            return Err(HostError::io(format!("write {}", path.display()), io::ErrorKind::ReadOnlyFilesystem));
        }
        let mut disks = self.disks.lock();
        let disk = disks.entry(mount.serial.clone()).or_default();
        match (&mount.source, disk.filesystem.as_mut()) {
            (Source::Filesystem { .. }, Some(filesystem)) => {
                filesystem.files.insert(within(mount, path), bytes.to_vec());
            }
            _ => disk.raw = bytes.to_vec(),
        }
        Ok(())
    }

    /// Does what a workload does: reads a file of a volume, or the raw device that is at the path.
    ///
    /// # Errors
    /// When no volume is there, or no such file.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let state = self.lock();
        let mount = used(&state, path)?;
        let disks = self.disks.lock();
        let disk = disks.get(&mount.serial);
        let content = match (&mount.source, disk) {
            (Source::Filesystem { .. }, Some(disk)) => {
                disk.filesystem.as_ref().and_then(|filesystem| filesystem.files.get(&within(mount, path)))
            }
            (_, disk) => disk.map(|disk| &disk.raw),
        };
        content.cloned().ok_or_else(|| HostError::io(format!("read {}", path.display()), io::ErrorKind::NotFound))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the disks in line with what the cloud says is attached.
    async fn refresh(&self) -> Result<()> {
        let Some(attachments) = &self.attachments else { return Ok(()) };
        let attached = attachments.attached().await?;
        let mut state = self.lock();
        let gone: Vec<String> =
            state.attached.keys().filter(|serial| !attached.contains_key(*serial)).cloned().collect();
        for serial in gone {
            detach(&mut state, &serial);
        }
        for (serial, size) in attached {
            attach(&mut state, &serial, size);
        }
        Ok(())
    }

    /// Looks at something, unless it is this call's turn to fail.
    fn look<T>(&self, name: &str, look: impl FnOnce(&State) -> Result<T>) -> Result<T> {
        let mut state = self.lock();
        let fault = next(&mut state);
        match fault {
            Some(_) => Err(made_to_fail(name)),
            None => look(&state),
        }
    }

    /// Does something to a path of this machine, where paths are tangible.
    fn touch(&self, path: &Path, action: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
        let done = if self.tangible { action(path) } else { Ok(()) };
        done.map_err(|error| HostError::io(format!("make or remove {}", path.display()), error))
    }

    /// Changes something, unless it is this call's turn to fail, and notes it.
    fn change(
        &self,
        what: String,
        change: impl FnOnce(&mut State, &mut BTreeMap<String, Disk>) -> Result<()>,
    ) -> Result<()> {
        let mut state = self.lock();
        let fault = next(&mut state);
        if fault == Some(Moment::Before) {
            return Err(made_to_fail(&what));
        }
        change(&mut state, &mut self.disks.lock())?;
        let result = if fault.is_some() { Err(made_to_fail(&what)) } else { Ok(()) };
        state.log.push(what);
        result
    }
}

fn next(state: &mut State) -> Option<Moment> {
    let call = state.calls;
    state.calls += 1;
    state.fault.take_if(|(at, _)| *at == call).map(|(_, moment)| moment)
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

/// What someone else has removed is removed.
fn or_gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn made_to_fail(what: &str) -> HostError {
    HostError::io(what, io::Error::other("it was made to fail"))
}

fn attach(state: &mut State, serial: &str, size: u64) {
    if let Some(attached) = state.attached.get_mut(serial) {
        attached.size = size;
        return;
    }
    state.devices += 1;
    let number = DeviceNumber { major: 252, minor: 16 * state.devices };
    state.attached.insert(serial.to_owned(), Attached { number, size, read_only: false });
}

fn detach(state: &mut State, serial: &str) {
    let Some(attached) = state.attached.remove(serial) else { return };
    for mount in state.mounts.iter_mut().filter(|mount| mount.source.device() == Some(attached.number)) {
        mount.health = Health::Broken(format!("the device {} is gone", attached.number));
    }
}

/// The mount that a path of a workload is on.
fn used<'a>(state: &'a State, path: &Path) -> Result<&'a FakeMount> {
    let mount = state.mounts.iter().filter(|mount| path.starts_with(&mount.target));
    match mount.max_by_key(|mount| mount.target.components().count()) {
        Some(mount) if !matches!(mount.health, Health::Broken(_)) && !mount.serial.is_empty() => Ok(mount),
        Some(_) => Err(HostError::io(format!("use {}", path.display()), io::Error::other("input/output error"))),
        None => Err(HostError::io(format!("use {}", path.display()), io::ErrorKind::NotFound)),
    }
}

fn within(mount: &FakeMount, path: &Path) -> PathBuf {
    path.strip_prefix(&mount.target).map(Path::to_owned).unwrap_or_default()
}

fn device_of<'a>(state: &'a mut State, device: &Device) -> Result<&'a mut Attached> {
    let here = state.attached.get_mut(&device.serial).filter(|attached| attached.number == device.number);
    here.ok_or_else(|| HostError::io(format!("use {}", device.path.display()), io::ErrorKind::NotFound))
}

fn seen(mount: &FakeMount) -> Mount {
    Mount {
        target: mount.target.clone(),
        source: mount.source.clone(),
        read_only: mount.read_only,
        health: mount.health.clone(),
    }
}

fn content_of(disk: Option<&Disk>) -> Content {
    match disk {
        Some(Disk { other: Some(what), .. }) => Content::Other(what.clone()),
        Some(Disk { filesystem: Some(filesystem), .. }) => Content::Filesystem(filesystem.kind),
        Some(Disk { raw, .. }) if !raw.is_empty() => Content::Other("data without a known signature".to_owned()),
        _ => Content::Blank,
    }
}

fn device_file(number: DeviceNumber) -> PathBuf {
    PathBuf::from(format!("/dev/fake{}", number.minor))
}

fn make(state: &mut State, path: &Path, kind: PathKind) -> Result<()> {
    match state.paths.insert(path.to_owned(), kind) {
        Some(there) if there != kind => {
            state.paths.insert(path.to_owned(), there);
            Err(HostError::Refused(format!("{} is there already, and something else", path.display())))
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl Host for FakeHost {
    async fn find(&self, serial: &str) -> Result<Option<Device>> {
        self.refresh().await?;
        self.look("find a device", |state| {
            Ok(state.attached.get(serial).map(|attached| Device {
                serial: serial.to_owned(),
                number: attached.number,
                path: device_file(attached.number),
            }))
        })
    }

    async fn rescan(&self) -> Result<()> {
        self.refresh().await?;
        self.change("rescan".to_owned(), |_, _| Ok(()))
    }

    async fn size(&self, device: &Device) -> Result<u64> {
        self.refresh().await?;
        let attached = self.look("measure a device", |state| {
            Ok(state.attached.get(&device.serial).filter(|attached| attached.number == device.number).copied())
        })?;
        attached
            .map(|attached| attached.size)
            .ok_or_else(|| HostError::io(format!("measure {}", device.path.display()), io::ErrorKind::NotFound))
    }

    async fn is_read_only(&self, device: &Device) -> Result<bool> {
        self.look("look at a device", |state| {
            Ok(state.attached.get(&device.serial).is_some_and(|attached| attached.read_only))
        })
    }

    async fn set_read_only(&self, device: &Device, read_only: bool) -> Result<()> {
        let how = if read_only { "lock" } else { "unlock" };
        self.change(format!("{how} {}", device.serial), |state, _| {
            device_of(state, device)?.read_only = read_only;
            Ok(())
        })
    }

    async fn content(&self, device: &Device) -> Result<Content> {
        let content = content_of(self.disks.lock().get(&device.serial));
        self.look("look at a device", |_| Ok(content))
    }

    async fn format(&self, device: &Device, filesystem: Filesystem, _options: &[String]) -> Result<()> {
        self.change(format!("format {} as {filesystem}", device.serial), |state, disks| {
            let size = device_of(state, device)?.size;
            let disk = disks.entry(device.serial.clone()).or_default();
            if content_of(Some(disk)) != Content::Blank {
                return Err(HostError::Refused(format!("{} is not blank", device.serial)));
            }
            disk.filesystem = Some(FakeFilesystem { kind: filesystem, size, dirty: false, files: BTreeMap::new() });
            Ok(())
        })
    }

    async fn needs_recovery(&self, device: &Device, filesystem: Filesystem) -> Result<bool> {
        let disks = self.disks.lock().clone();
        let on = disks.get(&device.serial).and_then(|disk| disk.filesystem.as_ref());
        let dirty = on.is_some_and(|on| on.dirty && filesystem == Filesystem::Ext4);
        self.look("look at a filesystem", |_| Ok(dirty))
    }

    async fn check(&self, device: &Device, _filesystem: Filesystem) -> Result<()> {
        self.look(&format!("check {}", device.serial), |state| {
            match state.mounts.iter().find(|mount| mount.source.device() == Some(device.number)) {
                Some(mount) => Err(HostError::Refused(format!("it is mounted at {}", mount.target.display()))),
                None => Ok(()),
            }
        })
    }

    async fn grow(&self, device: &Device, _filesystem: Filesystem, mounted_at: &Path) -> Result<()> {
        let mut state = self.lock();
        let fault = next(&mut state);
        let size = device_of(&mut state, device)?.size;
        let writable = state.mounts.iter().any(|mount| {
            mount.target == mounted_at && mount.source.device() == Some(device.number) && !mount.read_only
        });
        let mut disks = self.disks.lock();
        let filesystem = disks.get_mut(&device.serial).and_then(|disk| disk.filesystem.as_mut());
        let (true, Some(filesystem), None) = (writable, filesystem, fault) else {
            return Err(made_to_fail(&format!("grow {}", device.serial)));
        };
        if filesystem.size < size {
            filesystem.size = size;
            state.log.push(format!("grow {}", device.serial));
        }
        Ok(())
    }

    async fn mounts(&self) -> Result<Vec<Mount>> {
        self.look("list mounts", |state| Ok(state.mounts.iter().map(seen).collect()))
    }

    async fn mount_at(&self, path: &Path) -> Result<Option<Mount>> {
        self.refresh().await?;
        self.look("look at a mount", |state| Ok(state.mounts.iter().rfind(|mount| mount.target == path).map(seen)))
    }

    async fn mount(
        &self,
        device: &Device,
        filesystem: Filesystem,
        target: &Path,
        options: &MountOptions,
    ) -> Result<()> {
        self.change(format!("mount {} at {}", device.serial, target.display()), |state, disks| {
            let locked = device_of(state, device)?.read_only;
            let is = disks.get_mut(&device.serial).and_then(|disk| disk.filesystem.as_mut());
            let is = is.filter(|is| is.kind == filesystem);
            if is.is_none() || state.paths.get(target) != Some(&PathKind::Directory) {
                return Err(HostError::io(format!("mount {}", device.serial), io::ErrorKind::InvalidInput));
            }
            if locked && !options.read_only {
                return Err(HostError::io(format!("mount {}", device.serial), io::ErrorKind::ReadOnlyFilesystem));
            }
            let replayed = !options.options.iter().any(|option| option == "noload" || option == "norecovery");
            if let Some(is) = is.filter(|_| replayed) {
                is.dirty = false;
            }
            state.mounts.push(FakeMount {
                target: target.to_owned(),
                source: Source::Filesystem { device: device.number, kind: filesystem.name().to_owned() },
                serial: device.serial.clone(),
                read_only: options.read_only,
                options: options.clone(),
                health: Health::Sound,
            });
            Ok(())
        })
    }

    async fn bind(&self, source: &Path, target: &Path, read_only: bool) -> Result<()> {
        let how = if read_only { " read-only" } else { "" };
        self.change(format!("bind {} to {}{how}", source.display(), target.display()), |state, _| {
            let device = state
                .attached
                .iter()
                .find(|(_, attached)| device_file(attached.number) == source)
                .map(|(serial, attached)| (serial.clone(), Source::Device(attached.number)));
            let (kind, mount) = match device {
                Some((serial, shown)) => (
                    PathKind::File,
                    FakeMount {
                        target: target.to_owned(),
                        source: shown,
                        serial,
                        read_only,
                        options: MountOptions::default(),
                        health: Health::Sound,
                    },
                ),
                None => {
                    let mount = state.mounts.iter().rfind(|mount| mount.target == source).cloned();
                    let mount = mount.ok_or_else(|| HostError::io("bind", io::ErrorKind::NotFound))?;
                    let read_only = read_only || mount.read_only;
                    (PathKind::Directory, FakeMount { target: target.to_owned(), read_only, ..mount })
                }
            };
            if state.paths.get(target) != Some(&kind) {
                return Err(HostError::io(format!("bind to {}", target.display()), io::ErrorKind::NotFound));
            }
            state.mounts.push(mount);
            Ok(())
        })
    }

    async fn unmount(&self, target: &Path) -> Result<()> {
        self.change(format!("unmount {}", target.display()), |state, _| {
            if let Some(at) = state.mounts.iter().rposition(|mount| mount.target == target) {
                state.mounts.remove(at);
            }
            Ok(())
        })
    }

    async fn usage(&self, path: &Path) -> Result<Usage> {
        self.look("measure a filesystem", |state| {
            let mount = used(state, path)?;
            let disks = self.disks.lock();
            let filesystem = disks.get(&mount.serial).and_then(|disk| disk.filesystem.as_ref());
            let filesystem = filesystem.ok_or_else(|| HostError::io("measure", io::ErrorKind::InvalidInput))?;
            let used: u64 = filesystem.files.values().map(|file| file.len() as u64).sum();
            let amount = |total: u64, used: u64| Amount { total, used, available: total.saturating_sub(used) };
            Ok(Usage {
                bytes: amount(filesystem.size, used),
                inodes: amount(filesystem.size / BYTES_PER_INODE, filesystem.files.len() as u64),
            })
        })
    }

    async fn create_directory(&self, path: &Path) -> Result<()> {
        self.change(format!("make {}", path.display()), |state, _| {
            make(state, path, PathKind::Directory)?;
            self.touch(path, make_directory)
        })
    }

    async fn create_file(&self, path: &Path) -> Result<()> {
        self.change(format!("make {}", path.display()), |state, _| {
            make(state, path, PathKind::File)?;
            self.touch(path, |path| {
                path.parent().map_or(Ok(()), make_directory)?;
                fs::OpenOptions::new().append(true).create(true).open(path).map(drop)
            })
        })
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        self.change(format!("remove {}", path.display()), |state, _| {
            if state.mounts.iter().any(|mount| mount.target == path) {
                return Err(HostError::Refused(format!("{} is mounted", path.display())));
            }
            match state.paths.remove(path) {
                Some(PathKind::Directory) => self.touch(path, |path| or_gone(fs::remove_dir(path))),
                Some(PathKind::File) => self.touch(path, |path| or_gone(fs::remove_file(path))),
                None => Ok(()),
            }
        })
    }
}
