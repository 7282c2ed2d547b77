//! The tag service, as far as taking tags off load balancers goes: CLB itself has no action for that.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Action, Api};
use crate::call::Call;
use crate::clb;
use crate::error::ApiError;
use crate::world::World;
use crate::zones;

/// The service. Its model is the emulator's own: there are no models of it among the project's.
pub(crate) static API: Api = Api::new("tag", "2018-08-13", include_str!("model.json"), ACTIONS);

const ACTIONS: &[Action] = &[Action::new("DetachResourcesTag", detach).anywhere()];

const MOST_RESOURCES: usize = 50;

fn detach(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        service_type: String,
        resource_ids: Vec<String>,
        tag_key: String,
        resource_region: Option<String>,
        resource_prefix: Option<String>,
    }
    let input: Input = call.input()?;
    if input.service_type != "clb" {
        let message = format!("`ServiceType`: the emulator takes no tags off resources of `{}`.", input.service_type);
        return Err(ApiError::new("InvalidParameterValue.ServiceTypeInvalid", message));
    }
    if input.resource_prefix.as_deref() != Some("clb") {
        let message = "`ResourcePrefix`: that of load balancers is `clb`.";
        return Err(ApiError::new("InvalidParameterValue.ResourcePrefixInvalid", message));
    }
    let region = input.resource_region.as_deref().and_then(zones::region).ok_or_else(|| {
        let message = "`ResourceRegion`: load balancers have a region, and this is none.";
        ApiError::new("InvalidParameterValue.RegionInvalid", message)
    })?;
    if input.resource_ids.len() > MOST_RESOURCES {
        let message = format!("`ResourceIds` takes at most {MOST_RESOURCES} ids.");
        return Err(ApiError::new("LimitExceeded.ResourceNumPerRequest", message));
    }
    clb::take_tag_off(&mut world.local_at(region.name, call.now), &input.resource_ids, &input.tag_key)?;
    Ok(json!({}))
}
