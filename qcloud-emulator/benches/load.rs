//! How many requests the emulator answers on one core, and how a query of one page slows down in a large world.
//!
//! `cargo bench -p qcloud-emulator --bench load`; it fails when a page takes twice as long in the large world as in the
//! small one. Times are the best of many, so that a busy machine disturbs little.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a bench fails like a test")]
#![allow(dead_code, unreachable_pub, reason = "the client is that of the tests")]

#[path = "../tests/behaviour/client.rs"]
mod client;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::Bytes;
use client::{Client, START, answer, text};
use http::Request;
use qcloud_emulator::{Builder, Clock, Emulator, Quota, Server, SignatureTime};
use serde_json::{Value, json};

/// How much slower a page may be in the large world.
const MOST: f64 = 2.0;

/// How much there is in a world.
#[derive(Clone, Copy)]
struct Size {
    /// Each with a route in a cluster's table.
    instances: usize,
    balancers: usize,
    /// Route tables with fifty routes each.
    tables: usize,
}

const SMALL: Size = Size { instances: 100, balancers: 100, tables: 4 };
const LARGE: Size = Size { instances: 5_000, balancers: 1_000, tables: 200 };

/// A world to ask, and what its queries name.
struct World {
    client: Client,
    instances: Vec<String>,
    balancers: Vec<String>,
    tables: Vec<String>,
}

fn knobs() -> Builder {
    let start = std::time::UNIX_EPOCH + Duration::from_secs(START);
    Emulator::builder()
        .clock(Clock::starting_at(start))
        .signature_time(SignatureTime::Unchecked)
        .call_log(100)
        .quota(Quota::PublicLoadBalancers, 2_000)
        .quota(Quota::RouteTablesPerVpc, 1_000)
        .quota(Quota::RoutesPerTable, 20_000)
}

async fn build(size: Size) -> World {
    let client = Client::of(knobs());
    let vpc = json!({"VpcName": "net", "CidrBlock": "10.0.0.0/12"});
    let vpc = text(&client.vpc("CreateVpc", vpc).await.unwrap()["Vpc"]["VpcId"]);
    let subnet = client.subnet(&vpc, "10.1.0.0/16").await.unwrap();
    let mut instances = Vec::new();
    while instances.len() < size.instances {
        let count = (size.instances - instances.len()).min(100);
        let network = json!({"VpcId": vpc, "SubnetId": subnet});
        let order = json!({"InstanceCount": count, "VirtualPrivateCloud": network, "InstanceName": "node"});
        instances.extend(client.run(order).await.unwrap());
    }
    client.pass(10);
    let mut balancers = Vec::new();
    while balancers.len() < size.balancers {
        let order = json!({"LoadBalancerType": "OPEN", "VpcId": vpc, "Number": 20, "LoadBalancerName": "front"});
        let made = client.call("clb", "CreateLoadBalancer", order).await.unwrap();
        balancers.extend(made["LoadBalancerIds"].as_array().unwrap().iter().map(text));
    }
    client.pass(10);
    let mut tables = Vec::new();
    for _ in 0..size.tables {
        let table = json!({"VpcId": vpc, "RouteTableName": "table"});
        let table = client.vpc("CreateRouteTable", table).await.unwrap();
        let table = text(&table["RouteTable"]["RouteTableId"]);
        let routes: Vec<Value> = (0..50)
            .map(|number| json!({"DestinationCidrBlock": format!("172.16.{number}.0/24"), "GatewayType": "EIP", "GatewayId": "0"}))
            .collect();
        client.vpc("CreateRoutes", json!({"RouteTableId": table, "Routes": routes})).await.unwrap();
        tables.push(table);
    }
    let mut gateways: Vec<String> = Vec::new();
    for ids in instances.chunks(100) {
        let shown = client.cvm("DescribeInstances", json!({"InstanceIds": ids, "Limit": 100})).await.unwrap();
        let shown = shown["InstanceSet"].as_array().unwrap();
        gateways.extend(shown.iter().map(|instance| text(&instance["PrivateIpAddresses"][0])));
    }
    let table = json!({"RouteTableName": "pods", "RouteTableCidrBlock": "100.64.0.0/10", "VpcId": vpc});
    client.call("tke", "CreateClusterRouteTable", table).await.unwrap();
    // A gateway has one route.
    for (number, gateway) in gateways.iter().enumerate() {
        let cidr = format!("100.{}.{}.0/24", 64 + number / 256, number % 256);
        let route = json!({"RouteTableName": "pods", "DestinationCidrBlock": cidr, "GatewayIp": gateway});
        client.call("tke", "CreateClusterRoute", route).await.unwrap();
    }
    World { client, instances, balancers, tables }
}

/// The queries: what is asked, and of which service.
fn queries(world: &World) -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let instances = &world.instances[world.instances.len() - 100..];
    let balancers = &world.balancers[world.balancers.len() - 20..];
    let tables = &world.tables[world.tables.len() - 4..];
    vec![
        ("100 instances, first page", "cvm", "DescribeInstances", json!({"Limit": 100})),
        (
            "100 instances, last page",
            "cvm",
            "DescribeInstances",
            json!({"Limit": 100, "Offset": world.instances.len() - 100}),
        ),
        ("100 instances by id", "cvm", "DescribeInstances", json!({"Limit": 100, "InstanceIds": instances})),
        (
            SWEEP,
            "cvm",
            "DescribeInstances",
            json!({"Filters": [{"Name": "private-ip-address", "Values": ["10.1.0.50"]}]}),
        ),
        (
            "5 instances by filter",
            "cvm",
            "DescribeInstances",
            json!({"Filters": [{"Name": "instance-id", "Values": instances[..5]}]}),
        ),
        (
            "100 instance states by id",
            "cvm",
            "DescribeInstancesStatus",
            json!({"Limit": 100, "InstanceIds": instances}),
        ),
        ("100 disks", "cbs", "DescribeDisks", json!({"Limit": 100})),
        (
            "100 disks of instances",
            "cbs",
            "DescribeDisks",
            json!({"Limit": 100, "Filters": [{"Name": "instance-id", "Values": instances}]}),
        ),
        ("100 load balancers", "clb", "DescribeLoadBalancers", json!({"Limit": 100})),
        ("20 load balancers by id", "clb", "DescribeLoadBalancers", json!({"LoadBalancerIds": balancers})),
        ("4 route tables of 50 routes", "vpc", "DescribeRouteTables", json!({"RouteTableIds": tables, "Limit": "100"})),
        ("a page of 4 route tables", "vpc", "DescribeRouteTables", json!({"Limit": "4"})),
        (
            "cluster routes of a gateway",
            "tke",
            "DescribeClusterRoutes",
            json!({"RouteTableName": "pods", "Filters": [{"Name": "GatewayIP", "Values": ["10.1.0.50"]}]}),
        ),
    ]
}

/// The best time of an answer.
fn time(runtime: &tokio::runtime::Runtime, emulator: &Emulator, request: &Request<Bytes>) -> Duration {
    let began = Instant::now();
    let response = runtime.block_on(emulator.handle(request.clone()));
    let took = began.elapsed();
    assert!(!response.body().is_empty());
    took
}

/// Looks at every instance, which takes as long as there are many: printed, and not held to the limit.
const SWEEP: &str = "an instance by its address";

fn compare(runtime: &tokio::runtime::Runtime, small: &World, large: &World) -> f64 {
    println!("\n{:<30} {:>10} {:>10} {:>7}", "page query, in-process", "small", "large", "ratio");
    let mut worst: f64 = 0.0;
    for (one, other) in queries(small).into_iter().zip(queries(large)) {
        let (name, service, action, _) = one;
        let requests = [(small, one.3), (large, other.3)].map(|(world, parameters)| {
            let request = world.client.unsent(service, action, parameters).signed();
            let response = runtime.block_on(world.client.emulator.handle(request.clone()));
            assert!(answer(&response).is_ok(), "{name}: {:?}", response.body());
            (world, request)
        });
        let mut best = [Duration::MAX; 2];
        for _ in 0..300 {
            for (best, (world, request)) in best.iter_mut().zip(&requests) {
                *best = time(runtime, &world.client.emulator, request).min(*best);
            }
        }
        let ratio = best[1].as_secs_f64() / best[0].as_secs_f64();
        println!("{name:<30} {:>7} µs {:>7} µs {ratio:>7.2}", best[0].as_micros(), best[1].as_micros());
        if name != SWEEP {
            worst = worst.max(ratio);
        }
    }
    worst
}

/// Requests per second of one thread that answers, nothing between it and the requests.
fn in_process(runtime: &tokio::runtime::Runtime, world: &World) {
    let parameters = json!({"Limit": 100});
    let request = world.client.unsent("cvm", "DescribeInstances", parameters).signed();
    let mut best: f64 = 0.0;
    for _ in 0..5 {
        let began = Instant::now();
        let mut answered = 0;
        while began.elapsed() < Duration::from_millis(400) {
            let response = runtime.block_on(world.client.emulator.handle(request.clone()));
            assert!(response.body().len() > 50_000);
            answered += 1;
        }
        best = best.max(f64::from(answered) / began.elapsed().as_secs_f64());
    }
    println!("DescribeInstances of 100, in-process: {best:.0} requests per second on one core");
}

/// The same through sockets: four connections that are kept, one thread that answers.
fn over_http(world: &World) {
    let saved = world.client.emulator.save().unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server: Server = knobs().start().await.unwrap();
            server.emulator().restore(&saved).unwrap();
            told.send(server.address()).unwrap();
            let _ = stopped.await;
            server.shutdown().await;
        });
    });
    let address = heard.recv().unwrap();
    let mut unsent = world.client.unsent("cvm", "DescribeInstances", json!({"Limit": 100}));
    unsent.host = address.to_string();
    let request = unsent.signed();
    let mut bytes = format!("{} / HTTP/1.1\r\nContent-Length: {}\r\n", request.method(), request.body().len());
    for (name, value) in request.headers() {
        bytes.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    let bytes = [bytes.as_bytes(), b"\r\n", request.body()].concat();
    let until = Instant::now() + Duration::from_secs(3);
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let bytes = bytes.clone();
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut buffer = vec![0; 1 << 20];
                let mut answered = 0_u32;
                while Instant::now() < until {
                    stream.write_all(&bytes).unwrap();
                    read_answer(&mut stream, &mut buffer);
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let answered: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    println!(
        "DescribeInstances of 100, HTTP on loopback: {:.0} requests per second, one thread serving",
        f64::from(answered) / 3.0
    );
    let _ = stop.send(());
    serving.join().unwrap();
}

/// Reads one answer whole.
fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let count = stream.read(&mut buffer[filled..]).unwrap();
        assert!(count > 0, "the connection was closed");
        filled += count;
        let Some(head) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let whole = head + 4 + length.parse::<usize>().unwrap();
        while filled < whole {
            filled += stream.read(&mut buffer[filled..whole]).unwrap();
        }
        return;
    }
}

fn main() -> ExitCode {
    // Cargo passes `--bench`, and `--test` when tests run: then there is nothing to measure.
    if std::env::args().any(|argument| argument == "--test") || !std::env::args().any(|argument| argument == "--bench")
    {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let began = Instant::now();
    let (small, large) = runtime.block_on(async { (build(SMALL).await, build(LARGE).await) });
    println!("worlds built in {:.1} s", began.elapsed().as_secs_f64());
    in_process(&runtime, &large);
    over_http(&large);
    let worst = compare(&runtime, &small, &large);
    println!("\nworst ratio {worst:.2}, at most {MOST} allowed");
    if worst < MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
