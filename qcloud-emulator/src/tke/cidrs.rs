//! The networks of pods and services: which can be, and what stands in their way.

use super::faults::{
    BAD_PARAMETER, CIDR_MASK, CONFLICTS_MASK, CONFLICTS_NOT_PRIVATE, CONFLICTS_PARAM, Fault, MORE_MASK, MORE_PARAM,
    NOT_PRIVATE,
};
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::world::Local;

/// Where the networks of pods may lie.
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];
/// How long their masks may be.
const MASKS: std::ops::RangeInclusive<u8> = 10..=24;

/// The codes for networks that cannot be.
#[derive(Clone, Copy, Debug)]
pub(super) struct CidrFaults {
    pub(super) malformed: Fault,
    pub(super) mask: Fault,
    pub(super) not_private: Fault,
}

/// What the actions on clusters say.
pub(super) const FOR_CLUSTERS: CidrFaults =
    CidrFaults { malformed: BAD_PARAMETER, mask: CIDR_MASK, not_private: NOT_PRIVATE };
/// What the actions on route tables say.
pub(super) const FOR_TABLES: CidrFaults =
    CidrFaults { malformed: BAD_PARAMETER, mask: BAD_PARAMETER, not_private: BAD_PARAMETER };
/// What `AddClusterCIDR` says, of which the documentation has one family only.
pub(super) const FOR_MORE_CIDRS: CidrFaults =
    CidrFaults { malformed: MORE_PARAM, mask: MORE_MASK, not_private: MORE_PARAM };
/// What `DescribeRouteTableConflicts` says.
pub(super) const FOR_CONFLICTS: CidrFaults =
    CidrFaults { malformed: CONFLICTS_PARAM, mask: CONFLICTS_MASK, not_private: CONFLICTS_NOT_PRIVATE };

/// Reads a network.
pub(super) fn read(here: &Local<'_>, parameter: &str, text: &str, malformed: Fault) -> Result<Cidr, ApiError> {
    text.parse().map_err(|error| malformed.error(here.settings, format!("`{parameter}`: {error}.")))
}

/// Reads a network that pods get addresses from: a private one, from /10 to /24.
pub(super) fn read_pods(here: &Local<'_>, parameter: &str, text: &str, faults: CidrFaults) -> Result<Cidr, ApiError> {
    let cidr = read(here, parameter, text, faults.malformed)?;
    if !MASKS.contains(&cidr.length()) {
        let message = format!("`{parameter}`: the mask of {cidr} must be from /{} to /{}.", MASKS.start(), MASKS.end());
        return faults.mask.refuse(here, message);
    }
    if !PRIVATE.iter().any(|network| network.parse::<Cidr>().is_ok_and(|network| network.contains(cidr))) {
        let message = format!("`{parameter}`: {cidr} lies in none of {}.", PRIVATE.join(", "));
        return faults.not_private.refuse(here, message);
    }
    Ok(cidr)
}
