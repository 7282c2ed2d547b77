//! CLB: load balancers. Known to the model, without behaviour yet.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};

/// The service.
pub(crate) static API: Api = Api::new("clb", "2018-03-17", include_str!("../../models/clb-2018-03-17.json"), ACTIONS);

const ACTIONS: &[Action] = &[];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {}
