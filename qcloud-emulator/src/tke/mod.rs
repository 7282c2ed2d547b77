//! TKE: the container service, in both of its versions. Known to the models, without behaviour yet.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};

/// Clusters, cluster route tables and node pools.
pub(crate) static API_2018: Api =
    Api::new("tke", "2018-05-25", include_str!("../../models/tke-2018-05-25.json"), ACTIONS_2018);

/// Native node pools.
pub(crate) static API_2022: Api =
    Api::new("tke", "2022-05-01", include_str!("../../models/tke-2022-05-01.json"), ACTIONS_2022);

const ACTIONS_2018: &[Action] = &[];
const ACTIONS_2022: &[Action] = &[];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {}
