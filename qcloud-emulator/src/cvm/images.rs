//! Images: a few public ones, the same in every region.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{LISTS, catalog};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::world::World;

/// An image.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) id: &'static str,
    pub(super) os: &'static str,
    platform: &'static str,
    size: u32,
    created: &'static str,
}

static IMAGES: &[Image] = &[
    Image {
        id: "img-9qrfy1xt",
        os: "TencentOS Server 3.1 (TK4)",
        platform: "TencentOS",
        size: 20,
        created: "2021-08-18T07:37:02Z",
    },
    Image {
        id: "img-487zeit5",
        os: "Ubuntu Server 22.04 LTS 64bit",
        platform: "Ubuntu",
        size: 20,
        created: "2022-05-12T03:10:37Z",
    },
    Image {
        id: "img-mmytdhbn",
        os: "Ubuntu Server 24.04 LTS 64bit",
        platform: "Ubuntu",
        size: 20,
        created: "2024-05-29T08:21:12Z",
    },
    Image {
        id: "img-4cmp1f33",
        os: "Debian 11.1 64bit",
        platform: "Debian",
        size: 20,
        created: "2021-11-23T06:50:19Z",
    },
    Image { id: "img-l8og963d", os: "CentOS 7.9 64bit", platform: "CentOS", size: 20, created: "2021-01-05T10:30:17Z" },
    Image {
        id: "img-9id7emv7",
        os: "Windows Server 2022 Datacenter 64bit",
        platform: "Windows",
        size: 50,
        created: "2022-03-15T02:42:35Z",
    },
];

impl Image {
    pub(super) fn is_windows(&self) -> bool {
        self.platform == "Windows"
    }

    fn show(&self) -> Value {
        json!({
            "ImageId": self.id,
            "ImageName": self.os,
            "OsName": self.os,
            "ImageType": "PUBLIC_IMAGE",
            "CreatedTime": self.created,
            "ImageDescription": self.os,
            "ImageSize": self.size,
            "Architecture": "x86_64",
            "ImageState": "NORMAL",
            "Platform": self.platform,
            "ImageCreator": "",
            "ImageSource": "OFFICIAL",
            "SyncPercent": null,
            "IsSupportCloudinit": true,
            "SnapshotSet": [],
            "Tags": [],
            "LicenseType": "TencentCloud",
        })
    }
}

/// The image of this id, or the error that `RunInstances` gives.
pub(super) fn find(id: &str) -> Result<&'static Image, ApiError> {
    listing::check_id(("ImageId", id), "img", "InvalidImageId.Malformed")?;
    IMAGES.iter().find(|image| image.id == id).ok_or_else(|| {
        let known: Vec<&str> = IMAGES.iter().map(|image| image.id).collect();
        let message = format!("`ImageId`: the image `{id}` does not exist. There are {}.", known.join(", "));
        ApiError::new("InvalidImageId.NotFound", message)
    })
}

pub(super) fn describe(_: &mut World, call: &Call) -> Result<Value, ApiError> {
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
    let filters = Filters::check(input.filters, FILTERS, &LISTS)?;
    if let Some(name) = input.instance_type.filter(|name| catalog::find(name).is_none()) {
        let message = format!("`InstanceType`: there is no `{name}`.");
        return Err(ApiError::new("InvalidParameterValue.InstanceTypeNotFound", message));
    }
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let (total, images) = page.cut(IMAGES.iter().filter(|image| {
        (ids.is_empty() || ids.iter().any(|id| id == image.id))
            && filters.accept(&[], |name, value| match name {
                "image-id" => image.id == value,
                "image-type" => value == "PUBLIC_IMAGE",
                "image-name" => image.os.contains(value),
                "platform" => image.platform.contains(value),
                _ => false,
            })
    }));
    Ok(json!({ "TotalCount": total, "ImageSet": images.into_iter().map(Image::show).collect::<Vec<_>>() }))
}
