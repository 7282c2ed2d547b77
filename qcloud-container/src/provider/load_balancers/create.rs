//! The order of a balancer.

use std::time::Duration;

use qcloud_clb::model as clb;
use qcloud_core::{Effect, Raw};
use serde_json::Value;

use super::cache::{Known, Order, Stage};
use super::observe::MOST_IDS;
use super::tasks::Outcome;
use super::{Regional, ownership};
use crate::kubernetes::load_balancers::{
    Charging, Family, LbSpec, Op, Owner, Scope, StaticAddress, annotations, names,
};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// When to look again at what is being made.
pub(super) const SOON: Duration = Duration::from_secs(2);
/// How long a balancer that was ordered may stay out of sight.
pub(super) const UNSEEN: Duration = Duration::from_secs(60);

impl Regional {
    /// Orders a balancer. The same wish gives the same order, which CLB carries out once.
    pub(super) async fn order(&self, want: &LbSpec) -> Result<String> {
        let body = self.order_body(want)?;
        let wish = format!("{body}{}", want.recorded_id.as_deref().unwrap_or_default());
        let uid = want.key.uid.as_str();
        let ordered = |id: &str| Order { id: id.to_owned(), at: self.now(), stage: Stage::Ordered };
        let epoch = self.cache.epoch(uid);
        let token = names::create_token(&self.cluster, &want.key, &wish, epoch);
        let mut body = body;
        body.insert("ClientToken", token);
        let answer = self.clb.call(Raw::new("CreateLoadBalancer", body.0.into()).with_effect(Effect::Token)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.code() == Some("InvalidParameter.ClientTokenLimitExceeded") => {
                // A look has just shown that there is nothing; what the token once made is gone or never came.
                self.cache.next_epoch(uid);
                return Err(ProviderError::pending("the order has to be given anew", Duration::from_secs(1)));
            }
            Err(error) => {
                let error = ProviderError::from(error);
                if error.kind() == ErrorKind::Ambiguous {
                    self.cache.put_order(uid, ordered(""));
                }
                return Err(error);
            }
        };
        let Some(id) = answer.get("LoadBalancerIds").and_then(|ids| ids.get(0)).and_then(Value::as_str) else {
            // CLB may name it only in the task.
            self.cache.put_order(uid, ordered(""));
            return Err(ProviderError::new(ErrorKind::Ambiguous, "the answer to the order names no balancer"));
        };
        self.cache.put_order(uid, ordered(id));
        if let Some(task) = answer.get("RequestId").and_then(Value::as_str) {
            self.began(uid, &Op::Create, task.to_owned());
        }
        Ok(id.to_owned())
    }

    fn order_body(&self, want: &LbSpec) -> Result<Body> {
        let kind = match &want.scope {
            Scope::Public => clb::LoadBalancerType::Open,
            Scope::Internal { .. } => clb::LoadBalancerType::Internal,
        };
        let mut request = clb::CreateLoadBalancer::new(kind);
        request.load_balancer_name = Some(want.name.clone());
        request.vpc_id.clone_from(&self.options.vpc_id);
        request.tags = Some(ownership::tags(&self.cluster, want));
        request.load_balancer_pass_to_target = want.pass_to_targets;
        if let Some(cross) = &want.cross_network {
            request.snat_pro = Some(true);
            // In another region the cluster's network does not exist.
            request.vpc_id = cross.network.clone().or_else(|| self.options.vpc_id.clone().filter(|_| self.is_home));
        }
        if let Scope::Internal { subnet } = &want.scope {
            request.subnet_id = Some(subnet.clone());
        }
        if want.family == Family::V6 {
            request.address_ip_version = Some(clb::AddressIpVersion::IPv6FullChain);
            request.subnet_id =
                request.subnet_id.or_else(|| self.options.ipv6_subnet_id.clone().filter(|_| self.is_home));
            if request.subnet_id.is_none() && !want.extra.contains_key("SubnetId") {
                let message = format!(
                    "annotation {}: an IPv6 balancer takes its address from a subnet; name one here as SubnetId, or one \
                     for all in the options of the controller",
                    annotations::CREATE_PARAMETERS
                );
                return Err(ProviderError::new(ErrorKind::InvalidArgument, message));
            }
        }
        match &want.address {
            Some(StaticAddress::Ip(address)) => request.vip = Some(address.to_string()),
            Some(StaticAddress::Reserved(id)) => request.eip_address_id = Some(id.clone()),
            None => {}
        }
        if want.scope == Scope::Public && (want.charging.is_some() || want.bandwidth.is_some()) {
            request.internet_accessible = Some(clb::InternetAccessible {
                internet_charge_type: want.charging.map(|charging| match charging {
                    Charging::Traffic => clb::InternetChargeType::TrafficPostpaidByHour,
                    Charging::Bandwidth => clb::InternetChargeType::BandwidthPostpaidByHour,
                    Charging::Package => clb::InternetChargeType::BandwidthPackage,
                }),
                internet_max_bandwidth_out: want.bandwidth.map(i64::from),
                ..clb::InternetAccessible::default()
            });
        }
        let mut body = Body::of(&request)?;
        for (name, value) in &want.extra {
            body.insert(name, value.clone());
        }
        Ok(body)
    }

    /// Looks whether an ordered balancer is there, and asks for others that are being made in the same call.
    pub(super) async fn poll(&self, service_uid: &str, order: &Order, known: &mut Known) -> Result<()> {
        let (id, now) = (order.id.clone(), self.now());
        let seen = match self.cache.polled(&id, now) {
            Some(seen) => seen,
            None => {
                let ids = self.cache.making_with(&id, MOST_IDS, now);
                let found = self.by_ids(&ids).await?;
                let others: Vec<String> = ids.into_iter().skip(1).collect();
                self.cache.keep_polled(now, &others, &found);
                found.into_iter().find(|balancer| balancer.load_balancer_id == id)
            }
        };
        // Without its tags, which may show later, it would not be taken for the Service's.
        let is_own = |balancer: &clb::LoadBalancer| {
            ownership::owner(&self.cluster, balancer) == Owner::Service(service_uid.to_owned())
        };
        let pending = || ProviderError::pending(format!("the balancer {id} is being made"), SOON);
        let Some(balancer) = seen else { return Err(self.unseen(service_uid, order).await?.unwrap_or_else(pending)) };
        if !is_own(&balancer) {
            return Err(pending());
        }
        let is_ready = balancer.status == clb::LoadBalancerStatus::Normal;
        let stage = if is_ready { Stage::Ready } else { Stage::Seen };
        self.cache.put_order(service_uid, Order { stage, ..order.clone() });
        if !is_ready {
            return Err(pending());
        }
        self.cache.made(&balancer);
        known.states.retain(|state| state.id != id);
        known.states.push(self.read_balancer(&balancer));
        known.at = now;
        Ok(())
    }

    /// What an ordered balancer came to that is not seen. Nothing is said of one that may still come.
    async fn unseen(&self, service_uid: &str, order: &Order) -> Result<Option<ProviderError>> {
        let outcome = self.outcome(service_uid, &order.id, &Op::Create).await?;
        let late = self.now().saturating_sub(order.at) >= UNSEEN;
        let failure = match outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Running => return Ok(None),
            _ if late || order.stage == Stage::Seen => None,
            _ => return Ok(None),
        };
        // The order failed, or gave what was since removed. Another one needs another token.
        self.cache.next_epoch(service_uid);
        self.cache.drop_order(service_uid);
        Ok(failure)
    }
}

/// A request as JSON, to which parameters in the cloud's own words can be added.
pub(super) struct Body(pub(super) serde_json::Map<String, Value>);

impl Body {
    pub(super) fn of<T: serde::Serialize>(request: &T) -> Result<Self> {
        match serde_json::to_value(request) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(ProviderError::new(ErrorKind::Internal, "the request is no object")),
            Err(error) => {
                Err(ProviderError::new(ErrorKind::Internal, "the request cannot be written").with_source(error))
            }
        }
    }

    pub(super) fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }
}

impl std::fmt::Display for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", Value::Object(self.0.clone()))
    }
}
