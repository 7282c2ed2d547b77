//! How disks are charged: changes of the charge type, renewals, and the end of what was paid.

use serde::Deserialize;
use serde_json::{Value, json};

use super::disks::{self, Prepaid, State};
use super::tasks::{self, Event};
use super::{one_of, terminate, work_ids};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::world::{Local, World};

/// For how long a disk is paid, as requests say it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenPrepaid {
    pub(super) period: u64,
    pub(super) renew_flag: Option<String>,
    pub(super) cur_instance_deadline: Option<String>,
}

const MANUAL: &str = "NOTIFY_AND_MANUAL_RENEW";
const AUTOMATIC: &str = "NOTIFY_AND_AUTO_RENEW";

/// Checks a period in months.
pub(super) fn check_period(parameter: &str, period: u64) -> Result<u32, ApiError> {
    match period {
        1..=12 | 24 | 36 => Ok(u32::try_from(period).unwrap_or(1)),
        _ => Err(ApiError::invalid_value(format!("`{parameter}`: {period} is none of 1 to 12, 24, 36."))),
    }
}

pub(super) fn check_flag(flag: Option<&str>) -> Result<(), ApiError> {
    one_of("RenewFlag", flag, &[AUTOMATIC, MANUAL, "DISABLE_NOTIFY_AND_MANUAL_RENEW"])
}

pub(super) fn charge_type(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_ids: Vec<String>,
        disk_charge_prepaid: Option<GivenPrepaid>,
        disk_charge_postpaid: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let ids = work_ids(("DiskIds", input.disk_ids), "disk", 100)?;
    let to_prepaid = match (&input.disk_charge_prepaid, input.disk_charge_postpaid) {
        (Some(prepaid), None | Some(false)) => {
            check_flag(prepaid.renew_flag.as_deref())?;
            let months = check_period("DiskChargePrepaid.Period", prepaid.period)?;
            let renew_flag = prepaid.renew_flag.clone().unwrap_or_else(|| MANUAL.to_owned());
            Some(Prepaid { deadline: here.now.months_later(months), renew_flag, renew_months: 1 })
        }
        (None, Some(true)) => None,
        (Some(_), Some(true)) => {
            let message = "Give `DiskChargePrepaid` or `DiskChargePostpaid`, not both.";
            return Err(ApiError::new("InvalidParameter", message));
        }
        (None, _) => return Err(ApiError::missing("DiskChargePrepaid")),
    };
    for disk in disks::named(&here, &ids)? {
        disk.check_portable("ResourceUnavailable.NotPortable")?;
        disk.check_idle("InvalidDisk.Busy", "ResourceUnavailable.NotSupported")?;
        if disk.prepaid.is_some() == to_prepaid.is_some() {
            let message = format!("The disk `{}` is {} already.", disk.id, disk.charge_type());
            return Err(ApiError::new("ResourceUnavailable.NotSupported", message));
        }
    }
    for id in ids {
        if let Some(disk) = here.region.cbs.disks.get_mut(&id) {
            disk.prepaid.clone_from(&to_prepaid);
            disk.delete_with_instance &= to_prepaid.is_none();
        }
        if let Some(prepaid) = &to_prepaid {
            tasks::plan(&mut here, prepaid.deadline, Event::Expires { disk: id });
        }
    }
    Ok(json!({}))
}

pub(super) fn renew_flag(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_ids: Vec<String>,
        renew_flag: String,
        auto_renew_period: Option<u64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let ids = work_ids(("DiskIds", input.disk_ids), "disk", 100)?;
    check_flag(Some(&input.renew_flag))?;
    let months = input.auto_renew_period.map(|period| check_period("AutoRenewPeriod", period)).transpose()?;
    for disk in disks::named(&here, &ids)? {
        if disk.prepaid.is_none() {
            return Err(ApiError::invalid_value(format!("The disk `{}` is postpaid: it is never renewed.", disk.id)));
        }
    }
    for id in ids {
        if let Some(prepaid) = here.region.cbs.disks.get_mut(&id).and_then(|disk| disk.prepaid.as_mut()) {
            prepaid.renew_flag.clone_from(&input.renew_flag);
            prepaid.renew_months = months.unwrap_or(prepaid.renew_months);
        }
    }
    Ok(json!({}))
}

pub(super) fn renew(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        disk_charge_prepaid: GivenPrepaid,
        disk_id: String,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let given = input.disk_charge_prepaid;
    let months = check_period("DiskChargePrepaid.Period", given.period)?;
    check_flag(given.renew_flag.as_deref())?;
    let instance_deadline = given.cur_instance_deadline.as_deref().filter(|text| !text.is_empty());
    let instance_deadline = instance_deadline.map(read_deadline).transpose()?;
    let disk = disks::find(here.region, &input.disk_id, here.now)?;
    disk.check_portable("ResourceUnavailable.NotPortable")?;
    if disk.state.is_passing() {
        disk.check_idle("InvalidDisk.Busy", "InvalidDisk.Busy")?;
    }
    let Some(prepaid) = &disk.prepaid else {
        let message = format!("The disk `{}` is postpaid: there is nothing to renew.", disk.id);
        return Err(ApiError::new("ResourceUnavailable.NotSupported", message));
    };
    let deadline = instance_deadline.unwrap_or(prepaid.deadline).months_later(months);
    if deadline <= prepaid.deadline {
        let message = format!("The disk `{}` is paid until {} already.", disk.id, prepaid.deadline.beijing());
        return Err(ApiError::invalid_value(message));
    }
    if let Some(disk) = here.region.cbs.disks.get_mut(&input.disk_id) {
        if let Some(prepaid) = &mut disk.prepaid {
            prepaid.deadline = deadline;
            prepaid.renew_flag = given.renew_flag.unwrap_or_else(|| prepaid.renew_flag.clone());
        }
        if disk.state == State::ToRecycle {
            disk.work = None;
            disk.state = State::Unattached;
        }
    }
    tasks::plan(&mut here, deadline, Event::Expires { disk: input.disk_id });
    Ok(json!({}))
}

fn read_deadline(text: &str) -> Result<Time, ApiError> {
    Time::from_beijing(text).ok_or_else(|| {
        let message = format!("`CurInstanceDeadline` is a time such as `2026-01-31 16:15:00`, not `{text}`.");
        ApiError::invalid_value(message)
    })
}

/// What was paid for a disk is used up, unless more was paid meanwhile: it is renewed, or goes to the recycle bin.
pub(super) fn expires(here: &mut Local<'_>, id: &str) {
    let now = here.now;
    let Some(disk) = here.region.cbs.disks.get_mut(id) else { return };
    let state = disk.state;
    let Some(prepaid) = disk.prepaid.as_mut().filter(|prepaid| prepaid.deadline <= now) else { return };
    if state == State::ToRecycle {
        return;
    }
    let later = prepaid.deadline.months_later(prepaid.renew_months);
    if prepaid.renew_flag == AUTOMATIC && later > now {
        prepaid.deadline = later;
        tasks::plan(here, later, Event::Expires { disk: id.to_owned() });
    } else {
        terminate::recycle(here, id);
    }
}
