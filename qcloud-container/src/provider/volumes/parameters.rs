//! The parameters of storage classes, as Tencent's own CSI driver names and means them.

use std::collections::BTreeMap;

use qcloud_cbs::model::{DiskChargePrepaid, DiskChargeType, DiskType, RenewFlag, Tag};

use crate::kubernetes::volumes::{GIB, SizeRules};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Parameters that are read. Names count without regard to case, as in Tencent's driver.
///
/// | parameter | also | meaning |
/// |---|---|---|
/// | `diskType` | `type` | `CLOUD_PREMIUM` (the default), `CLOUD_SSD`, `CLOUD_HSSD`, …; `cbs`: `CLOUD_BASIC` where it is sold, else `CLOUD_PREMIUM` |
/// | `diskZone` | `zone` | the zone, in place of a choice |
/// | `diskZones` | | the zones to choose from, unless `diskZone` says which |
/// | `diskChargeType` | `paymode` | `POSTPAID_BY_HOUR` (the default; also `POSTPAID`), `PREPAID`, `CDCPAID` |
/// | `diskChargeTypePrepaidPeriod` | | months: 1 to 12, 24, 36 |
/// | `diskChargePrepaidRenewFlag` | `renewflag` | what happens at the end |
/// | `encrypt` | | `ENCRYPT` |
/// | `disktags` | | more tags: `a:b,c:d` |
/// | `throughputperformance` | | extra throughput in MiB/s, for `CLOUD_HSSD` and `CLOUD_TSSD` |
/// | `cdcid` | | a dedicated storage pool, paid for as `CDCPAID` unless as `PREPAID` |
/// | `aspid` | | an automatic snapshot policy to bind |
/// | `project` | | a project id |
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameters {
    /// The types to try, the best first.
    pub(super) kinds: Vec<DiskType>,
    /// Those to choose from; any when there are none.
    pub(super) zones: Vec<String>,
    pub(super) charge: DiskChargeType,
    pub(super) prepaid: Option<DiskChargePrepaid>,
    pub(super) encrypt: bool,
    pub(super) tags: Vec<Tag>,
    pub(super) throughput: Option<u64>,
    pub(super) pool: Option<String>,
    pub(super) snapshot_policy: Option<String>,
    pub(super) project: Option<u64>,
}

/// What can be changed on a disk.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Changes {
    pub(super) kind: Option<DiskType>,
    pub(super) throughput: Option<u64>,
}

fn invalid(name: &str, value: &str, expected: &str) -> ProviderError {
    let message = format!("the parameter {name} is `{value}`; {expected}");
    ProviderError::new(ErrorKind::InvalidArgument, message)
}

fn number(name: &str, value: &str) -> Result<u64> {
    value.parse().map_err(|_| invalid(name, value, "it has to be a number"))
}

impl Parameters {
    pub(super) fn read(parameters: &BTreeMap<String, String>) -> Result<Self> {
        let mut read = Self {
            kinds: vec![DiskType::CloudPremium],
            zones: Vec::new(),
            charge: DiskChargeType::PostpaidByHour,
            prepaid: None,
            encrypt: false,
            tags: Vec::new(),
            throughput: None,
            pool: None,
            snapshot_policy: None,
            project: None,
        };
        let mut prepaid = DiskChargePrepaid::new(1).renew_flag(RenewFlag::NotifyAndManualRenew);
        let mut zone = None;
        for (name, value) in parameters {
            let text = Some(value.clone()).filter(|value| !value.is_empty());
            match name.to_ascii_lowercase().as_str() {
                "disktype" | "type" => read.kinds = kinds(name, value)?,
                "diskzone" | "zone" => zone = text,
                "diskzones" => read.zones = list(value).map(str::to_owned).collect(),
                "diskchargetype" | "paymode" => read.charge = charge(name, value)?,
                "diskchargetypeprepaidperiod" => prepaid.period = period(name, value)?,
                "diskchargeprepaidrenewflag" | "renewflag" => prepaid.renew_flag = Some(renew_flag(name, value)?),
                "encrypt" if value == "ENCRYPT" => read.encrypt = true,
                "encrypt" if value.is_empty() => {}
                "encrypt" => return Err(invalid(name, value, "it can only be `ENCRYPT`")),
                "disktags" => read.tags = tags(name, value)?,
                "throughputperformance" => read.throughput = Some(number(name, value)?).filter(|more| *more > 0),
                "cdcid" => read.pool = text,
                "aspid" => read.snapshot_policy = text,
                "project" => read.project = Some(number(name, value)?),
                "devices" if value == "1" => {}
                "devicemapper" | "devices" => {
                    let message = format!("the parameter {name}: volumes of several disks are not supported");
                    return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
                }
                other if is_for_others(other) => {}
                _ => return Err(invalid(name, value, "no such parameter is known")),
            }
        }
        if let Some(zone) = zone {
            read.zones = vec![zone];
        }
        if read.pool.is_some() && read.charge != DiskChargeType::Prepaid {
            read.charge = DiskChargeType::CdcPaid;
        }
        read.prepaid = (read.charge == DiskChargeType::Prepaid).then_some(prepaid);
        Ok(read)
    }
}

impl Changes {
    pub(super) fn read(parameters: &BTreeMap<String, String>) -> Result<Self> {
        let mut changes = Self::default();
        for (name, value) in parameters {
            match name.to_ascii_lowercase().as_str() {
                "disktype" | "type" => match kinds(name, value)?.as_slice() {
                    [kind] => changes.kind = Some(kind.clone()),
                    _ => return Err(invalid(name, value, "a change needs a type")),
                },
                "throughputperformance" => changes.throughput = Some(number(name, value)?),
                _ => return Err(invalid(name, value, "only diskType and throughputperformance can be changed")),
            }
        }
        Ok(changes)
    }
}

/// Parameters that the sidecars and the node side read.
fn is_for_others(name: &str) -> bool {
    name.starts_with("csi.storage.k8s.io/") || matches!(name, "fstype" | "mkfsoptions")
}

fn kinds(name: &str, value: &str) -> Result<Vec<DiskType>> {
    if value == "cbs" {
        return Ok(vec![DiskType::CloudBasic, DiskType::CloudPremium]);
    }
    let full = if value.starts_with("CLOUD_") { value.to_owned() } else { format!("CLOUD_{value}") };
    match DiskType::from(full.as_str()) {
        DiskType::Unknown(_) => Err(invalid(name, value, "it has to be a disk type such as CLOUD_PREMIUM, or `cbs`")),
        kind => Ok(vec![kind]),
    }
}

fn charge(name: &str, value: &str) -> Result<DiskChargeType> {
    match DiskChargeType::from(if value == "POSTPAID" { "POSTPAID_BY_HOUR" } else { value }) {
        DiskChargeType::Unknown(_) => Err(invalid(name, value, "it has to be PREPAID, POSTPAID_BY_HOUR or CDCPAID")),
        charge => Ok(charge),
    }
}

fn period(name: &str, value: &str) -> Result<u64> {
    match number(name, value)? {
        months @ (1..=12 | 24 | 36) => Ok(months),
        _ => Err(invalid(name, value, "a disk is paid for 1 to 12, 24 or 36 months")),
    }
}

fn renew_flag(name: &str, value: &str) -> Result<RenewFlag> {
    match RenewFlag::from(value) {
        RenewFlag::Unknown(_) => Err(invalid(
            name,
            value,
            "it has to be NOTIFY_AND_AUTO_RENEW, NOTIFY_AND_MANUAL_RENEW or DISABLE_NOTIFY_AND_MANUAL_RENEW",
        )),
        flag => Ok(flag),
    }
}

/// The parts of a list.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn tags(name: &str, value: &str) -> Result<Vec<Tag>> {
    list(value)
        .map(|part| match part.split_once(':') {
            Some((key, value)) if !key.is_empty() && !value.contains(':') => Ok(Tag::new(key, value)),
            _ => Err(invalid(name, part, "tags are written `key:value,key:value`")),
        })
        .collect()
}

/// The sizes of a disk type, as documented.
pub(super) fn size_rules(kind: &DiskType) -> SizeRules {
    let (least, most) = match kind {
        DiskType::CloudBasic => (10, 16_000),
        DiskType::CloudPremium => (10, 32_000),
        _ => (20, 32_000),
    };
    SizeRules::new(least * GIB, most * GIB, 10 * GIB)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Parameters> {
        Parameters::read(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn every_parameter_of_tencents_driver_is_read() {
        let all = read(&[
            ("diskType", "CLOUD_HSSD"),
            ("diskZone", "ap-guangzhou-3"),
            ("paymode", "PREPAID"),
            ("diskChargeTypePrepaidPeriod", "24"),
            ("renewflag", "NOTIFY_AND_AUTO_RENEW"),
            ("encrypt", "ENCRYPT"),
            ("disktags", "a:b,c:d"),
            ("throughputperformance", "100"),
            ("cdcid", "cdc-1"),
            ("aspid", "asp-1"),
            ("project", "7"),
            ("csi.storage.k8s.io/fstype", "ext4"),
        ])
        .unwrap();
        assert_eq!(all.kinds, [DiskType::CloudHssd]);
        assert_eq!(all.zones, ["ap-guangzhou-3"]);
        assert_eq!(all.prepaid, Some(DiskChargePrepaid::new(24).renew_flag(RenewFlag::NotifyAndAutoRenew)));
        assert!(all.encrypt);
        assert_eq!(all.tags, [Tag::new("a", "b"), Tag::new("c", "d")]);
        assert_eq!((all.throughput, all.project), (Some(100), Some(7)));
        assert_eq!((all.pool.as_deref(), all.snapshot_policy.as_deref()), (Some("cdc-1"), Some("asp-1")));
    }

    #[test]
    fn the_defaults_are_those_of_tencents_driver() {
        let none = read(&[]).unwrap();
        assert_eq!((none.kinds, none.charge), (vec![DiskType::CloudPremium], DiskChargeType::PostpaidByHour));
        assert_eq!(read(&[("type", "cbs")]).unwrap().kinds, [DiskType::CloudBasic, DiskType::CloudPremium]);
        assert_eq!(read(&[("diskType", "SSD")]).unwrap().kinds, [DiskType::CloudSsd]);
    }

    #[test]
    fn several_zones_are_a_choice_and_one_is_none() {
        let several = ("diskZones", "ap-guangzhou-3, ap-guangzhou-4,");
        assert_eq!(read(&[several]).unwrap().zones, ["ap-guangzhou-3", "ap-guangzhou-4"]);
        assert_eq!(read(&[several, ("zone", "ap-guangzhou-6")]).unwrap().zones, ["ap-guangzhou-6"]);
        assert!(read(&[("diskZones", "")]).unwrap().zones.is_empty());
    }

    #[test]
    fn disks_are_paid_for_as_in_tencents_driver() {
        let charge = |pairs: &[(&str, &str)]| read(pairs).unwrap().charge;
        assert_eq!(charge(&[("paymode", "POSTPAID")]), DiskChargeType::PostpaidByHour);
        assert_eq!(charge(&[("cdcid", "")]), DiskChargeType::PostpaidByHour);
        assert_eq!(charge(&[("cdcid", "cdc-1")]), DiskChargeType::CdcPaid);
        assert_eq!(charge(&[("cdcid", "cdc-1"), ("paymode", "POSTPAID_BY_HOUR")]), DiskChargeType::CdcPaid);
        assert_eq!(charge(&[("cdcid", "cdc-1"), ("diskChargeType", "PREPAID")]), DiskChargeType::Prepaid);
    }

    #[test]
    fn a_volume_of_one_disk_may_say_so() {
        assert!(read(&[("devices", "1")]).is_ok());
        assert!(read(&[("devices", "2")]).unwrap_err().message().contains("several disks"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (name, value) in [
            ("diskType", "FLOPPY"),
            ("paymode", "LATER"),
            ("diskChargeTypePrepaidPeriod", "13"),
            ("renewflag", "x"),
            ("encrypt", "yes"),
            ("disktags", "a"),
            ("throughputperformance", "much"),
            ("devicemapper", "LVM"),
            ("typo", "1"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.message().contains(name), "{error}");
        }
    }
}
