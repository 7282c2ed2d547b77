//! CBS: disks and snapshots. Known to the model, without behaviour yet.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};

/// The service.
pub(crate) static API: Api = Api::new("cbs", "2017-03-12", include_str!("../../models/cbs-2017-03-12.json"), ACTIONS);

const ACTIONS: &[Action] = &[];

/// The resources of one region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {}
