//! Regions.

use std::borrow::Cow;
use std::fmt;

/// A region, such as `ap-guangzhou`.
///
/// Any name is accepted, since regions are added faster than crates are published; [`is_known`](Self::is_known) tells
/// whether this version has heard of it, and a configuration with an unknown one logs a warning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(Cow<'static, str>);

macro_rules! regions {
    ($($constant:ident = $name:literal, $place:literal;)*) => {
        impl Region {
            $(#[doc = concat!($place, ", `", $name, "`.")] pub const $constant: Self = Self(Cow::Borrowed($name));)*

            /// Every region that this version knows.
            pub const KNOWN: &'static [Self] = &[$(Self::$constant),*];
        }
    };
}

regions! {
    GUANGZHOU = "ap-guangzhou", "Guangzhou";
    SHENZHEN_FSI = "ap-shenzhen-fsi", "Shenzhen Finance";
    SHANGHAI = "ap-shanghai", "Shanghai";
    SHANGHAI_FSI = "ap-shanghai-fsi", "Shanghai Finance";
    NANJING = "ap-nanjing", "Nanjing";
    BEIJING = "ap-beijing", "Beijing";
    BEIJING_FSI = "ap-beijing-fsi", "Beijing Finance";
    TIANJIN = "ap-tianjin", "Tianjin";
    CHENGDU = "ap-chengdu", "Chengdu";
    CHONGQING = "ap-chongqing", "Chongqing";
    QINGYUAN = "ap-qingyuan", "Qingyuan";
    HONGKONG = "ap-hongkong", "Hong Kong";
    TAIPEI = "ap-taipei", "Taipei";
    SINGAPORE = "ap-singapore", "Singapore";
    BANGKOK = "ap-bangkok", "Bangkok";
    JAKARTA = "ap-jakarta", "Jakarta";
    MUMBAI = "ap-mumbai", "Mumbai";
    SEOUL = "ap-seoul", "Seoul";
    TOKYO = "ap-tokyo", "Tokyo";
    SILICON_VALLEY = "na-siliconvalley", "Silicon Valley";
    ASHBURN = "na-ashburn", "Virginia";
    TORONTO = "na-toronto", "Toronto";
    SAO_PAULO = "sa-saopaulo", "São Paulo";
    FRANKFURT = "eu-frankfurt", "Frankfurt";
}

impl Region {
    /// A region by its name.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The name, as sent in `X-TC-Region`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this version of the crate has heard of the region.
    #[must_use]
    pub fn is_known(&self) -> bool {
        Self::KNOWN.contains(self)
    }

    /// Whether the name can stand in a header and a host name at all.
    pub(crate) fn is_well_formed(&self) -> bool {
        !self.0.is_empty()
            && self.0.len() <= 63
            && self.0.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl From<&str> for Region {
    fn from(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }
}

impl From<String> for Region {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}
