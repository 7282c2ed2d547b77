//! Whether a balancer is still as it was left, by sweeps that all Services share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use qcloud_clb::model as clb;

use super::Regional;
use super::cache::{Met, Sweep};
use super::ownership::{self, CLUSTER_TAG};
use super::wire;
use crate::kubernetes::Result;
use crate::kubernetes::load_balancers::{
    LbSpec, LbState, LbStatus, ListenerKey, ListenerState, Owner, RuleState, Subject, plan,
};

/// Rows of a page of DescribeLoadBalancersDetail.
const ROWS: usize = 100;

/// The listeners of balancers, by the balancer's id.
pub(super) type Listeners = BTreeMap<String, BTreeSet<ListenerKey>>;

impl Regional {
    /// The status of a wish that is met already, as far as that is known without reading its balancer.
    ///
    /// Within [`verify_after`](super::ClbOptions::verify_after), memory is believed. After that, and for a wish that an
    /// earlier process recorded as met, the shared sweeps are asked whether the balancer and its listeners are there.
    /// What only a reading of the balancer itself shows, such as targets, is believed for
    /// [`inspect_after`](super::ClbOptions::inspect_after).
    pub(super) async fn still_met(&self, want: &LbSpec, fingerprint: &str) -> Result<Option<LbStatus>> {
        let uid = want.key.uid.as_str();
        let now = self.now();
        // Taken, so that it is forgotten unless it is put back.
        let (met, recorded) = match self.cache.take_met(uid) {
            Some(met) if met.fingerprint == fingerprint => (Some(met), false),
            Some(_) => return Ok(None),
            None => (None, want.recorded_fingerprint.as_deref() == Some(fingerprint) && !self.cache.has_touched(uid)),
        };
        if let Some(met) = &met
            && now.saturating_sub(met.confirmed) < self.options.verify_after
        {
            let status = met.status.clone();
            self.cache.put_met(uid, met.clone());
            return Ok(Some(status));
        }
        let inspected = match &met {
            Some(met) if now.saturating_sub(met.inspected) < self.options.inspect_after => met.inspected,
            None if recorded => now,
            _ => return Ok(None),
        };
        let Some(status) = self.confirmed(want).await? else { return Ok(None) };
        let met = Met { fingerprint: fingerprint.to_owned(), status: status.clone(), confirmed: now, inspected };
        self.cache.put_met(uid, met);
        Ok(Some(status))
    }

    /// The status of the balancer, if all that the sweeps show of it is as wanted.
    async fn confirmed(&self, want: &LbSpec) -> Result<Option<LbStatus>> {
        let swept = self.swept().await?;
        let own = Owner::Service(want.key.uid.clone());
        let mut mine = swept.balancers.iter().filter(|balancer| ownership::owner(&self.cluster, balancer) == own);
        let (Some(balancer), None) = (mine.next(), mine.next()) else { return Ok(None) };
        let id = &balancer.load_balancer_id;
        if want.existing.is_some() || swept.changed.contains(id) {
            return Ok(None);
        }
        let mut state = self.read_balancer(balancer);
        let listeners = self.listeners(&swept).await?;
        imagine(&mut state, want, listeners.get(id));
        let as_wanted = state.ready
            && plan(want, std::slice::from_ref(&state), &self.limits())
                .is_ok_and(|plan| plan.ops.is_empty() && plan.subject == Subject::Existing(id.clone()));
        let ingress = state.ingress(want.address_mode);
        Ok((as_wanted && !ingress.is_empty()).then(|| LbStatus::new(id.as_str(), ingress)))
    }

    /// All balancers of the cluster, at most a minute old, read once for all who ask at the same time.
    pub(super) async fn swept(&self) -> Result<Arc<Sweep>> {
        let _turn = self.sweeping.lock().await;
        if let Some(swept) = self.cache.recent_sweep(self.now()) {
            return Ok(swept);
        }
        let now = self.now();
        let balancers = self.sweep().await?;
        Ok(self.cache.keep_sweep(now, balancers))
    }

    /// The listeners of all balancers of a sweep.
    async fn listeners(&self, swept: &Sweep) -> Result<Arc<Listeners>> {
        let _turn = self.sweeping.lock().await;
        if let Some(listeners) = self.cache.listeners_at(swept.at) {
            return Ok(listeners);
        }
        let listeners = Arc::new(self.sweep_listeners().await?);
        self.cache.keep_listeners(swept.at, Arc::clone(&listeners));
        Ok(listeners)
    }

    async fn sweep_listeners(&self) -> Result<Listeners> {
        let mut listeners = Listeners::new();
        let mut offset = 0_usize;
        loop {
            let request = clb::DescribeLoadBalancersDetail::new()
                .fields(["ListenerId", "Protocol", "Port"])
                .target_type(clb::DetailTargetType::Node)
                .filters([clb::Filter::new(format!("tag:{CLUSTER_TAG}"), [self.cluster.uid.as_str()])])
                .limit(ROWS as u64)
                .offset(offset as u64);
            let answer = self.clb.describe_load_balancers_detail(request).await?;
            let rows = answer.load_balancer_detail_set;
            let mut balancers = BTreeSet::new();
            for row in &rows {
                balancers.insert(row.load_balancer_id.as_str());
                let port = row.port.and_then(|port| i64::try_from(port).ok());
                if let (Some(port), Some(protocol)) = (port, &row.protocol)
                    && let Some(key) = wire::key(port, protocol)
                {
                    listeners.entry(row.load_balancer_id.clone()).or_default().insert(key);
                }
            }
            // Whether a page counts rows or balancers is not documented. More rows than were asked for tell.
            offset += if rows.len() > ROWS { balancers.len() } else { rows.len() };
            if rows.len() < ROWS || u64::try_from(offset).is_ok_and(|offset| offset >= answer.total_count) {
                return Ok(listeners);
            }
        }
    }
}

/// Fills in what the sweeps do not show as it is wanted.
fn imagine(state: &mut LbState, want: &LbSpec, seen: Option<&BTreeSet<ListenerKey>>) {
    // A balancer with source ranges has the group with them and no other; without any, those that someone put there.
    if !want.access.source_ranges.is_empty() && state.access.groups.len() == 1 {
        state.access = want.access.clone();
    }
    for spec in want.listeners.iter().filter(|spec| seen.is_some_and(|seen| seen.contains(&spec.key))) {
        let mut listener = ListenerState::new("", spec.key, true);
        listener.settings = spec.settings.clone();
        let targets = want.targets.of(spec.key).cloned().unwrap_or_default();
        listener.rules =
            spec.rules.iter().map(|rule| RuleState::new("", rule.clone(), spec.settings.clone())).collect();
        for rule in &mut listener.rules {
            rule.targets.clone_from(&targets);
        }
        listener.targets = targets;
        state.listeners.push(listener);
    }
}
