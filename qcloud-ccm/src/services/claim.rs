//! Which Services are this controller's, and what it owes them.

use k8s_openapi::api::core::v1::Service;
use qcloud_container::kubernetes::load_balancers::{self as contract, DeletePolicy, LbRef, annotations};

/// Keeps a Service from going before its balancer has gone.
pub const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

/// What is to be done for a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: it wants no balancer, or that of someone else.
    Nothing,
    /// It is to have a balancer.
    Balancer,
    /// It no longer wants the balancer that it has from this controller.
    Release,
}

impl Claim {
    /// What a Service wants of a controller that serves this class.
    ///
    /// A Service that wants a balancer of another class is never released while it lives: another process may well serve
    /// it, and would make anew what this one takes away.
    pub(super) fn of(service: &Service, class: Option<&str>) -> Self {
        let wants = service.spec.as_ref().is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"));
        let held = is_held(service, class);
        if service.metadata.deletion_timestamp.is_some() {
            // Also when it is to be skipped: nobody else would let it go.
            return if held { Self::Release } else { Self::Nothing };
        }
        match annotation(service, annotations::CONTROL_MODE).map(str::trim) {
            Some("skip") => Self::Nothing,
            _ if wants && own_class(service) == class => Self::Balancer,
            _ if held && !wants => Self::Release,
            _ => Self::Nothing,
        }
    }
}

/// Whether a Service is held by a controller that serves this class.
///
/// The finalizer is the same for all controllers of balancers. With the mark stands the class of the one that set it;
/// without a mark, the Service's own class says whose it is. A Service that is no balancer has no class of its own.
pub(super) fn is_held(service: &Service, class: Option<&str>) -> bool {
    let marked = annotation(service, annotations::RECORDED_FINGERPRINT).is_some();
    let holder = if marked { annotation(service, annotations::RECORDED_CLASS) } else { own_class(service) };
    has_finalizer(service) && holder == class
}

fn own_class(service: &Service) -> Option<&str> {
    service.spec.as_ref()?.load_balancer_class.as_deref()
}

pub(super) fn has_finalizer(service: &Service) -> bool {
    service.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER)
}

pub(super) fn annotation<'s>(service: &'s Service, name: &str) -> Option<&'s str> {
    service.metadata.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The balancer of a Service, and what becomes of it when the Service gives it up.
pub(super) fn held(service: &Service) -> (LbRef, DeletePolicy) {
    let service = contract::Service::from(service);
    (LbRef::of(&service), DeletePolicy::of(&service))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn claim(metadata: Value, spec: Value, class: Option<&str>) -> Claim {
        let service: Service = serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap();
        Claim::of(&service, class)
    }

    #[test]
    fn a_balancer_is_for_services_of_the_type_and_class() {
        let balancer = json!({ "type": "LoadBalancer" });
        let of_class = json!({ "type": "LoadBalancer", "loadBalancerClass": "qcloud" });
        assert_eq!(claim(json!({}), balancer.clone(), None), Claim::Balancer);
        assert_eq!(claim(json!({}), balancer, Some("qcloud")), Claim::Nothing);
        assert_eq!(claim(json!({}), of_class.clone(), Some("qcloud")), Claim::Balancer);
        assert_eq!(claim(json!({}), of_class, None), Claim::Nothing);
        assert_eq!(claim(json!({}), json!({ "type": "ClusterIP" }), None), Claim::Nothing);
    }

    #[test]
    fn what_was_given_is_taken_back() {
        let marked = json!({ annotations::RECORDED_FINGERPRINT: "changing" });
        let of_none = json!({ "finalizers": [FINALIZER], "annotations": marked });
        let mut of_class = of_none.clone();
        of_class["annotations"][annotations::RECORDED_CLASS] = json!("qcloud");
        let plain = json!({ "type": "ClusterIP" });
        assert_eq!(claim(of_none.clone(), plain.clone(), None), Claim::Release);
        assert_eq!(claim(of_none, plain.clone(), Some("qcloud")), Claim::Nothing);
        assert_eq!(claim(of_class.clone(), plain.clone(), Some("qcloud")), Claim::Release);
        assert_eq!(claim(of_class, plain.clone(), None), Claim::Nothing);
        // The finalizer of another controller is not ours to remove.
        let other = json!({ "type": "LoadBalancer", "loadBalancerClass": "other" });
        let foreign = json!({ "finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z" });
        assert_eq!(claim(foreign.clone(), other, None), Claim::Nothing);
        assert_eq!(claim(foreign.clone(), plain.clone(), Some("qcloud")), Claim::Nothing);
        // Without a class it is that of the controller before this one.
        assert_eq!(claim(foreign, plain, None), Claim::Release);
    }

    #[test]
    fn a_living_service_of_another_class_is_not_released() {
        let of_none = json!({ "finalizers": [FINALIZER], "annotations": { annotations::RECORDED_FINGERPRINT: "a.b" } });
        let of_class = json!({ "type": "LoadBalancer", "loadBalancerClass": "qcloud" });
        // Nor is it one whose class was set after this controller had made its balancer.
        assert_eq!(claim(of_none.clone(), of_class.clone(), None), Claim::Nothing);
        assert_eq!(claim(of_none.clone(), json!({ "type": "LoadBalancer" }), Some("qcloud")), Claim::Nothing);
        let mut going = of_none;
        going["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(claim(going.clone(), of_class.clone(), None), Claim::Release);
        assert_eq!(claim(going, of_class, Some("qcloud")), Claim::Nothing);
    }

    #[test]
    fn a_skipped_service_is_left_alone_until_it_is_deleted() {
        let skipped = json!({
            "finalizers": [FINALIZER],
            "annotations": { annotations::CONTROL_MODE: "skip", annotations::RECORDED_FINGERPRINT: "a.b" },
        });
        assert_eq!(claim(skipped.clone(), json!({ "type": "LoadBalancer" }), None), Claim::Nothing);
        assert_eq!(claim(skipped.clone(), json!({ "type": "ClusterIP" }), None), Claim::Nothing);
        let mut going = skipped;
        going["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        assert_eq!(claim(going, json!({ "type": "LoadBalancer" }), None), Claim::Release);
    }
}
