//! STS: temporary credentials, which every service then accepts until they expire.

use serde::{Deserialize, Serialize};

use crate::api::{Action, Api};

mod roles;
mod sessions;

pub(crate) use sessions::{Session, State};

/// The service. Its model is the emulator's own: there are no models of it among the project's.
pub(crate) static API: Api = Api::new("sts", "2018-08-13", include_str!("model.json"), ACTIONS);

const ACTIONS: &[Action] = &[
    Action::new("AssumeRole", roles::assume).anywhere(),
    Action::new("AssumeRoleWithWebIdentity", roles::assume_with_web_identity).anywhere().unsigned(),
    Action::new("GetCallerIdentity", roles::identity).anywhere(),
];

/// The account that everything belongs to.
pub(crate) const ACCOUNT: &str = "100000000001";

/// Who holds a temporary credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) session: String,
}
