//! The `spec.providerID` of nodes: every form in the wild is read, one is written.

use std::fmt;
use std::str::FromStr;

/// The zone that a provider id names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProviderZone {
    /// By number, such as `100003`: what TKE writes.
    Id(String),
    /// By name, such as `ap-guangzhou-3`.
    Name(String),
}

/// What kind of machine a provider id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MachineKind {
    /// A virtual machine of its own: `ins-…`.
    Instance,
    /// A native node of the managed service: `kn-…`, or `eks-…` as its storage driver calls it.
    NativeNode,
}

/// The id of a machine, as the `spec.providerID` of its node carries it.
///
/// | form | written by |
/// |---|---|
/// | `qcloud:///100003/ins-1a2b3c4d` | TKE, and this crate |
/// | `tencentcloud:///ap-guangzhou-3/ins-1a2b3c4d` | the former cloud controller manager |
/// | `tencentcloud://kn-1a2b3c4d` | TKE for native nodes |
///
/// Either scheme is read with either form of zone, or without a zone. Two ids name the same machine when their
/// [`machine`](Self::machine) is equal, whatever the form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId {
    zone: Option<ProviderZone>,
    machine: String,
    kind: MachineKind,
}

/// Why a text is no provider id of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseProviderIdError {
    /// It is of another provider, whose scheme this is.
    Foreign(String),
    /// It makes no sense.
    Malformed(String),
}

impl fmt::Display for ParseProviderIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(scheme) => write!(f, "the provider id is of the provider `{scheme}`"),
            Self::Malformed(text) => {
                write!(f, "`{text}` is no provider id; they look like `qcloud:///100003/ins-1a2b3c4d`")
            }
        }
    }
}

impl std::error::Error for ParseProviderIdError {}

impl ProviderId {
    /// The id of an instance in a zone given by its number, in the form that is written.
    ///
    /// # Errors
    /// When the instance id or the zone's number can't be one.
    pub fn new(zone_id: impl Into<String>, instance: impl Into<String>) -> Result<Self, ParseProviderIdError> {
        format!("qcloud:///{}/{}", zone_id.into(), instance.into()).parse()
    }

    /// The id of the machine, such as `ins-1a2b3c4d`.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// What kind of machine it is.
    #[must_use]
    pub fn kind(&self) -> MachineKind {
        self.kind
    }

    /// The zone, if the id names one.
    #[must_use]
    pub fn zone(&self) -> Option<&ProviderZone> {
        self.zone.as_ref()
    }
}

/// Whether this is the id of a machine: a prefix and eight lower-case letters or digits. An id that is not fails a whole
/// batch in the API.
fn machine_kind(id: &str) -> Option<MachineKind> {
    let (prefix, rest) = id.split_once('-')?;
    let shaped = rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    match prefix {
        "ins" if shaped => Some(MachineKind::Instance),
        "kn" | "eks" if shaped => Some(MachineKind::NativeNode),
        _ => None,
    }
}

fn zone(text: &str) -> Option<ProviderZone> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(ProviderZone::Id(text.to_owned()));
    }
    let shaped = text.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase() || byte == b'-');
    (shaped && text.contains('-')).then(|| ProviderZone::Name(text.to_owned()))
}

impl FromStr for ProviderId {
    type Err = ParseProviderIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseProviderIdError::Malformed(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        if !matches!(scheme, "qcloud" | "tencentcloud") {
            let named = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            return Err(if named { ParseProviderIdError::Foreign(scheme.to_owned()) } else { malformed() });
        }
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let (zone, machine) = match rest.split_once('/') {
            Some((place, machine)) => (Some(zone(place).ok_or_else(malformed)?), machine),
            None => (None, rest),
        };
        let kind = machine_kind(machine).ok_or_else(malformed)?;
        Ok(Self { zone, machine: machine.to_owned(), kind })
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.zone, self.kind) {
            (None, MachineKind::NativeNode) => write!(f, "tencentcloud://{}", self.machine),
            (None, MachineKind::Instance) => write!(f, "qcloud:///{}", self.machine),
            (Some(ProviderZone::Id(zone) | ProviderZone::Name(zone)), _) => {
                write!(f, "qcloud:///{zone}/{}", self.machine)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_in_the_wild_is_read() {
        let read = |text: &str| text.parse::<ProviderId>().unwrap();
        let tke = read("qcloud:///100003/ins-1a2b3c4d");
        assert_eq!(tke.zone(), Some(&ProviderZone::Id("100003".to_owned())));
        assert_eq!((tke.machine(), tke.kind()), ("ins-1a2b3c4d", MachineKind::Instance));
        let former = read("tencentcloud:///ap-guangzhou-3/ins-1a2b3c4d");
        assert_eq!(former.zone(), Some(&ProviderZone::Name("ap-guangzhou-3".to_owned())));
        assert_eq!(former.machine(), tke.machine());
        let native = read("tencentcloud://kn-1a2b3c4d");
        assert_eq!((native.zone(), native.kind()), (None, MachineKind::NativeNode));
        assert_eq!(native.to_string(), "tencentcloud://kn-1a2b3c4d");
        assert_eq!(read("qcloud:///ins-1a2b3c4d").machine(), "ins-1a2b3c4d");
    }

    #[test]
    fn one_form_is_written() {
        let id = ProviderId::new("100003", "ins-1a2b3c4d").unwrap();
        assert_eq!(id.to_string(), "qcloud:///100003/ins-1a2b3c4d");
    }

    #[test]
    fn other_providers_and_nonsense_are_told_apart() {
        let refuse = |text: &str| text.parse::<ProviderId>().unwrap_err();
        assert_eq!(refuse("aws:///eu-1a/i-0123"), ParseProviderIdError::Foreign("aws".to_owned()));
        for text in [
            "",
            "ins-1a2b3c4d",
            "qcloud://",
            "qcloud:///100003/",
            "qcloud:///100003/i-1a2b3c4d",
            "qcloud:///100003/ins-1A2B3C4D",
            "qcloud:///100003/ins-1a2b3c4",
            "qcloud:///a b/ins-1a2b3c4d",
            "qcloud:///1/2/ins-1a2b3c4d",
            "://x",
        ] {
            assert_eq!(refuse(text), ParseProviderIdError::Malformed(text.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(zone in "[1-9][0-9]{5}", id in "ins-[0-9a-z]{8}") {
            let written = ProviderId::new(zone, id).unwrap();
            prop_assert_eq!(written.to_string().parse::<ProviderId>().unwrap(), written);
        }

        #[test]
        fn any_text_is_read_without_harm(text in ".{0,40}") {
            let _ = text.parse::<ProviderId>();
        }
    }
}
