use std::collections::BTreeMap;

use serde::Deserialize;

use super::annotations::{LB_RS_WEIGHT, POD_CUSTOM_WEIGHT};
use super::values::invalid;
use crate::kubernetes::Result;

/// Weights that a Service gives to pods of stateful sets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PodWeights {
    /// The weight of all other targets.
    pub default: Option<u16>,
    /// By transport, port of the Service, stateful set and index of the pod.
    pods: BTreeMap<(String, u16, String, u32), u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    default_weight: Option<u16>,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Group {
    key: Key,
    #[serde(default)]
    stateful_sets: Vec<StatefulSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    proto: String,
    port: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatefulSet {
    name: String,
    #[serde(default)]
    weights: Vec<Weight>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Weight {
    weight: u16,
    #[serde(default)]
    pod_indexes: Vec<u32>,
}

impl PodWeights {
    pub(super) fn read(text: &str) -> Result<Self> {
        let wire: Wire = serde_json::from_str(text).map_err(|error| invalid(LB_RS_WEIGHT, text, error))?;
        let mut pods = BTreeMap::new();
        for group in wire.groups {
            for set in group.stateful_sets {
                for Weight { weight, pod_indexes } in set.weights {
                    within(LB_RS_WEIGHT, text, weight)?;
                    for index in pod_indexes {
                        pods.insert((group.key.proto.clone(), group.key.port, set.name.clone(), index), weight);
                    }
                }
            }
        }
        if let Some(weight) = wire.default_weight {
            within(LB_RS_WEIGHT, text, weight)?;
        }
        Ok(Self { default: wire.default_weight, pods })
    }

    pub(super) fn of(&self, transport: &str, port: u16, pod: Option<&str>) -> Option<u16> {
        let of_pod = pod.and_then(|pod| pod.rsplit_once('-')).and_then(|(set, index)| {
            let key = (transport.to_owned(), port, set.to_owned(), index.parse().ok()?);
            self.pods.get(&key).copied()
        });
        of_pod.or(self.default)
    }
}

/// The weight that a pod asks for with its annotation
/// [`POD_CUSTOM_WEIGHT`](super::annotations::POD_CUSTOM_WEIGHT), for [`Endpoint::weight`](super::Endpoint::weight).
///
/// # Errors
///
/// When it is no number from 0 to 100.
pub fn pod_weight(annotations: &BTreeMap<String, String>) -> Result<Option<u16>> {
    let Some(text) = annotations.get(POD_CUSTOM_WEIGHT) else { return Ok(None) };
    let weight = text.trim().parse().map_err(|error| invalid(POD_CUSTOM_WEIGHT, text, error))?;
    within(POD_CUSTOM_WEIGHT, text, weight)?;
    Ok(Some(weight))
}

fn within(annotation: &str, text: &str, weight: u16) -> Result<()> {
    if weight <= 100 { Ok(()) } else { Err(invalid(annotation, text, "a weight is 0 to 100")) }
}
