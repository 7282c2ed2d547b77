//! The temporary credentials that were given.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Holder;
use crate::clock::Time;
use crate::credentials::Credential;
use crate::ids::Ids;

/// How long an expired credential is remembered, so that using it says that it has expired.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// Temporary credentials by secret id.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    sessions: BTreeMap<String, Session>,
    /// The credential of each instance's role that the metadata server gives at present.
    instances: BTreeMap<String, String>,
}

/// One temporary credential.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) secret_id: String,
    pub(crate) secret_key: String,
    pub(crate) token: String,
    pub(crate) expires: Time,
    pub(crate) holder: Holder,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("secret_id", &self.secret_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl State {
    /// Gives a new credential.
    pub(crate) fn give(&mut self, ids: &mut Ids, now: Time, life: Duration, holder: Holder) -> &Session {
        self.sessions.retain(|_, session| session.expires.after(REMEMBERED) > now);
        let session = Session {
            secret_id: format!("AKID{}", ids.new_word(60)),
            secret_key: ids.new_word(32),
            token: ids.new_word(120),
            expires: now.after(life),
            holder,
        };
        self.sessions.entry(session.secret_id.clone()).or_insert(session)
    }

    /// The credential of an instance's role: the same one until a quarter of its life is left.
    pub(crate) fn of_instance(
        &mut self,
        ids: &mut Ids,
        now: Time,
        life: Duration,
        (instance, holder): (&str, Holder),
    ) -> Session {
        let present = self.instances.get(instance).and_then(|id| self.sessions.get(id));
        if let Some(session) = present
            && session.holder == holder
            && session.expires > now.after(life / 4)
        {
            return session.clone();
        }
        let session = self.give(ids, now, life, holder).clone();
        self.instances.insert(instance.to_owned(), session.secret_id.clone());
        session
    }

    pub(crate) fn get(&self, secret_id: &str) -> Option<&Session> {
        self.sessions.get(secret_id)
    }
}

impl Session {
    /// As requests are verified with it.
    pub(crate) fn credential(&self) -> Credential {
        Credential {
            secret_id: self.secret_id.clone(),
            secret_key: self.secret_key.clone(),
            token: Some(self.token.clone()),
            expires: Some(self.expires),
        }
    }
}
