//! A whole call against the same exchange by hand.
//!
//! A request of 2 KiB goes to a server on loopback that answers 63 KB: 33 instances. Measured are
//! - the typed call of `qcloud-cvm`,
//! - plain reqwest with the same body and as many headers, read with plain serde_json into the same types,
//! - plain reqwest that throws the body away.
//!
//! The three take turns in short rounds, so that a change in the machine's speed meets all of them. The server has a
//! thread of its own; each client runs on one thread, whose CPU time is read from the system.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use qcloud_core::transport::{Proxy, ReqwestTransport};
use qcloud_core::{Config, Endpoint};
use qcloud_cvm::model::{DescribeInstances, DescribeInstancesResponse, Filter};
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const INSTANCES: usize = 33;
const ANSWER_SIZE: usize = 63_000;
const REQUEST_SIZE: usize = 2048;
const ROUNDS: usize = 30;
const CALLS: usize = 100;
const AT_ONCE: usize = 16;

/// One instance as the API describes them, with ids and addresses that differ.
fn instance(number: usize, padding: usize) -> String {
    format!(
        r#"{{"Placement":{{"Zone":"ap-guangzhou-3","HostId":"","ProjectId":0}},"InstanceId":"ins-{number:08}",
"InstanceType":"S5.MEDIUM4","CPU":2,"Memory":4,"RestrictState":"NORMAL","InstanceName":"node-{number}",
"InstanceChargeType":"POSTPAID_BY_HOUR","SystemDisk":{{"DiskType":"CLOUD_PREMIUM","DiskId":"disk-{number:08}","DiskSize":50}},
"DataDisks":[{{"DiskSize":100,"DiskType":"CLOUD_SSD","DiskId":"disk-d{number:07}","DeleteWithInstance":true,"Encrypt":false}}],
"PrivateIpAddresses":["10.0.{}.{}"],"PublicIpAddresses":[],
"InternetAccessible":{{"InternetChargeType":"TRAFFIC_POSTPAID_BY_HOUR","InternetMaxBandwidthOut":0}},
"VirtualPrivateCloud":{{"VpcId":"vpc-12345678","SubnetId":"subnet-12345678","AsVpcGateway":false}},
"ImageId":"img-12345678","RenewFlag":"NOTIFY_AND_MANUAL_RENEW","CreatedTime":"2024-05-01T08:00:00Z","ExpiredTime":null,
"OsName":"TencentOS Server 4 for x86_64","SecurityGroupIds":["sg-12345678","sg-87654321"],
"LoginSettings":{{"KeyIds":["skey-12345678"]}},"InstanceState":"RUNNING",
"Tags":[{{"Key":"cluster","Value":"cls-12345678"}},{{"Key":"note","Value":"{}"}}],"StopChargingMode":"NOT_APPLICABLE",
"Uuid":"5c1a63a2-0000-4000-8000-{number:012}","LatestOperation":"RunInstances","LatestOperationState":"SUCCESS",
"LatestOperationRequestId":"3c140219-cfe9-470e-b241-907877d6fb03","DisasterRecoverGroupId":"","IPv6Addresses":[],
"CamRoleName":"","HpcClusterId":"","RdmaIpAddresses":[],"IsolatedSource":"NOTISOLATED"}}"#,
        number / 250,
        number % 250,
        "x".repeat(padding),
    )
    .replace('\n', "")
}

fn answer() -> String {
    let bare = instance(0, 0).len();
    let padding = (ANSWER_SIZE / INSTANCES).saturating_sub(bare);
    let list: Vec<_> = (0..INSTANCES).map(|number| instance(number, padding)).collect();
    format!(
        r#"{{"Response":{{"TotalCount":{INSTANCES},"InstanceSet":[{}],"RequestId":"6ef60bec-0242-43af-bb20-270359fb54a7"}}}}"#,
        list.join(",")
    )
}

fn request() -> DescribeInstances {
    let names = (0..).map(|number| format!("a-name-of-a-node-{number:04}"));
    let mut filters: Vec<Filter> = Vec::new();
    let mut names = names.peekable();
    loop {
        let request = DescribeInstances::new().filters(filters.clone()).limit(100);
        if serde_json::to_vec(&request).unwrap().len() >= REQUEST_SIZE {
            return request;
        }
        filters.push(Filter::new("instance-name", names.by_ref().take(4)));
    }
}

/// Answers every request on a connection with the same bytes.
async fn serve(mut stream: TcpStream, answer: &'static [u8]) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let whole = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
                if buffer.len() >= end + 4 + length {
                    break end + 4 + length;
                }
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        buffer.drain(..whole);
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

fn start_server(body: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let date = "Mon, 23 Nov 2026 08:00:00 GMT";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer: &'static [u8] = answer.into_bytes().leak();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answer));
            }
        });
    });
    url
}

/// CPU time of this thread, from the system's own account.
fn cpu_time() -> Duration {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells the CPU time of a thread");
    Duration::from_nanos(account.split(' ').next().unwrap().parse().unwrap())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    response: DescribeInstancesResponse,
}

struct Plain {
    client: reqwest::Client,
    url: String,
    body: bytes::Bytes,
}

impl Plain {
    fn new(url: &str) -> Self {
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().tcp_nodelay(true).build().unwrap();
        Self { client, url: url.to_owned(), body: serde_json::to_vec(&request()).unwrap().into() }
    }

    async fn exchange(&self) -> bytes::Bytes {
        let request = self.client.post(&self.url).body(self.body.clone());
        let request = [
            ("content-type", "application/json"),
            ("x-tc-action", "DescribeInstances"),
            ("x-tc-version", "2017-03-12"),
            ("x-tc-region", "ap-guangzhou"),
            ("x-tc-timestamp", "1714550400"),
            ("x-tc-language", "en-US"),
            ("user-agent", "plain"),
            ("authorization", &*"TC3-HMAC-SHA256 ".repeat(14)),
        ]
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
        request.send().await.unwrap().bytes().await.unwrap()
    }

    async fn typed(&self) {
        // The request is written for each call, as the typed client does.
        let plain = Self {
            client: self.client.clone(),
            url: self.url.clone(),
            body: serde_json::to_vec(&request_template()).unwrap().into(),
        };
        let body = plain.exchange().await;
        let envelope: Envelope = serde_json::from_slice(&body).unwrap();
        assert_eq!(envelope.response.instance_set.len(), INSTANCES);
    }

    async fn discard(&self) {
        assert!(self.exchange().await.len() > ANSWER_SIZE / 2);
    }
}

thread_local! {
    static TEMPLATE: DescribeInstances = request();
}

fn request_template() -> DescribeInstances {
    TEMPLATE.with(Clone::clone)
}

async fn sdk(client: &qcloud_cvm::Client) {
    let answer = client.describe_instances(request_template()).await.unwrap();
    assert_eq!(answer.instance_set.len(), INSTANCES);
}

#[derive(Default)]
struct Figures {
    latency: Vec<Duration>,
    cpu: Vec<Duration>,
    per_second: Vec<f64>,
}

impl Figures {
    async fn round<F: Future<Output = ()>>(&mut self, call: impl Fn() -> F) {
        let (wall, cpu) = (Instant::now(), cpu_time());
        for _ in 0..CALLS {
            call().await;
        }
        self.cpu.push((cpu_time() - cpu) / CALLS as u32);
        self.latency.push(wall.elapsed() / CALLS as u32);
        let wall = Instant::now();
        for _ in 0..CALLS / AT_ONCE {
            join_all((0..AT_ONCE).map(|_| call())).await;
        }
        self.per_second.push((CALLS / AT_ONCE * AT_ONCE) as f64 / wall.elapsed().as_secs_f64());
    }

    fn medians(mut self) -> (f64, f64, f64) {
        let middle = |times: &mut Vec<Duration>| {
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e6
        };
        self.per_second.sort_by(f64::total_cmp);
        (middle(&mut self.latency), middle(&mut self.cpu), self.per_second[self.per_second.len() / 2])
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let body = answer();
    let url = start_server(&body);
    println!(
        "request {} bytes, answer {} bytes, {ROUNDS} rounds of {CALLS} calls each",
        serde_json::to_vec(&request()).unwrap().len(),
        body.len()
    );

    let transport = ReqwestTransport::builder().proxy(Proxy::Direct).build().unwrap();
    let config = Config::builder()
        .region("ap-guangzhou")
        .endpoint(Endpoint::url(&url).unwrap())
        .static_credentials("AKIDbench", "bench")
        .transport(transport)
        .build()
        .unwrap();
    let client = qcloud_cvm::Client::new(&config);
    let plain = Plain::new(&url);

    let (mut ours, mut typed, mut discarded) = (Figures::default(), Figures::default(), Figures::default());
    for round in 0..=ROUNDS {
        if round == 1 {
            // The first round only warms up.
            (ours, typed, discarded) = Default::default();
        }
        ours.round(|| sdk(&client)).await;
        typed.round(|| plain.typed()).await;
        discarded.round(|| plain.discard()).await;
    }
    let rows = [
        ("typed call of qcloud-cvm", ours),
        ("plain reqwest, same types", typed),
        ("plain reqwest, body thrown away", discarded),
    ];
    let figures = rows.map(|(name, figures)| (name, figures.medians()));
    println!("{:<34}{:>14}{:>14}{:>16}", "medians", "latency, us", "CPU, us", "calls/s, 16 up");
    for (name, (latency, cpu, rate)) in &figures {
        println!("{name:<34}{latency:>14.1}{cpu:>14.1}{rate:>16.0}");
    }
    let [(_, ours), (_, typed), (_, discarded)] = figures;
    println!("latency, qcloud-cvm / same types       {:.3}   (at most 1.15)", ours.0 / typed.0);
    println!("CPU,     qcloud-cvm / same types       {:.3}   (at most 1.15)", ours.1 / typed.1);
    println!("calls/s, qcloud-cvm / body thrown away {:.3}   (at least 0.5)", ours.2 / discarded.2);
}
