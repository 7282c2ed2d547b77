//! Making disks: once, however often it is asked for.

use std::time::Duration;

use qcloud_cbs::model::{
    BindAutoSnapshotPolicy, CreateDisks, DescribeAutoSnapshotPolicies, DescribeDisks, Disk, DiskEncryption, DiskType,
    Filter, Placement, SnapshotState,
};

use super::names::{CLUSTER_TAG, VOLUME_TAG, value};
use super::parameters::{Parameters, size_rules};
use super::{CbsVolumes, check_name, invalid, lock, pending};
use crate::kubernetes::volumes::{
    CreateStep, CsiCode, GIB, SizeRange, Volume, VolumeRequest, ZoneRequirement, plan_create,
};
use crate::kubernetes::{ErrorKind, Exhausted, ProviderError, Result};

/// How long a new disk may stay unseen before it counts as deleted.
const UNSEEN: Duration = Duration::from_secs(60);
/// How many orders for the same name are told apart: an order is remembered for a day.
const EPOCHS: u32 = 32;

impl CbsVolumes {
    pub(super) async fn create_volume(&self, request: &VolumeRequest) -> Result<Volume> {
        check_name(&request.name)?;
        let mut parameters = Parameters::read(&request.parameters)?;
        let mut request = request.clone();
        let zones = request.zones.permitted.iter_mut().chain(&mut request.zones.preferred).chain(&mut parameters.zones);
        for zone in zones {
            self.name_zone(zone).await?;
        }
        let request = &request;
        if parameters.encrypt && request.shareable {
            return Err(invalid("a disk can't be both encrypted and shared"));
        }
        let _claim = self.claim("the volume named", &request.name)?;
        let mut lost = None;
        for _ in 0..2 {
            let found = self.disks_named(&request.name, parameters.snapshot_policy.is_some()).await?;
            if let Some(volume) = self.adopt(request, &parameters, &found).await? {
                return Ok(volume);
            }
            match self.order(request, &parameters).await {
                Ok(id) => return self.made(&id, &parameters).await.map_err(|error| unfinished(&id, error)),
                // The order may have been taken: look for its disk before ordering again.
                Err(error) if error.kind() == ErrorKind::Ambiguous => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(lost.unwrap_or_else(|| pending(format!("the volume `{}` is being made", request.name))))
    }

    /// Puts the name of a zone in place of its number, which some node labels and storage classes have.
    pub(super) async fn name_zone(&self, zone: &mut String) -> Result<()> {
        if zone.bytes().all(|byte| byte.is_ascii_digit()) {
            let name = self.zone_names.name(zone).await?;
            *zone = name.ok_or_else(|| invalid(format!("the region has no zone `{zone}`")))?;
        }
        Ok(())
    }

    /// The disks that this cluster has made for a name.
    async fn disks_named(&self, name: &str, with_policies: bool) -> Result<Vec<Disk>> {
        let filters = [
            Filter::new(format!("tag:{CLUSTER_TAG}"), [&self.names.cluster.uid]),
            Filter::new(format!("tag:{VOLUME_TAG}"), [name]),
        ];
        let mut call = DescribeDisks::new().filters(filters);
        if with_policies {
            call = call.return_bind_auto_snapshot_policy(true);
        }
        let mut disks = self.all_disks(call).await?;
        let gone = lock(&self.seen.gone);
        disks.retain(|disk| {
            let was_made_for = self.names.are_ours(&disk.tags) && value(&disk.tags, VOLUME_TAG) == Some(name);
            was_made_for && !gone.contains_key(&disk.disk_id)
        });
        Ok(disks)
    }

    /// The volume, if it exists and is as requested. What its making left undone is done now.
    async fn adopt(&self, request: &VolumeRequest, parameters: &Parameters, disks: &[Disk]) -> Result<Option<Volume>> {
        let volumes: Vec<Volume> = disks.iter().map(|disk| self.volume(disk)).collect();
        let kinds: Vec<String> = parameters.kinds.iter().map(ToString::to_string).collect();
        let CreateStep::Adopt { id, doubles } = plan_create(request, &kinds, &volumes)? else { return Ok(None) };
        let disk = |id: &str| disks.iter().find(|disk| disk.disk_id == id);
        let (Some(chosen), Some(volume)) = (disk(&id), volumes.into_iter().find(|volume| volume.id == id)) else {
            return Ok(None);
        };
        if parameters.encrypt != chosen.encrypt && request.source.is_none() {
            let how = if chosen.encrypt { "encrypted" } else { "not encrypted" };
            let message = format!("the volume `{}` exists as {id}, {how}", request.name);
            return Err(ProviderError::new(ErrorKind::AlreadyExists, message));
        }
        for double in doubles {
            let never_used =
                disk(&double).is_some_and(|disk| disk.last_attach_ins_id.as_deref().unwrap_or("").is_empty());
            if never_used {
                self.terminating.ask((), double).await.map_err(|error| unfinished(&id, error))?;
            }
        }
        lock(&self.seen.unseen).remove(&id);
        if let Some(policy) = &parameters.snapshot_policy
            && !chosen.auto_snapshot_policy_ids.contains(policy)
        {
            self.bind(policy, &id).await.map_err(|error| unfinished(&id, error))?;
        }
        Ok(Some(volume))
    }

    async fn bind(&self, policy: &str, disk: &str) -> Result<()> {
        self.cbs.bind_auto_snapshot_policy(BindAutoSnapshotPolicy::new(policy).disk_ids([disk])).await?;
        Ok(())
    }

    /// Refuses a snapshot policy that does not exist, for as long as there is no disk that could be left behind.
    async fn check_policy(&self, policy: &str) -> Result<()> {
        let refused = || invalid(format!("the region has no automatic snapshot policy `{policy}` (parameter aspid)"));
        let call = DescribeAutoSnapshotPolicies::new().auto_snapshot_policy_ids([policy]);
        let found = self.cbs.describe_auto_snapshot_policies(call).await.map_err(ProviderError::from);
        match found {
            Ok(answer) if answer.auto_snapshot_policy_set.is_empty() => Err(refused()),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(refused()),
            Err(error) => Err(error),
        }
    }

    /// Orders the disk where it can be had. Gives its id.
    async fn order(&self, request: &VolumeRequest, parameters: &Parameters) -> Result<String> {
        if let Some(policy) = &parameters.snapshot_policy {
            self.check_policy(policy).await?;
        }
        let mut size = request.size;
        if let Some(source) = &request.source {
            let snapshot = self.cbs_snapshot(source).await?;
            if snapshot.snapshot_state != SnapshotState::Normal {
                return Err(pending(format!("the snapshot {source} is {}", snapshot.snapshot_state)));
            }
            size.required = size.required.max(snapshot.disk_size.saturating_mul(GIB));
        }
        let zones = self.zones_for(&request.zones, parameters)?;
        let mut refusal = None;
        for zone in &zones {
            for kind in &parameters.kinds {
                let order = match self.disk_order(request, parameters, (zone, kind), size) {
                    Ok(order) => order,
                    Err(error) => {
                        refusal = Some(error);
                        continue;
                    }
                };
                match self.send(&request.name, (zone, kind), order).await {
                    Err(error) if error.kind() == ErrorKind::Exhausted(Exhausted::Stock) => refusal = Some(error),
                    other => return other,
                }
            }
        }
        Err(refusal.unwrap_or_else(|| invalid("no zone is known for the volume")))
    }

    fn zones_for(&self, required: &ZoneRequirement, parameters: &Parameters) -> Result<Vec<String>> {
        if parameters.zones.is_empty() {
            return Ok(required.candidates(&self.zones));
        }
        let both = parameters.zones.iter().filter(|zone| required.permits(zone));
        let both = ZoneRequirement::new(both, &required.preferred);
        if both.permitted.is_empty() {
            let (wanted, permitted) = (parameters.zones.join(", "), required.permitted.join(", "));
            let message = format!("the parameters want the zone {wanted}, the volume has to be in {permitted}");
            return Err(ProviderError::new(ErrorKind::Exhausted(Exhausted::Stock), message));
        }
        Ok(both.candidates(&[]))
    }

    fn disk_order(
        &self,
        request: &VolumeRequest,
        parameters: &Parameters,
        (zone, kind): (&str, &DiskType),
        size: SizeRange,
    ) -> Result<CreateDisks> {
        let mut tags = self.names.disk_tags(&request.name, request.source.as_deref());
        let more = parameters.tags.iter().filter(|tag| value(&tags, &tag.key).is_none()).cloned();
        let more: Vec<_> = more.collect();
        tags.extend(more);
        Ok(CreateDisks {
            placement: Placement {
                cdc_id: parameters.pool.clone(),
                project_id: parameters.project,
                ..Placement::new(zone)
            },
            disk_charge_type: parameters.charge.clone(),
            disk_charge_prepaid: parameters.prepaid.clone(),
            disk_type: kind.clone(),
            disk_name: Some(self.names.object(&request.name)),
            disk_size: Some(size_rules(kind).choose(size)? / GIB),
            snapshot_id: request.source.clone(),
            shareable: request.shareable.then_some(true),
            encrypt: parameters.encrypt.then_some(DiskEncryption::Encrypt),
            throughput_performance: parameters
                .throughput
                .filter(|_| matches!(kind, DiskType::CloudHssd | DiskType::CloudTssd)),
            tags: Some(tags),
            ..CreateDisks::default()
        })
    }

    /// Sends an order, under a token that only an order for the same has. A new token is taken only when the disk of the
    /// earlier one is proven absent.
    async fn send(&self, name: &str, (zone, kind): (&str, &DiskType), mut order: CreateDisks) -> Result<String> {
        for epoch in 0..EPOCHS {
            order.client_token = Some(self.names.token(name, zone, &kind.to_string(), epoch));
            match self.cbs.create_disks(order.clone()).await {
                Ok(answer) => {
                    let Some(id) = answer.disk_id_set.into_iter().next() else {
                        return Err(ProviderError::new(ErrorKind::Ambiguous, "CreateDisks gave no disk"));
                    };
                    if !self.is_done_with(&id) {
                        return Ok(id);
                    }
                }
                Err(error) => {
                    let error = ProviderError::from(error);
                    let spent = error.code().is_some_and(|code| {
                        code.ends_with("InvalidClientToken") || code.ends_with("TokenLimitExceeded")
                    });
                    if !spent || error.kind() == ErrorKind::Ambiguous {
                        return Err(error);
                    }
                }
            }
            self.prove_absence(name).await?;
        }
        Err(pending(format!("too many orders for the volume `{name}` were taken back within a day")))
    }

    /// Whether the disk of an earlier order is gone: this process deleted it, or it has not been seen for long.
    fn is_done_with(&self, id: &str) -> bool {
        lock(&self.seen.gone).contains_key(id)
            || lock(&self.seen.unseen).get(id).is_some_and(|since| self.clock.elapsed().saturating_sub(*since) > UNSEEN)
    }

    /// Checks that no disk of the name is there, not even one whose tags can't be seen yet.
    async fn prove_absence(&self, name: &str) -> Result<()> {
        let filter = Filter::new("disk-name", [self.names.object(name)]);
        let disks = self.all_disks(DescribeDisks::new().filters([filter])).await?;
        let unclear = disks.iter().find(|disk| match value(&disk.tags, CLUSTER_TAG) {
            Some(uid) => *uid == self.names.cluster.uid,
            None => self.may_lack_tags(self.volume(disk).created),
        });
        match unclear {
            None => Ok(()),
            Some(disk) => Err(pending(format!(
                "the disk {} may be the volume `{name}`; its tags are not there yet",
                disk.disk_id
            ))),
        }
    }

    /// The volume of a new disk, once it and its tags can be seen.
    async fn made(&self, id: &str, parameters: &Parameters) -> Result<Volume> {
        let Some(disk) = self.disks.ask((), id.to_owned()).await? else {
            self.since(&self.seen.unseen, id);
            return Err(pending(format!("the new disk {id} can't be seen yet")));
        };
        lock(&self.seen.unseen).remove(id);
        if !self.names.are_ours(&disk.tags) {
            return Err(pending(format!("the tags of the new disk {id} can't be seen yet")));
        }
        if let Some(policy) = &parameters.snapshot_policy {
            self.bind(policy, id).await?;
        }
        Ok(self.volume(&disk))
    }
}

/// The error of what is left to do for a disk that exists. It is one after which the sidecars come back: after any other,
/// they take it that there is no disk, and nobody would delete it.
fn unfinished(disk: &str, error: ProviderError) -> ProviderError {
    if matches!(CsiCode::of(&error), CsiCode::Aborted | CsiCode::Unavailable) {
        return error;
    }
    let message = format!("the disk {disk} is there, and its making can't be finished: {error}");
    ProviderError::new(ErrorKind::Unavailable, message)
}
