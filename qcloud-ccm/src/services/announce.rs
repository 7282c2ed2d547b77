//! What operators are told of a Service, by events.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Service;
use qcloud_container::kubernetes::load_balancers::{DeletePolicy, Ingress, LbStatus};
use qcloud_container::kubernetes::{ErrorKind, ProviderError, Retry};
use tokio::time::Instant;

use super::memory::Complaint;
use super::pass::is_patience;
use super::wish::Wish;
use super::{Controller, Name};
use crate::events::reference;

/// How long the cloud may take before an event says that it does.
const LONG: Duration = Duration::from_secs(300);
/// How soon the same complaint is made again.
const REPEAT: Duration = Duration::from_secs(30);
/// How soon it is made again when trying again is of no use.
const REMIND: Duration = Duration::from_secs(1_500);

impl Controller {
    /// Says once for each wish that it is worked on, however many passes that takes.
    pub(super) async fn announce(&self, name: &Name, service: &Arc<Service>, wish: &Wish) {
        let new = self.memories.with(name, |memory| {
            let new = memory.announced != wish.mark.wish;
            memory.announced.clone_from(&wish.mark.wish);
            new
        });
        if new {
            self.events
                .normal(&reference(&**service), "EnsuringLoadBalancer", "Making the load balancer as asked")
                .await;
        }
    }

    pub(super) async fn tell_ensured(&self, service: &Arc<Service>, status: &LbStatus) {
        let places: Vec<String> = status
            .ingress
            .iter()
            .filter_map(|ingress| match ingress {
                Ingress::Address(address, _) => Some(address.to_string()),
                Ingress::Hostname(name) => Some(name.clone()),
                _ => None,
            })
            .collect();
        let note = format!("The load balancer {} serves at {}", status.id, places.join(", "));
        self.events.normal(&reference(&**service), "EnsuredLoadBalancer", note).await;
    }

    pub(super) async fn tell_retargeted(&self, service: &Arc<Service>, wish: &Wish) {
        let targets = &wish.spec.targets;
        let most = targets.listeners().filter_map(|key| targets.of(key)).map(std::collections::BTreeMap::len).max();
        let note = match most.unwrap_or_default() {
            0 => "The load balancer has no targets now".to_owned(),
            1 => "The load balancer has 1 target for each port now".to_owned(),
            count => format!("The load balancer has up to {count} targets for each port now"),
        };
        self.events.normal(&reference(&**service), "UpdatedLoadBalancer", note).await;
    }

    /// Says once that the balancer is being removed.
    pub(super) async fn announce_removal(&self, name: &Name, service: &Arc<Service>, policy: DeletePolicy) {
        const REMOVAL: &str = "removal";
        let new =
            self.memories.with(name, |memory| memory.announced.replace(REMOVAL.to_owned()).as_deref() != Some(REMOVAL));
        if new {
            let note = match policy {
                DeletePolicy::Delete => "Removing the load balancer",
                DeletePolicy::Retain => "Giving up the load balancer, which stays",
            };
            self.events.normal(&reference(&**service), "DeletingLoadBalancer", note).await;
        }
    }

    pub(super) async fn tell_removed(&self, service: &Arc<Service>, id: Option<&str>, policy: DeletePolicy) {
        let note = match (policy, id) {
            (DeletePolicy::Delete, Some(id)) => format!("Nothing of this Service is left on the load balancer {id}"),
            (DeletePolicy::Delete, None) => "The load balancer is removed".to_owned(),
            (DeletePolicy::Retain, Some(id)) => format!("The load balancer {id} stays, and is no longer managed"),
            (DeletePolicy::Retain, None) => "The load balancer stays, and is no longer managed".to_owned(),
        };
        self.events.normal(&reference(&**service), "DeletedLoadBalancer", note).await;
    }

    /// Says what goes wrong. What only takes its time is told when it takes long; the same thing is told now and then.
    pub(super) async fn complain(&self, name: &Name, service: &Arc<Service>, error: &ProviderError) {
        let now = Instant::now();
        let about = format!("{:?} {} {}", error.kind(), error.code().unwrap_or_default(), cause(error));
        let note = self.memories.with(name, |memory| {
            let mut note = describe(error);
            let mut pause = if error.retry() == Retry::Never { REMIND } else { REPEAT };
            if is_patience(error) {
                let since = *memory.waiting.get_or_insert(now);
                if now.saturating_duration_since(since) < LONG {
                    return None;
                }
                note = format!("Still waiting: {note}");
                pause = LONG;
            }
            let same = memory.complaint.as_mut().filter(|complaint| complaint.about == about);
            if let Some(complaint) = same {
                if now.saturating_duration_since(complaint.at) < pause {
                    return None;
                }
                complaint.at = now;
                // In the same words, so that it counts as a repetition.
                return Some(complaint.note.clone());
            }
            memory.complaint = Some(Complaint { about, note: note.clone(), at: now });
            Some(note)
        });
        if let Some(note) = note {
            self.events.warning(&reference(&**service), "SyncLoadBalancerFailed", note).await;
        }
    }
}

/// The message up to what differs with each request.
fn cause(error: &ProviderError) -> &str {
    // With a code, the message adds nothing that tells two causes apart.
    if error.code().is_some() { "" } else { error.message() }
}

/// An error in words, with the cloud's code and the id of the request, each once.
fn describe(error: &ProviderError) -> String {
    let mut text = error.message().to_owned();
    let mut details = Vec::new();
    if let Some(code) = error.code().filter(|code| !text.contains(*code)) {
        details.push(format!("code {code}"));
    }
    if let Some(id) = error.request_id().filter(|id| !text.contains(*id)) {
        details.push(format!("request id {id}"));
    }
    if !details.is_empty() {
        text = format!("{text} ({})", details.join(", "));
    }
    let advice = match (error.kind(), error.retry()) {
        (ErrorKind::Unauthorized, _) => "; check what the controller is permitted to do",
        (ErrorKind::Exhausted(_), _) => "; it is tried again now and then",
        (_, Retry::Never) => "; it is tried again when the Service is changed",
        _ => "",
    };
    text + advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_request_are_named_once() {
        let error =
            ProviderError::new(ErrorKind::Internal, "no luck").with_code("InternalError").with_request_id("r-1");
        assert_eq!(describe(&error), "no luck (code InternalError, request id r-1)");
        let error = ProviderError::new(ErrorKind::InvalidArgument, "A: Bad.Code: no (request id r-1)")
            .with_code("Bad.Code")
            .with_request_id("r-1");
        let text = describe(&error);
        assert_eq!(text, "A: Bad.Code: no (request id r-1); it is tried again when the Service is changed");
    }
}
