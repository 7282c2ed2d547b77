//! Two writers of one load balancer: the lock keeps them apart, and nothing is half done.

use serde_json::json;

use super::network;
use crate::client::{client, text};

#[tokio::test]
async fn of_many_writers_at_once_one_wins() {
    let client = client();
    let network = network(&client, 1).await;
    let balancer = client.balancer(&network.vpc).await;
    let mut calls = Vec::new();
    for port in 1..=20 {
        let (client, balancer) = (client.clone(), balancer.clone());
        calls.push(tokio::spawn(async move {
            let parameters = json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": [port]});
            client.clb("CreateListener", parameters).await
        }));
    }
    let mut won = Vec::new();
    for call in calls {
        match call.await.unwrap() {
            Ok(answer) => won.push(text(&answer["ListenerIds"][0])),
            Err(refusal) => assert_eq!(refusal.code, "FailedOperation.ResourceInOperating"),
        }
    }
    client.pass(1);
    let listeners = client.listeners(&balancer).await;
    assert_eq!((won.len(), listeners.len(), &listeners[0]["ListenerId"]), (1, 1, &json!(won[0])));
}
