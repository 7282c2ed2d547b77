//! Orders of instances that requests carry as JSON in a string.

use serde_json::{Map, Value, json};

use super::faults::{BAD_PARAMETER, INSTANCES, WRONG_NETWORK};
use crate::error::ApiError;
use crate::world::Local;

/// The image of nodes for which the request names none: TencentOS Server.
const IMAGE: &str = "img-9qrfy1xt";

/// Reads a JSON object.
pub(super) fn read(here: &Local<'_>, parameter: &str, text: &str) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("`{parameter}` must be a JSON object written as a string: {error}.");
        BAD_PARAMETER.error(here.settings, message)
    })
}

/// Reads parameters of `RunInstances` for instances in this VPC.
pub(super) fn read_order(
    here: &Local<'_>,
    parameter: &str,
    text: &str,
    vpc_id: &str,
) -> Result<Map<String, Value>, ApiError> {
    let mut order = read(here, parameter, text)?;
    let given = order.get("VirtualPrivateCloud").and_then(|network| network.get("VpcId")).and_then(Value::as_str);
    if given != Some(vpc_id) {
        let message = format!(
            "`{parameter}.VirtualPrivateCloud.VpcId` must be the cluster's `{vpc_id}`, not `{}`.",
            given.unwrap_or_default()
        );
        return WRONG_NETWORK.refuse(here, message);
    }
    if order.get("DryRun") == Some(&Value::Bool(true)) {
        return BAD_PARAMETER.refuse(here, format!("`{parameter}.DryRun` is not supported."));
    }
    set_image(&mut order);
    Ok(order)
}

/// Names an image when the order names none.
pub(super) fn set_image(order: &mut Map<String, Value>) {
    let named = order.get("ImageId").and_then(Value::as_str).is_some_and(|image| !image.is_empty());
    if !named {
        order.insert("ImageId".to_owned(), json!(IMAGE));
    }
}

/// What the container service makes of an error of `RunInstances`.
pub(super) fn refused(here: &Local<'_>, error: &ApiError) -> ApiError {
    let ours = ["Invalid", "MissingParameter", "UnknownParameter"].iter().any(|family| error.code.starts_with(family));
    let fault = if ours { BAD_PARAMETER } else { INSTANCES };
    fault.error(here.settings, format!("RunInstances refuses the instances: {}: {}", error.code, error.message))
}
