use std::collections::BTreeSet;

use super::annotations as names;
use super::listener::{Protocol, Rule};
use super::service::Family;
use super::spec::{LbSpec, Mode, Scope};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// Something that not every cloud can do with a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Feature {
    /// Internal balancers.
    Internal,
    /// Admitting only some networks.
    SourceRanges,
    /// An address that was there before.
    StaticAddress,
    /// Protection from deletion.
    DeletionProtection,
    /// Protection from changes by others.
    ModificationProtection,
    /// Keeping a client with its target.
    SessionAffinity,
    /// A balancer in another region or network than its targets.
    CrossNetwork,
}

/// What a cloud's balancers can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LbLimits {
    /// Listeners on one balancer.
    pub listeners: usize,
    /// Targets of one listener or rule.
    pub targets_per_listener: usize,
    /// Certificates of a listener, or of a host of it: each of another key algorithm.
    pub certificates: usize,
    /// Tags on one balancer, those of the implementation not counted.
    pub tags: usize,
    /// The protocols that listeners speak.
    pub protocols: BTreeSet<Protocol>,
    /// The versions of IP.
    pub families: BTreeSet<Family>,
    /// What else it can do.
    pub features: BTreeSet<Feature>,
}

impl LbLimits {
    /// Everything, with the numbers of listeners and of targets that these balancers take.
    #[must_use]
    pub fn new(listeners: usize, targets_per_listener: usize) -> Self {
        use Feature as F;
        Self {
            listeners,
            targets_per_listener,
            certificates: 10,
            tags: 10,
            protocols: Protocol::ALL.into_iter().collect(),
            families: [Family::V4, Family::V6].into(),
            features: [
                F::Internal,
                F::SourceRanges,
                F::StaticAddress,
                F::DeletionProtection,
                F::ModificationProtection,
                F::SessionAffinity,
                F::CrossNetwork,
            ]
            .into(),
        }
    }

    /// Refuses what these balancers cannot be, before anything is made.
    ///
    /// # Errors
    ///
    /// Permanent ones that say what has to change.
    pub fn check(&self, spec: &LbSpec) -> Result<()> {
        let unsupported = |what: String| Err(ProviderError::new(ErrorKind::Unsupported, what));
        let wrong = |what: String| Err(ProviderError::new(ErrorKind::InvalidArgument, what));

        if spec.listeners.len() > self.listeners {
            return Err(ProviderError::new(
                ErrorKind::OutOfRange,
                format!("{} listeners are more than the {} of one balancer", spec.listeners.len(), self.listeners),
            ));
        }
        if spec.tags.len() > self.tags {
            return Err(ProviderError::new(
                ErrorKind::OutOfRange,
                format!("{} tags are more than the {} that a balancer has room for", spec.tags.len(), self.tags),
            ));
        }
        let mut slots = BTreeSet::new();
        for listener in &spec.listeners {
            let protocol = listener.key.protocol;
            if !slots.insert(listener.key.slot()) {
                return wrong(format!("two listeners want port {} of the same transport", listener.key.port));
            }
            if !self.protocols.contains(&protocol) {
                return unsupported(format!("protocol {protocol} is not offered"));
            }
            let settings = &listener.settings;
            let has_own = settings.tls.as_ref().is_some_and(|tls| !tls.certificates.is_empty());
            let has_for = |rule: &Rule| settings.tls_of(&rule.host).is_some_and(|tls| !tls.certificates.is_empty());
            if protocol.needs_tls() && !has_own && !listener.rules.iter().all(has_for) {
                return wrong(format!("listener {} needs a certificate", listener.key));
            }
            if settings.tls_by_host.is_some() && protocol != Protocol::Https {
                return wrong(format!("listener {}: only HTTPS chooses certificates by host", listener.key));
            }
            let all =
                settings.tls.iter().chain(settings.tls_by_host.iter().flat_map(std::collections::BTreeMap::values));
            let most = if protocol == Protocol::Quic { 1 } else { self.certificates };
            for tls in all {
                if tls.certificates.len() > most {
                    let message = format!("listener {} wants more than {most} certificates for a host", listener.key);
                    return unsupported(message);
                }
                if tls.certificates.len() > 1 && tls.client_authority.is_some() {
                    return unsupported(format!(
                        "listener {} wants to check clients and has several certificates; it can do one of these",
                        listener.key
                    ));
                }
            }
            if protocol.can_proxy() && listener.settings.session_seconds > 0 {
                return unsupported(format!("listener {} cannot keep clients with their targets", listener.key));
            }
            if protocol.has_rules() == listener.rules.is_empty() {
                return wrong(format!("listener {} has rules, or lacks them, against its protocol", listener.key));
            }
            if listener.settings.proxy_protocol && !protocol.can_proxy() {
                return unsupported(format!(
                    "listener {} cannot speak the PROXY protocol: only TCP_SSL and QUIC can",
                    listener.key
                ));
            }
            if spec.mode == Mode::Vip && !protocol.is_plain() {
                return wrong(format!(
                    "listener {} ends its protocol at the balancer, which VIP mode does not",
                    listener.key
                ));
            }
        }
        if !self.families.contains(&spec.family) {
            return unsupported(format!("addresses of {:?} are not offered", spec.family));
        }
        if spec.existing.as_ref().is_some_and(|existing| existing.shared) && !spec.access.is_open() {
            return wrong("source ranges and security groups would bind all Services of a shared balancer".to_owned());
        }
        let needs = [
            (Feature::Internal, spec.scope != Scope::Public, "internal balancers", names::INTERNAL_SUBNET),
            (Feature::SourceRanges, !spec.access.source_ranges.is_empty(), "source ranges", names::SOURCE_RANGES),
            (Feature::StaticAddress, spec.address.is_some(), "static addresses", names::STATIC_ADDRESS),
            (
                Feature::DeletionProtection,
                spec.protection.deletion == Some(true),
                "protection from deletion",
                names::DELETION_PROTECTION,
            ),
            (
                Feature::ModificationProtection,
                spec.protection.modification == Some(true),
                "protection from changes by others",
                names::MODIFICATION_PROTECTION,
            ),
            (
                Feature::CrossNetwork,
                spec.cross_network.is_some(),
                "balancers in other regions or networks",
                if spec.cross_network.as_ref().is_some_and(|cross| cross.region.is_some()) {
                    names::CROSS_REGION
                } else {
                    names::CROSS_VPC
                },
            ),
        ];
        for (feature, needed, what, annotation) in needs {
            if needed && !self.features.contains(&feature) {
                return unsupported(format!("annotation {annotation}: this cloud's API has no {what}"));
            }
        }
        let keeps_clients = spec.listeners.iter().any(|listener| listener.settings.session_seconds > 0);
        if keeps_clients && !self.features.contains(&Feature::SessionAffinity) {
            return unsupported("spec.sessionAffinity: session affinity is not offered".to_owned());
        }
        Ok(())
    }
}
