use apiserver_double::{ApiServer, Fault, Verb};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Node;
use kube::api::{PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::node;

#[tokio::test]
async fn a_client_finds_it_by_its_kubeconfig() {
    let server = ApiServer::new();
    let served = server.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let file = Kubeconfig::from_yaml(&served.kubeconfig()).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    assert_eq!(client.apiserver_version().await.unwrap().minor, "33");
    let groups = client.list_api_groups().await.unwrap().groups;
    assert!(groups.iter().any(|group| group.name == "coordination.k8s.io"));
    let resources = client.list_core_api_resources("v1").await.unwrap().resources;
    assert!(resources.iter().any(|resource| resource.name == "nodes" && !resource.namespaced));

    let nodes: Api<Node> = Api::all(client);
    let mut events = Box::pin(nodes.watch(&WatchParams::default(), "0").await.unwrap());
    nodes.create(&PostParams::default(), &serde_json::from_value(node("a")).unwrap()).await.unwrap();
    assert!(matches!(events.next().await.unwrap().unwrap(), WatchEvent::Added(_)));
    // A lost answer is a closed connection.
    server.faults().on(Verb::Get, "nodes").times(1).answer(Fault::LostAfter);
    assert!(!matches!(nodes.get("a").await, Ok(_) | Err(kube::Error::Api(_))));
    assert!(nodes.get("a").await.is_ok());
}

#[tokio::test]
async fn only_loopback_is_served() {
    let refused = ApiServer::new().serve("0.0.0.0:0".parse().unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("loopback"), "{refused}");
}
