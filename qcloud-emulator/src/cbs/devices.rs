//! The data path: how the disks of an instance look from inside.

use super::disks::Attachment;
use super::mounts;
use crate::emulator::Emulator;

/// A disk as the instance that it is on sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockDevice {
    /// The disk.
    pub disk_id: String,
    /// The device: `/dev/vda` is the system disk, data disks follow in the order of their attachment. A place that was
    /// left is the next to be taken.
    pub path: String,
    /// The serial number that the device reports: the disk's id, so that `/dev/disk/by-id/virtio-<serial>` leads to it
    /// whatever its path is.
    pub serial: String,
    /// Size in bytes.
    pub size: u64,
}

impl Emulator {
    /// The block devices of an instance, by path. Disks that are still being attached are not there yet; those that are
    /// being detached are there until the end. Empty for an instance that does not exist.
    pub fn block_devices(&self, instance_id: &str) -> Vec<BlockDevice> {
        let world = self.present();
        let regions = world.state.regions.values();
        let on_instance = regions.flat_map(|region| mounts::disks_on(region, instance_id)).flat_map(|disk| {
            let places = disk.attachments.iter().filter(|place| place.ready && place.instance == instance_id);
            places.map(move |place| (place, disk))
        });
        let mut devices: Vec<(&Attachment, BlockDevice)> = on_instance
            .map(|(place, disk)| {
                let path = format!("/dev/vd{}", letters(place.slot));
                let size = disk.size.saturating_mul(1 << 30);
                (place, BlockDevice { disk_id: disk.id.clone(), path, serial: disk.id.clone(), size })
            })
            .collect();
        devices.sort_by_key(|(place, _)| place.slot);
        devices.into_iter().map(|(_, device)| device).collect()
    }

    /// The device that a disk is on an instance; `None` when it is not attached there.
    pub fn block_device(&self, instance_id: &str, disk_id: &str) -> Option<BlockDevice> {
        self.block_devices(instance_id).into_iter().find(|device| device.disk_id == disk_id)
    }
}

/// `a` to `z`, then `aa` and so on, as Linux counts disks.
fn letters(place: usize) -> String {
    let letter = |place: usize| u8::try_from(place % 26).map_or('a', |place| char::from(b'a' + place));
    match (place / 26).checked_sub(1) {
        None => letter(place).to_string(),
        Some(before) => format!("{}{}", letters(before), letter(place)),
    }
}

#[cfg(test)]
mod tests {
    use super::letters;

    #[test]
    fn disks_are_counted_as_linux_does() {
        let counted: Vec<String> = [0, 1, 25, 26, 27, 701, 702].into_iter().map(letters).collect();
        assert_eq!(counted, ["a", "b", "z", "aa", "ab", "zz", "aaa"]);
    }
}
