use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::limits::LbLimits;
use super::listener::ListenerKey;
use super::model;
use super::plan::{Op, Subject, plan, plan_targets};
use super::service::{Family, ServiceKey};
use super::spec::LbSpec;
use super::state::{LbState, LbStatus, ListenerState, Owner};
use super::targets::TargetSet;
use super::{DeletePolicy, LbRef, LoadBalancers, names};
use crate::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};

/// The addresses before the first ones that are given out.
const FIRST_V4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const FIRST_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);

/// Load balancers that exist in memory only: the reference for what the trait means, and a stand-in for tests.
///
/// Clones share one cloud, and so do the views of [`in_cluster`](Self::in_cluster).
#[derive(Clone, Debug)]
pub struct InMemoryLoadBalancers {
    cluster: ClusterIdentity,
    limits: LbLimits,
    cloud: Arc<Mutex<Cloud>>,
}

#[derive(Debug, Default)]
struct Cloud {
    balancers: BTreeMap<String, Record>,
    next_id: u32,
}

#[derive(Debug)]
struct Record {
    /// Cluster uid and Service uid; `None` for a balancer of a user.
    owner: Option<(String, String)>,
    state: LbState,
    /// For whom each listener was made, by its id.
    makers: BTreeMap<String, (String, String)>,
}

impl InMemoryLoadBalancers {
    /// An empty cloud, seen from a cluster.
    #[must_use]
    pub fn new(cluster: ClusterIdentity) -> Self {
        Self { cluster, limits: LbLimits::new(50, 200), cloud: Arc::default() }
    }

    /// The same cloud, seen from another cluster.
    #[must_use]
    pub fn in_cluster(&self, cluster: ClusterIdentity) -> Self {
        Self { cluster, ..self.clone() }
    }

    /// Lets everything that is being made become ready.
    pub fn settle(&self) {
        for (number, record) in (1_u32..).zip(self.cloud().balancers.values_mut()) {
            record.state.ready = true;
            if record.state.addresses.is_empty() {
                record.state.addresses.push(match record.state.family {
                    Family::V4 => Ipv4Addr::from(FIRST_V4.to_bits().wrapping_add(number)).into(),
                    Family::V6 => Ipv6Addr::from(FIRST_V6.to_bits().wrapping_add(number.into())).into(),
                });
            }
        }
    }

    /// A balancer that a user makes. Gives its id.
    #[must_use]
    pub fn make_user_balancer(&self) -> String {
        let mut cloud = self.cloud();
        let id = cloud.id("lb");
        let state = LbState::new(id.as_str(), Owner::User);
        cloud.balancers.insert(id.clone(), Record { owner: None, state, makers: BTreeMap::new() });
        id
    }

    /// A listener that a user makes.
    pub fn make_user_listener(&self, balancer: &str, key: ListenerKey) {
        let mut cloud = self.cloud();
        let id = cloud.id("lbl");
        if let Some(record) = cloud.balancers.get_mut(balancer) {
            record.state.listeners.push(ListenerState::new(id, key, false));
        }
    }

    /// A user deletes a balancer.
    pub fn remove_balancer(&self, id: &str) {
        self.cloud().balancers.remove(id);
    }

    /// Whether a balancer exists.
    #[must_use]
    pub fn exists(&self, id: &str) -> bool {
        self.cloud().balancers.contains_key(id)
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn maker(&self, service_uid: &str) -> (String, String) {
        (self.cluster.uid.clone(), service_uid.to_owned())
    }

    /// A balancer as this cluster sees it, for one Service.
    fn seen(&self, record: &Record, service_uid: &str) -> LbState {
        let mut state = record.state.clone();
        state.owner = match &record.owner {
            None => Owner::User,
            Some((cluster, service)) if *cluster == self.cluster.uid => Owner::Service(service.clone()),
            Some((cluster, _)) => Owner::OtherCluster(cluster.clone()),
        };
        let maker = self.maker(service_uid);
        for listener in &mut state.listeners {
            listener.owned = record.makers.get(&listener.id) == Some(&maker);
        }
        state
    }

    /// All that concerns a Service.
    fn candidates(&self, cloud: &Cloud, of: &LbRef) -> Vec<LbState> {
        let maker = self.maker(&of.service.uid);
        let named = |id: &String| of.existing.as_ref() == Some(id) || of.recorded.as_ref() == Some(id);
        cloud
            .balancers
            .iter()
            .filter(|(id, record)| record.owner.as_ref() == Some(&maker) || named(id))
            .map(|(_, record)| self.seen(record, &of.service.uid))
            .collect()
    }

    fn apply(&self, cloud: &mut Cloud, id: &str, service: &ServiceKey, op: &Op) {
        let mut new_ids = BTreeSet::new();
        let mut next_id = cloud.next_id;
        let maker = self.maker(&service.uid);
        if let Some(record) = cloud.balancers.get_mut(id) {
            let mut state = self.seen(record, &service.uid);
            model::apply(&mut state, op, |prefix| {
                next_id += 1;
                let id = format!("{prefix}-{next_id:08}");
                new_ids.insert(id.clone());
                id
            });
            for listener in state.listeners.iter_mut().filter(|listener| new_ids.contains(&listener.id)) {
                listener.name = names::listener_name(&self.cluster, service, listener.key);
            }
            record.makers.extend(new_ids.into_iter().map(|id| (id, maker.clone())));
            record.state = state;
        }
        cloud.next_id = next_id;
    }

    fn give_up(&self, cloud: &mut Cloud, id: &str, service_uid: &str, policy: DeletePolicy) {
        let maker = self.maker(service_uid);
        let Some(record) = cloud.balancers.get_mut(id) else { return };
        if record.owner.as_ref() == Some(&maker) && policy == DeletePolicy::Delete {
            cloud.balancers.remove(id);
            return;
        }
        if record.owner.as_ref() == Some(&maker) {
            record.owner = None;
        }
        let makers = &record.makers;
        record.state.listeners.retain(|listener| makers.get(&listener.id) != Some(&maker));
    }
}

impl Cloud {
    fn id(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        format!("{prefix}-{:08}", self.next_id)
    }
}

#[async_trait]
impl LoadBalancers for InMemoryLoadBalancers {
    fn limits(&self) -> LbLimits {
        self.limits.clone()
    }

    async fn observe(&self, of: &LbRef) -> Result<Option<LbState>> {
        let mut candidates = self.candidates(&self.cloud(), of);
        candidates.retain(|state| {
            state.owner == Owner::Service(of.service.uid.clone())
                || state.listeners.iter().any(|listener| listener.owned)
        });
        candidates.sort_by_key(|state| (of.recorded.as_ref() != Some(&state.id), state.id.clone()));
        Ok(candidates.into_iter().next())
    }

    async fn ensure(&self, want: &LbSpec) -> Result<LbStatus> {
        self.limits.check(want)?;
        let mut cloud = self.cloud();
        let plan = plan(want, &self.candidates(&cloud, &want.reference()), &self.limits)?;
        let id = match plan.subject {
            Subject::New => {
                let id = cloud.id("lb");
                let mut state = LbState::new(id.as_str(), Owner::Service(want.key.uid.clone()));
                state.service_name = Some(want.key.to_string());
                model::created(&mut state, want);
                let owner = Some(self.maker(&want.key.uid));
                cloud.balancers.insert(id, Record { owner, state, makers: BTreeMap::new() });
                return Err(ProviderError::pending("the balancer is being made", Duration::from_secs(1)));
            }
            Subject::Existing(id) => id,
        };
        for op in &plan.ops {
            if matches!(op, Op::AwaitReady) {
                return Err(ProviderError::pending("the balancer is being made", Duration::from_secs(1)));
            }
            self.apply(&mut cloud, &id, &want.key, op);
        }
        let ingress =
            cloud.balancers.get(&id).map(|record| record.state.ingress(want.address_mode)).unwrap_or_default();
        let mut again_after = None;
        if want.is_published(&ingress) {
            for id in &plan.superseded {
                self.give_up(&mut cloud, id, &want.key.uid, DeletePolicy::Delete);
            }
        } else if !plan.superseded.is_empty() {
            again_after = Some(Duration::from_secs(1));
        }
        Ok(LbStatus { id, ingress, again_after })
    }

    async fn update_targets(&self, of: &LbRef, targets: &TargetSet) -> Result<()> {
        let Some(state) = self.observe(of).await? else {
            return Err(ProviderError::new(ErrorKind::NotFound, format!("{} has no balancer", of.service)));
        };
        let mut cloud = self.cloud();
        for op in plan_targets(&state, targets, &self.limits) {
            self.apply(&mut cloud, &state.id, &of.service, &op);
        }
        Ok(())
    }

    async fn delete(&self, of: &LbRef, policy: DeletePolicy) -> Result<()> {
        let mut cloud = self.cloud();
        for state in self.candidates(&cloud, of) {
            self.give_up(&mut cloud, &state.id, &of.service.uid, policy);
        }
        Ok(())
    }

    async fn sweep_owned(&self) -> Result<Vec<LbState>> {
        let cloud = self.cloud();
        let owned = cloud.balancers.values().filter_map(|record| match &record.owner {
            Some((cluster, service)) if *cluster == self.cluster.uid => Some(self.seen(record, service)),
            _ => None,
        });
        Ok(owned.collect())
    }
}
