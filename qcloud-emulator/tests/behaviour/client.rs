//! A client of the tests' own: it signs and sends, and nothing else.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use qcloud_emulator::{Builder, Clock, Emulator};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The moment at which the tests' clocks begin: 2026-01-02T03:04:05Z.
pub(crate) const START: u64 = 1_767_323_045;

/// What a refused call says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A client of an emulator inside the process.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) emulator: Emulator,
    pub(crate) region: String,
}

/// A virtual clock and checked answers, as every test wants them.
pub(crate) fn builder() -> Builder {
    let start = UNIX_EPOCH + Duration::from_secs(START);
    Emulator::builder().clock(Clock::starting_at(start)).check_responses(true)
}

/// A client of a fresh emulator.
pub(crate) fn client() -> Client {
    Client::of(builder())
}

impl Client {
    pub(crate) fn of(builder: Builder) -> Self {
        Self { emulator: builder.build().unwrap(), region: "ap-guangzhou".to_owned() }
    }

    pub(crate) fn in_region(&self, region: &str) -> Self {
        Self { emulator: self.emulator.clone(), region: region.to_owned() }
    }

    pub(crate) async fn cvm(&self, action: &str, parameters: Value) -> Result<Value, Refusal> {
        self.call("cvm", action, parameters).await
    }

    pub(crate) async fn vpc(&self, action: &str, parameters: Value) -> Result<Value, Refusal> {
        self.call("vpc", action, parameters).await
    }

    pub(crate) async fn call(&self, service: &str, action: &str, parameters: Value) -> Result<Value, Refusal> {
        let request = self.unsent(service, action, parameters);
        answer(&self.send(request).await)
    }

    /// An action of another version than the one that the tests speak.
    pub(crate) async fn call_version(
        &self,
        service: &str,
        version: &str,
        action: &str,
        parameters: Value,
    ) -> Result<Value, Refusal> {
        let request = Unsent { version: version.to_owned(), ..self.unsent(service, action, parameters) };
        answer(&self.send(request).await)
    }

    /// A request that can be spoilt before it is signed and sent.
    pub(crate) fn unsent(&self, service: &str, action: &str, parameters: Value) -> Unsent {
        Unsent {
            method: "POST".to_owned(),
            query: String::new(),
            host: format!("{service}.tencentcloudapi.com"),
            service: service.to_owned(),
            action: action.to_owned(),
            version: version(service).to_owned(),
            region: Some(self.region.clone()),
            content_type: "application/json".to_owned(),
            body: parameters.to_string().into_bytes(),
            secret_id: self.emulator.secret_id().to_owned(),
            secret_key: self.emulator.secret_key().to_owned(),
            token: None,
            at: self.emulator.clock().now(),
        }
    }

    pub(crate) async fn send(&self, request: Unsent) -> Response<Bytes> {
        self.emulator.handle(request.signed()).await
    }

    /// A VPC 10.0.0.0/16 with the subnet 10.0.1.0/24 in ap-guangzhou-3; gives both ids.
    pub(crate) async fn network(&self) -> (String, String) {
        let vpc = self.vpc("CreateVpc", json!({"VpcName": "net", "CidrBlock": "10.0.0.0/16"})).await.unwrap();
        let vpc = text(&vpc["Vpc"]["VpcId"]);
        let subnet = self.subnet(&vpc, "10.0.1.0/24").await.unwrap();
        (vpc, subnet)
    }

    pub(crate) async fn subnet(&self, vpc: &str, cidr: &str) -> Result<String, Refusal> {
        let parameters = json!({"VpcId": vpc, "SubnetName": "sub", "Zone": "ap-guangzhou-3", "CidrBlock": cidr});
        self.vpc("CreateSubnet", parameters).await.map(|answer| text(&answer["Subnet"]["SubnetId"]))
    }

    /// Runs instances in ap-guangzhou-3; `more` adds parameters or replaces them.
    pub(crate) async fn run(&self, more: Value) -> Result<Vec<String>, Refusal> {
        let mut parameters = json!({"Placement": {"Zone": "ap-guangzhou-3"}, "ImageId": "img-487zeit5"});
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        let answer = self.cvm("RunInstances", parameters).await?;
        Ok(answer["InstanceIdSet"].as_array().unwrap().iter().map(text).collect())
    }

    /// As [`run`](Client::run), in a subnet, waiting until they run.
    pub(crate) async fn running(&self, network: &(String, String), count: usize) -> Vec<String> {
        let parameters = json!({
            "InstanceCount": count,
            "VirtualPrivateCloud": {"VpcId": network.0, "SubnetId": network.1},
        });
        let ids = self.run(parameters).await.unwrap();
        self.pass(2);
        ids
    }

    pub(crate) async fn instance(&self, id: &str) -> Option<Value> {
        let answer = self.cvm("DescribeInstances", json!({"InstanceIds": [id]})).await.unwrap();
        answer["InstanceSet"].as_array().unwrap().first().cloned()
    }

    pub(crate) async fn address(&self, instance: &str) -> String {
        text(&self.instance(instance).await.unwrap()["PrivateIpAddresses"][0])
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        self.instance(id).await.map_or_else(|| "gone".to_owned(), |instance| text(&instance["InstanceState"]))
    }

    /// Lets seconds pass on the virtual clock.
    pub(crate) fn pass(&self, seconds: u64) {
        self.emulator.clock().advance(Duration::from_secs(seconds));
    }
}

/// The version of a service that the tests speak.
pub(crate) fn version(service: &str) -> &'static str {
    match service {
        "clb" => "2018-03-17",
        "tke" => "2018-05-25",
        "sts" => "2018-08-13",
        _ => "2017-03-12",
    }
}

/// A request on its way to being sent.
#[derive(Clone, Debug)]
pub(crate) struct Unsent {
    pub(crate) method: String,
    pub(crate) query: String,
    pub(crate) host: String,
    pub(crate) service: String,
    pub(crate) action: String,
    pub(crate) version: String,
    pub(crate) region: Option<String>,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    pub(crate) secret_id: String,
    pub(crate) secret_key: String,
    pub(crate) token: Option<String>,
    pub(crate) at: SystemTime,
}

impl Unsent {
    /// Makes it a GET with this query.
    pub(crate) fn get(mut self, query: &str) -> Self {
        self.method = "GET".to_owned();
        self.query = query.to_owned();
        self.content_type = "application/x-www-form-urlencoded".to_owned();
        self.body = Vec::new();
        self
    }

    pub(crate) fn signed(self) -> Request<Bytes> {
        let timestamp = self.at.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let date = chrono::DateTime::from_timestamp(timestamp.cast_signed(), 0).unwrap().format("%Y-%m-%d");
        let canonical = format!(
            "{}\n/\n{}\ncontent-type:{}\nhost:{}\n\ncontent-type;host\n{}",
            self.method,
            self.query,
            self.content_type,
            self.host,
            hex::encode(Sha256::digest(&self.body))
        );
        let scope = format!("{date}/{}/tc3_request", self.service);
        let to_sign =
            format!("TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{}", hex::encode(Sha256::digest(canonical.as_bytes())));
        let mut key = format!("TC3{}", self.secret_key).into_bytes();
        for part in [date.to_string().as_str(), &self.service, "tc3_request", &to_sign] {
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(part.as_bytes());
            key = mac.finalize().into_bytes().to_vec();
        }
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=content-type;host, Signature={}",
            self.secret_id,
            hex::encode(key)
        );
        let uri = if self.query.is_empty() { "/".to_owned() } else { format!("/?{}", self.query) };
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(uri)
            .header("Host", self.host)
            .header("Content-Type", self.content_type)
            .header("Authorization", authorization)
            .header("X-TC-Action", self.action)
            .header("X-TC-Version", self.version)
            .header("X-TC-Timestamp", timestamp.to_string());
        for (name, value) in [("X-TC-Region", self.region), ("X-TC-Token", self.token)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.body(Bytes::from(self.body)).unwrap()
    }
}

/// Reads an answer, checking the envelope that every one of them has.
pub(crate) fn answer(response: &Response<Bytes>) -> Result<Value, Refusal> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("date"));
    let mut envelope: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(envelope.as_object().unwrap().len(), 1);
    let content = envelope["Response"].take();
    assert_eq!(content["RequestId"].as_str().unwrap().len(), 36);
    match content.get("Error") {
        None => Ok(content),
        Some(error) => {
            assert_eq!(content.as_object().unwrap().len(), 2);
            let refusal = Refusal { code: text(&error["Code"]), message: text(&error["Message"]) };
            assert!(!refusal.message.is_empty());
            assert_ne!(refusal.code, "InternalError", "{}", refusal.message);
            Err(refusal)
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The code that a call was refused with.
#[track_caller]
pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    result.unwrap_err().code
}
