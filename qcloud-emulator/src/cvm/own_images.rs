//! Images of one's own, made from instances.

use serde::Deserialize;
use serde_json::{Value, json};

use super::images::{self, Image};
use super::instances::{State, named};
use super::lifecycle::check_state;
use super::{TagSpecification, tag_specifications};
use crate::call::Call;
use crate::cbs;
use crate::error::ApiError;
use crate::listing;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

fn check_name(here: &Local<'_>, name: &str) -> Result<(), ApiError> {
    if !(1..=60).contains(&name.chars().count()) {
        return Err(ApiError::invalid_value("`ImageName` has 1 to 60 characters."));
    }
    if let Some(other) = here.region.cvm.images.values().find(|image| image.name == name) {
        let message = format!("`ImageName`: the image `{}` has the name `{name}` already.", other.id);
        return Err(ApiError::new("InvalidImageName.Duplicate", message));
    }
    Ok(())
}

fn check_description(text: &str) -> Result<(), ApiError> {
    if text.chars().count() > 256 {
        return Err(ApiError::invalid_value("`ImageDescription` has at most 256 characters."));
    }
    Ok(())
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        image_name: String,
        instance_id: Option<String>,
        image_description: Option<String>,
        snapshot_ids: Option<Vec<String>>,
        dry_run: Option<bool>,
        tag_specification: Option<Vec<TagSpecification>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let snapshots = input.snapshot_ids.unwrap_or_default();
    let instance_id = match (input.instance_id.filter(|id| !id.is_empty()), snapshots.is_empty()) {
        (Some(id), true) => id,
        (None, false) => {
            let message = "The emulator makes images from instances, not from snapshots.";
            return Err(ApiError::new("UnsupportedOperation", message));
        }
        _ => {
            let message = "Give either `InstanceId` or `SnapshotIds`.";
            return Err(ApiError::new("InvalidParameter.ImageIdsSnapshotIdsMustOne", message));
        }
    };
    check_name(&here, &input.image_name)?;
    let description = input.image_description.unwrap_or_default();
    check_description(&description)?;
    let tags = tag_specifications(input.tag_specification.as_deref(), "image")?;
    let instances = named(here.region, &[instance_id])?;
    for instance in &instances {
        check_state(instance, &[State::Running, State::Stopped], here.settings)?;
    }
    let limit = here.settings.limit(Quota::ImagesPerRegion);
    if here.region.cvm.images.len() >= limit {
        let message = format!("The region {} has its {limit} images already: delete one.", here.name);
        return Err(ApiError::new("ImageQuotaLimitExceeded", message));
    }
    let id = here.ids.new_id("img");
    let image = instances.first().map(|instance| Image {
        id: id.clone(),
        name: input.image_name,
        description,
        os: instance.os_name.clone(),
        platform: images::platform_of(&instance.os_name),
        size: cbs::system_disk_on(here.region, &instance.id)
            .and_then(|disk| i64::try_from(disk.size).ok())
            .unwrap_or(20),
        created: here.now.iso(),
        ready: Some(here.now.after(here.settings.duration(Task::ImageCreate))),
        tags,
    });
    if input.dry_run == Some(true) {
        return Ok(json!({ "ImageId": "" }));
    }
    if let Some(image) = image {
        here.region.cvm.images.insert(id.clone(), image);
    }
    Ok(json!({ "ImageId": id }))
}

/// The image of one's own of this id.
fn own<'a>(here: &'a Local<'_>, id: &str) -> Result<&'a Image, ApiError> {
    listing::check_id(("ImageId", id), "img", "InvalidImageId.Malformed")?;
    if images::is_public(id) {
        let message = format!("The image `{id}` is a public one: it belongs to the cloud.");
        return Err(ApiError::new("UnauthorizedOperation.ImageNotBelongToAccount", message));
    }
    let missing = || {
        let message = format!("The image `{id}` does not exist in this region.");
        ApiError::new("InvalidImageId.NotFound", message)
    };
    here.region.cvm.images.get(id).ok_or_else(missing)
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        image_id: String,
        image_name: Option<String>,
        image_description: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let image = own(&here, &input.image_id)?;
    if let Some(name) = input.image_name.as_deref().filter(|name| *name != image.name) {
        check_name(&here, name)?;
    }
    input.image_description.as_deref().map_or(Ok(()), check_description)?;
    if let Some(image) = here.region.cvm.images.get_mut(&input.image_id) {
        image.name = input.image_name.unwrap_or_else(|| image.name.clone());
        image.description = input.image_description.unwrap_or_else(|| image.description.clone());
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        image_ids: Vec<String>,
        dry_run: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.image_ids.is_empty() {
        return Err(ApiError::missing("ImageIds"));
    }
    for id in &input.image_ids {
        if !own(&here, id)?.is_ready(here.now) {
            let message = format!("The image `{id}` is CREATING: wait until it is NORMAL.");
            return Err(ApiError::new("InvalidImageId.IncorrectState", message));
        }
    }
    if input.dry_run != Some(true) {
        for id in &input.image_ids {
            here.region.cvm.images.remove(id);
        }
    }
    Ok(json!({}))
}

pub(super) fn describe_quota(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    Ok(json!({ "ImageNumQuota": here.settings.limit(Quota::ImagesPerRegion) }))
}
