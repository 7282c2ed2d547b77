//! Names by which objects in the cloud are known again.

use sha2::{Digest, Sha256};

use super::listener::ListenerKey;
use super::service::ServiceKey;
use crate::kubernetes::ClusterIdentity;

/// How many characters tell the listeners of Services apart.
const MARK: usize = 24;

/// The name of a Service's balancer when the user gives none: `a` and the uid without dashes, 32 characters at most,
/// as Kubernetes has always done it.
#[must_use]
pub fn balancer_name(service: &ServiceKey) -> String {
    format!("a{}", service.uid.replace('-', "")).chars().take(32).collect()
}

/// What the names of all listeners of a Service begin with. It tells listeners of Services apart on a balancer that
/// several share, also across clusters.
#[must_use]
pub fn listener_prefix(cluster: &ClusterIdentity, service: &ServiceKey) -> String {
    format!("k8s-{}-", digest(&["listener", &cluster.uid, &service.uid], MARK))
}

/// Whether a listener of that name was made for a Service, of whatever cluster.
#[must_use]
pub fn is_listener_name(name: &str) -> bool {
    let mark = name.strip_prefix("k8s-").and_then(|rest| rest.split_once('-')).map(|(mark, _)| mark);
    mark.is_some_and(|mark| mark.len() == MARK && mark.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The name of a Service's listener; at most 80 characters, those of the Service's name cut off.
#[must_use]
pub fn listener_name(cluster: &ClusterIdentity, service: &ServiceKey, key: ListenerKey) -> String {
    let port = format!("{}-{}", key.protocol.as_str().to_ascii_lowercase(), key.port);
    let name = format!("{}{port}-{}-{}", listener_prefix(cluster, service), service.namespace, service.name);
    name.chars().take(80).collect()
}

/// A token of at most 64 characters under which a cloud makes a Service's balancer only once. `epoch` is raised only
/// when it is proven that the token before it left nothing.
#[must_use]
pub fn create_token(cluster: &ClusterIdentity, service: &ServiceKey, wish: &str, epoch: u32) -> String {
    digest(&["token", &cluster.uid, &service.uid, wish, &epoch.to_string()], 48)
}

fn digest(parts: &[&str], length: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize()).chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::load_balancers::Protocol;

    #[test]
    fn names_fit_and_differ_by_cluster() {
        let service = ServiceKey::new("n".repeat(63), "s".repeat(63), "9f0c2f4e-6a3b-4e1d-9c8a-000000000001");
        let one = ClusterIdentity::new("c1", "kubernetes");
        let two = ClusterIdentity::new("c2", "kubernetes");
        let key = ListenerKey::new(65535, Protocol::TcpSsl);
        assert_eq!(balancer_name(&service), "a9f0c2f4e6a3b4e1d9c8a00000000000");
        let name = listener_name(&one, &service, key);
        assert_eq!(name.len(), 80);
        assert!(name.starts_with(&listener_prefix(&one, &service)));
        assert!(!name.starts_with(&listener_prefix(&two, &service)));
        assert!(is_listener_name(&name));
        assert!(["", "web", "k8s-web-80", &name[..20]].into_iter().all(|other| !is_listener_name(other)));
        assert_ne!(create_token(&one, &service, "", 0), create_token(&two, &service, "", 0));
        assert_ne!(create_token(&one, &service, "", 0), create_token(&one, &service, "", 1));
    }
}
