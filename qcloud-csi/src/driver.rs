//! What the driver is called, and the keys by which its two halves and the cluster understand each other.

use std::sync::Arc;

/// The name of Tencent's own driver, whose storage classes and volumes this one takes over.
pub const DEFAULT_NAME: &str = "com.tencent.cloud.csi.cbs";

/// In the publish context: the serial number by which the node finds the device.
pub const DEVICE_SERIAL: &str = "deviceSerial";

/// In the volume context, from the storage class: options for the program that makes the file system.
pub const MKFS_OPTIONS: &str = "mkfsoptions";

/// In the volume context, from the storage class: the file system, where the capability names none.
pub const FS_TYPE: &str = "fstype";

/// The name of the driver in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Driver {
    name: Arc<str>,
}

/// A name that the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` can't be the name of a driver: it has to begin and end with a letter or digit, with those, `-` and \
     `.` between, 63 characters at most"
)]
pub struct BadName(String);

impl Driver {
    /// A driver of this name.
    ///
    /// # Errors
    /// When the protocol does not allow the name.
    pub fn new(name: &str) -> Result<Self, BadName> {
        let plain = |character: &char| character.is_ascii_alphanumeric();
        let ends = [name.chars().next(), name.chars().next_back()];
        let inside = name.chars().all(|character| plain(&character) || "-.".contains(character));
        if ends.iter().all(|end| end.as_ref().is_some_and(plain)) && inside && name.len() <= 63 {
            Ok(Self { name: name.into() })
        } else {
            Err(BadName(name.to_owned()))
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of this program.
    #[must_use]
    pub fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The key of topologies whose value is a zone, as in Tencent's driver.
    #[must_use]
    pub fn zone_key(&self) -> String {
        format!("topology.{}/zone", self.name)
    }
}

impl Default for Driver {
    fn default() -> Self {
        Self { name: DEFAULT_NAME.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_that_of_tencents_driver() {
        let driver = Driver::default();
        assert_eq!(Driver::new(DEFAULT_NAME), Ok(driver.clone()));
        assert_eq!(driver.zone_key(), "topology.com.tencent.cloud.csi.cbs/zone");
    }

    #[test]
    fn names_that_the_protocol_forbids_are_refused() {
        let long = "a".repeat(64);
        for name in ["", ".a", "a.", "a b", "a/b", &*long] {
            assert!(Driver::new(name).unwrap_err().to_string().contains(name), "{name}");
        }
        assert!(Driver::new(&"a".repeat(63)).is_ok());
    }
}
