//! The server as controllers meet it: through a real client of kube, in virtual time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod faults;
mod http;
mod lists;
mod patches;
mod rules;
mod watches;
mod writes;

use apiserver_double::{ApiServer, ApiService, ResponseBody};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::{Node, Service};
use kube::{Api, Client};
use serde_json::{Value, json};
use tower::ServiceExt as _;

fn client(server: &ApiServer) -> Client {
    Client::new(server.service(), "default")
}

fn nodes(server: &ApiServer) -> Api<Node> {
    Api::all(client(server))
}

fn services(server: &ApiServer) -> Api<Service> {
    Api::namespaced(client(server), "default")
}

fn node(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })
}

fn balancer(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }], "selector": { "app": name } },
    })
}

/// The status and reason of an API error.
fn refusal<T: std::fmt::Debug>(result: kube::Result<T>) -> (u16, String) {
    match result.unwrap_err() {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("not an answer: {other:?}"),
    }
}

fn refused(code: u16, reason: &str) -> (u16, String) {
    (code, reason.to_owned())
}

/// A request as bare HTTP, for what kube's client would not send.
async fn send(service: ApiService, method: &str, path: &str, content_type: &str, body: &str) -> (u16, Value) {
    let request = ::http::Request::builder().method(method).uri(path).header("content-type", content_type);
    let request = request.body(http_body_util::Full::new(bytes::Bytes::from(body.to_owned()))).unwrap();
    let response: ::http::Response<ResponseBody> = service.oneshot(request).await.unwrap();
    let code = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&body).unwrap_or(Value::Null))
}
