//! Giving up the balancer of a Service that wants none any more, or is gone.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use qcloud_container::kubernetes::load_balancers::DeletePolicy;

use super::claim::held;
use super::mark::Mark;
use super::{Controller, Name};
use crate::error::{Error, Result};
use crate::queue::Next;

impl Controller {
    pub(super) async fn give_up(&self, name: &Name, service: &Arc<Service>) -> Result<Next> {
        let result = self.give_up_once(name, service).await;
        if let Err(Error::Provider(error)) = &result {
            self.complain(name, service, error).await;
        }
        result
    }

    async fn give_up_once(&self, name: &Name, service: &Arc<Service>) -> Result<Next> {
        let (of, policy) = held(service);
        let Some(_turn) = self.turns.take(&of, name) else {
            let reason = "another Service has its turn at the balancer".to_owned();
            return Err(Error::Later { reason, after: Duration::from_secs(5) });
        };
        self.announce_removal(name, service, policy).await;
        let lives = service.metadata.deletion_timestamp.is_none();
        let mut service = Arc::clone(service);
        if lives {
            // It may want a balancer again before this is done: then nothing must look as if it were there.
            let Some(marked) = self.record(name, &service, None, &Mark::default()).await? else {
                return Ok(Next::Done);
            };
            service = marked;
        }
        let removed = self.memories.get(name, |memory| memory.removed.as_ref() == Some(&of.service.uid));
        if removed != Some(true) {
            self.balancers.delete(&of, policy).await?;
            // Should the API server refuse to let the Service go, the cloud is not asked again.
            self.memories.with(name, |memory| memory.removed = Some(of.service.uid.clone()));
        }
        if lives {
            let Some(bare) = self.retract(name, &service).await? else { return Ok(Next::Done) };
            service = bare;
        }
        self.release(name, &service).await?;
        self.memories.released(name);
        self.tell_removed(&service, of.recorded.as_deref(), policy).await;
        Ok(Next::Done)
    }

    /// Removes what a Service has left that went without being released: someone took the finalizer away.
    pub(super) async fn left_behind(&self, name: &Name) -> Result<Next> {
        let Some((of, policy)) = self.memories.get(name, |memory| memory.held.clone()).flatten() else {
            self.memories.forget(name);
            return Ok(Next::Done);
        };
        // The cache says so already; here nothing but the API server itself will do.
        if self.look(name).await?.is_some_and(|now| now.metadata.uid.as_ref() == Some(&of.service.uid)) {
            return Ok(Next::After(Duration::from_secs(5)));
        }
        let Some(_turn) = self.turns.take(&of, name) else {
            let reason = "another Service has its turn at the balancer".to_owned();
            return Err(Error::Later { reason, after: Duration::from_secs(5) });
        };
        tracing::warn!(service = %name, uid = of.service.uid, "the Service went without its finalizer; removing its balancer");
        self.balancers.delete(&of, policy).await?;
        if policy == DeletePolicy::Delete {
            tracing::info!(service = %name, uid = of.service.uid, "the balancer of the Service that went is removed");
        }
        self.memories.forget(name);
        Ok(Next::Done)
    }
}
