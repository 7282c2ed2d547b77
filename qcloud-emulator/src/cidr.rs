//! IPv4 networks.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An IPv4 network, such as `10.0.0.0/16`; its host bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Cidr {
    network: u32,
    length: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotACidr {
    #[error("`{0}` is not an IPv4 network such as 10.0.0.0/16")]
    Malformed(String),
    #[error("`{0}` has host bits set; the network is `{1}`")]
    HostBits(String, Cidr),
}

impl Cidr {
    /// The network of this length that holds the address.
    pub(crate) fn around(address: Ipv4Addr, length: u8) -> Self {
        let length = length.min(32);
        Self { network: u32::from(address) & mask(length), length }
    }

    pub(crate) fn length(self) -> u8 {
        self.length
    }

    pub(crate) fn size(self) -> u64 {
        1 << (32 - u64::from(self.length))
    }

    pub(crate) fn first(self) -> u32 {
        self.network
    }

    pub(crate) fn last(self) -> u32 {
        self.network | !mask(self.length)
    }

    /// Whether every address of `other` is in this network.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.length <= other.length && self.contains_address(Ipv4Addr::from(other.network))
    }

    pub(crate) fn contains_address(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.length) == self.network
    }

    /// Whether the two share an address: one of them contains the other then.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let malformed = || NotACidr::Malformed(text.to_owned());
        let (address, length) = text.split_once('/').ok_or_else(malformed)?;
        let address: Ipv4Addr = address.parse().map_err(|_| malformed())?;
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let length = length.parse::<u8>().ok().filter(|length| digits && *length <= 32).ok_or_else(malformed)?;
        let cidr = Self::around(address, length);
        if cidr.network != u32::from(address) {
            return Err(NotACidr::HostBits(text.to_owned(), cidr));
        }
        Ok(cidr)
    }
}

impl TryFrom<String> for Cidr {
    type Error = NotACidr;

    fn try_from(text: String) -> Result<Self, NotACidr> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(cidr: Cidr) -> Self {
        cidr.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.network), self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_read_strictly() {
        assert_eq!(cidr("10.8.0.0/22").to_string(), "10.8.0.0/22");
        assert_eq!(
            "10.8.1.0/22".parse::<Cidr>(),
            Err(NotACidr::HostBits("10.8.1.0/22".to_owned(), cidr("10.8.0.0/22")))
        );
        for text in ["", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0/8", "fd00::/8"] {
            assert!(matches!(text.parse::<Cidr>(), Err(NotACidr::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn containing_and_overlapping() {
        assert!(cidr("0.0.0.0/0").contains(cidr("10.0.0.0/8")));
        assert!(cidr("10.0.0.0/16").overlaps(cidr("10.0.3.0/24")));
        assert!(!cidr("10.0.0.0/16").overlaps(cidr("10.1.0.0/16")));
        assert_eq!(cidr("10.0.0.0/28").size(), 16);
        assert_eq!(Ipv4Addr::from(cidr("10.0.0.0/28").last()), Ipv4Addr::new(10, 0, 0, 15));
        assert_eq!(cidr("0.0.0.0/0").size(), 1 << 32);
    }
}
