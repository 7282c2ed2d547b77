//! Images: a few public ones, the same in every region, and those of one's own.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LISTS, catalog};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::tags::Tag;
use crate::world::{Local, World};

/// An image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) os: String,
    pub(super) platform: String,
    /// In GiB.
    pub(super) size: i64,
    pub(super) created: String,
    /// From when it can be used, for images of one's own.
    pub(super) ready: Option<Time>,
    pub(super) tags: Vec<Tag>,
}

/// A public image: its id, operating system, platform, size in GiB, and the time it was made.
type Public = (&'static str, &'static str, &'static str, i64, &'static str);

static PUBLIC: &[Public] = &[
    ("img-9qrfy1xt", "TencentOS Server 3.1 (TK4)", "TencentOS", 20, "2021-08-18T07:37:02Z"),
    ("img-487zeit5", "Ubuntu Server 22.04 LTS 64bit", "Ubuntu", 20, "2022-05-12T03:10:37Z"),
    ("img-mmytdhbn", "Ubuntu Server 24.04 LTS 64bit", "Ubuntu", 20, "2024-05-29T08:21:12Z"),
    ("img-4cmp1f33", "Debian 11.1 64bit", "Debian", 20, "2021-11-23T06:50:19Z"),
    ("img-l8og963d", "CentOS 7.9 64bit", "CentOS", 20, "2021-01-05T10:30:17Z"),
    ("img-9id7emv7", "Windows Server 2022 Datacenter 64bit", "Windows", 50, "2022-03-15T02:42:35Z"),
];

impl Image {
    fn public((id, os, platform, size, created): &Public) -> Self {
        Self {
            id: (*id).to_owned(),
            name: (*os).to_owned(),
            description: (*os).to_owned(),
            os: (*os).to_owned(),
            platform: (*platform).to_owned(),
            size: *size,
            created: (*created).to_owned(),
            ready: None,
            tags: Vec::new(),
        }
    }

    pub(super) fn is_windows(&self) -> bool {
        self.platform == "Windows"
    }

    pub(super) fn is_ready(&self, now: Time) -> bool {
        self.ready.is_none_or(|ready| ready <= now)
    }

    fn kind(&self) -> &'static str {
        if self.ready.is_none() { "PUBLIC_IMAGE" } else { "PRIVATE_IMAGE" }
    }

    fn show(&self, now: Time) -> Value {
        let public = self.ready.is_none();
        json!({
            "ImageId": self.id,
            "ImageName": self.name,
            "OsName": self.os,
            "ImageType": self.kind(),
            "CreatedTime": self.created,
            "ImageDescription": self.description,
            "ImageSize": self.size,
            "Architecture": "x86_64",
            "ImageState": if self.is_ready(now) { "NORMAL" } else { "CREATING" },
            "Platform": self.platform,
            "ImageCreator": if public { "" } else { "100000000001" },
            "ImageSource": if public { "OFFICIAL" } else { "CREATE_IMAGE" },
            "SyncPercent": null,
            "IsSupportCloudinit": true,
            "SnapshotSet": [],
            "Tags": self.tags,
            "LicenseType": "TencentCloud",
        })
    }
}

/// Whether the id is one of a public image.
pub(super) fn is_public(id: &str) -> bool {
    PUBLIC.iter().any(|public| public.0 == id)
}

/// The platform of an operating system.
pub(super) fn platform_of(os: &str) -> String {
    PUBLIC.iter().find(|public| public.1 == os).map(|public| public.2).unwrap_or("Other Linux").to_owned()
}

/// The image of this id, or the error that `RunInstances` gives.
pub(super) fn find(here: &Local<'_>, id: &str) -> Result<Image, ApiError> {
    listing::check_id(("ImageId", id), "img", "InvalidImageId.Malformed")?;
    if let Some(image) = here.region.cvm.images.get(id) {
        if !image.is_ready(here.now) {
            let message = format!("`ImageId`: the image `{id}` is CREATING: wait until it is NORMAL.");
            return Err(ApiError::new("InvalidParameterValue.InvalidImageState", message));
        }
        return Ok(image.clone());
    }
    PUBLIC.iter().find(|public| public.0 == id).map(Image::public).ok_or_else(|| {
        let known: Vec<&str> = PUBLIC.iter().map(|public| public.0).collect();
        let message = format!("`ImageId`: the image `{id}` does not exist. Public ones are {}.", known.join(", "));
        ApiError::new("InvalidImageId.NotFound", message)
    })
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        image_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
        instance_type: Option<String>,
    }
    const FILTERS: &[&str] = &["image-id", "image-type", "image-name", "platform", "tag-key", "tag-value", "tag:"];
    let input: Input = call.input()?;
    if input.image_ids.as_ref().is_some_and(|ids| !ids.is_empty())
        && input.filters.as_ref().is_some_and(|f| !f.is_empty())
    {
        let message = "`ImageIds` and `Filters` cannot be given together: give one of them.";
        return Err(ApiError::new("InvalidParameter.InvalidParameterCoexistImageIdsFilters", message));
    }
    let ids = input.image_ids.unwrap_or_default();
    listing::check_ids(("ImageIds", &ids), "img", "InvalidImageId.Malformed", &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    if let Some(name) = input.instance_type.filter(|name| catalog::find(name).is_none()) {
        let message = format!("`InstanceType`: there is no `{name}`.");
        return Err(ApiError::new("InvalidParameterValue.InstanceTypeNotFound", message));
    }
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let here = world.local(call);
    let public: Vec<Image> = PUBLIC.iter().map(Image::public).collect();
    let (total, images) = page.cut(public.iter().chain(here.region.cvm.images.values()).filter(|image| {
        (ids.is_empty() || ids.contains(&image.id))
            && filters.accept(&image.tags, |name, value| match name {
                "image-id" => image.id == value,
                "image-type" => image.kind() == value,
                "image-name" => image.name.contains(value),
                "platform" => image.platform.contains(value),
                _ => false,
            })
    }));
    let images: Vec<Value> = images.into_iter().map(|image| image.show(here.now)).collect();
    Ok(json!({ "TotalCount": total, "ImageSet": images }))
}
