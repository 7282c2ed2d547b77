//! One pass over a Service that is to have a balancer.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use qcloud_container::kubernetes::load_balancers::{self as contract, LbStatus};
use qcloud_container::kubernetes::{ErrorKind, ProviderError, Retry};
use tokio::time::Instant;

use super::claim::{held, is_held};
use super::mark::Mark;
use super::memory::Refused;
use super::wish::{Wish, has_references};
use super::writes::{RECORDED, has_ingress};
use super::{Controller, Name};
use crate::error::{Error, Result};
use crate::queue::Next;

/// How soon a Service is looked at again that went or changed while it was worked on. The cache needs a moment, too.
const AGAIN: Duration = Duration::from_secs(1);

/// How often objects are looked at that a Service refers to; nothing tells when they change.
const REFERENCES: Duration = Duration::from_secs(300);

impl Controller {
    pub(super) async fn ensure(&self, name: &Name, service: &Arc<Service>) -> Result<Next> {
        let result = self.ensure_once(name, service).await;
        if let Err(Error::Provider(error)) = &result {
            self.complain(name, service, error).await;
        }
        result
    }

    async fn ensure_once(&self, name: &Name, service: &Arc<Service>) -> Result<Next> {
        let context = self.fetch(&contract::Service::from(&**service)).await?;
        let wish = self.wish(service, &context)?;
        let steady = if has_references(&context) { Next::After(REFERENCES) } else { Next::Done };
        self.memories.with(name, |memory| {
            memory.context = Some(context);
            memory.follows_pods = wish.follows_pods();
            memory.tried = Some(wish.mark.clone());
        });

        let applied = Mark::of(service);
        let due = self.memories.is_doubted(name);
        let whole = is_held(service, self.options.class.as_deref()) && has_ingress(service);
        if whole && applied == wish.mark && !due {
            self.memories.with(name, |memory| memory.held = Some(held(service)));
            self.memories.met(name, false);
            return Ok(steady);
        }
        if let Some(pause) = self.refusal(name, service, &wish.mark) {
            return Ok(Next::After(pause));
        }
        let Some(_turn) = self.turns.take(&held(service).0, name) else {
            let reason = "another Service has its turn at the balancer".to_owned();
            return Err(Error::Later { reason, after: Duration::from_secs(5) });
        };
        let mut service = Arc::clone(service);
        if whole && applied.wish == wish.mark.wish && applied != wish.mark && !due {
            match self.retarget(name, &service, &wish).await {
                Ok(next) => return Ok(next.unwrap_or(steady)),
                Err(Error::Provider(error)) if is_patience(&error) => return Err(error.into()),
                Err(Error::Provider(error)) => {
                    tracing::info!(service = %name, "the targets can't be changed alone: {error}");
                    service = self.newest(name).unwrap_or(service);
                }
                Err(error) => return Err(error),
            }
        }
        let result = self.make(name, &service, &wish).await;
        if let Err(Error::Provider(error)) = &result
            && error.retry() == Retry::Never
        {
            self.memories.with(name, |memory| {
                let until = Instant::now() + self.options.pauses.hopeless;
                memory.refused = Some(Refused { object: digest(&service), mark: wish.mark.clone(), until });
            });
        }
        Ok(result?.unwrap_or(steady))
    }

    /// Sends the traffic elsewhere. `None` when all is done.
    async fn retarget(&self, name: &Name, service: &Arc<Service>, wish: &Wish) -> Result<Option<Next>> {
        let Some(service) = self.hold(name, service, &wish.mark.with_targets_changing()).await? else {
            return Ok(Some(Next::After(AGAIN)));
        };
        self.balancers.update_targets(&wish.spec.reference(), &wish.spec.targets).await?;
        self.memories.with(name, |memory| memory.retargeted = Some(Instant::now()));
        let Some(service) = self.record(name, &service, None, &wish.mark).await? else {
            return Ok(Some(Next::After(AGAIN)));
        };
        self.memories.met(name, false);
        self.tell_retargeted(&service, wish).await;
        Ok(None)
    }

    /// Makes the balancer as it is wanted, or goes on making it. `None` when all is done.
    async fn make(&self, name: &Name, service: &Arc<Service>, wish: &Wish) -> Result<Option<Next>> {
        // One that only has to be looked at again is no news, and keeps its mark, unless something is found to be wrong.
        let verifying = is_held(service, self.options.class.as_deref()) && Mark::of(service) == wish.mark;
        let mark = if verifying { &wish.mark } else { &Mark::default() };
        let Some(service) = self.hold(name, service, mark).await? else {
            return Ok(Some(Next::After(AGAIN)));
        };
        self.memories.with(name, |memory| {
            memory.held = Some(held(&service));
            memory.removed = None;
        });
        if !verifying {
            self.announce(name, &service, wish).await;
        }
        let status = match self.balancers.ensure(&wish.spec).await {
            Err(error) if verifying && error.kind() == ErrorKind::Pending => {
                self.hold(name, &service, &Mark::default()).await?;
                return Err(error.into());
            }
            result => result?,
        };
        let left = self.settle(name, &service, wish, &status).await?;
        let Some(service) = left else { return Ok(Some(Next::After(AGAIN))) };
        if let Some(after) = status.again_after {
            return Ok(Some(Next::After(after)));
        }
        if !verifying {
            self.tell_ensured(&service, &status).await;
        }
        self.memories.met(name, true);
        Ok(None)
    }

    /// Writes down what came of it. `None` when the Service has gone meanwhile.
    async fn settle(
        &self,
        name: &Name,
        service: &Arc<Service>,
        wish: &Wish,
        status: &LbStatus,
    ) -> Result<Option<Arc<Service>>> {
        let Some(service) = self.publish(name, service, status).await? else { return Ok(None) };
        if status.again_after.is_some() {
            // What is recorded leads to the balancer that is still to be given up.
            return Ok(Some(service));
        }
        let Some(service) = self.record(name, &service, Some(&status.id), &wish.mark).await? else { return Ok(None) };
        self.memories.with(name, |memory| memory.held = Some(held(&service)));
        Ok(Some(service))
    }

    /// How long it is still of no use to try this again.
    fn refusal(&self, name: &Name, service: &Service, mark: &Mark) -> Option<Duration> {
        let now = Instant::now();
        self.memories.with(name, |memory| {
            let refused = memory.refused.as_ref()?;
            if refused.until > now && refused.mark == *mark && refused.object == digest(service) {
                return Some(refused.until.saturating_duration_since(now));
            }
            memory.refused = None;
            None
        })
    }
}

/// Whether an error only says that it is too early.
pub(super) fn is_patience(error: &ProviderError) -> bool {
    matches!(error.kind(), ErrorKind::Pending | ErrorKind::Busy | ErrorKind::Throttled)
}

/// What of an object someone else may have changed to make a difference: all but the status and what is written here.
fn digest(service: &Service) -> u64 {
    let meta = &service.metadata;
    let annotations: Vec<_> =
        meta.annotations.iter().flatten().filter(|(name, _)| !RECORDED.contains(&name.as_str())).collect();
    let text = serde_json::json!([meta.uid, meta.labels, annotations, service.spec]);
    let mut hasher = DefaultHasher::new();
    text.to_string().hash(&mut hasher);
    hasher.finish()
}
