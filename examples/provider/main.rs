//! A provider binary in small: controllers over the traits of `qcloud_container::kubernetes`, on a cloud of your choice.
//!
//! ```text
//! cargo run --example provider                      # QCloud, emulated inside this process
//! cargo run --example provider -- --cloud memory    # the reference implementations: the controllers don't notice
//! ```
//!
//! `work.rs` is the queue, `controllers.rs` what is done for each object, and `clouds.rs` is all that knows a cloud. A real
//! binary watches an API server where this one has a list; `qcloud-ccm` does.

mod clouds;
mod controllers;
mod work;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use qcloud_container::kubernetes::load_balancers::{Service, ServiceKey, ServicePort, TargetPort, annotations};

use clouds::Cloud;
use controllers::{Nodes, Routing, Services};
use work::work;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Parser)]
#[command(name = "provider", about = "A small cloud controller")]
struct Arguments {
    /// The cloud to control: QCloud as the emulator plays it, or one that exists in memory only.
    #[arg(long, value_enum, default_value_t = Choice::Emulator)]
    cloud: Choice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Emulator,
    Memory,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().cloud {
        Choice::Emulator => on_the_emulator().await,
        Choice::Memory => in_memory().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn on_the_emulator() -> Result {
    let emulator = clouds::emulator().await?;
    let cloud = clouds::qcloud(&emulator).await?;
    emulator.calls().clear();
    control(&cloud).await?;
    println!("\nIt took {} calls:", emulator.calls().total());
    for (action, count) in emulator.calls().counts() {
        println!("  {count:>3} {action}");
    }
    emulator.shutdown().await;
    Ok(())
}

async fn in_memory() -> Result {
    let cloud = clouds::memory()?;
    control(&cloud).await
}

/// Brings a cluster to life, and takes it away again.
async fn control(cloud: &Cloud) -> Result {
    println!("Nodes");
    let nodes = Nodes::new(cloud);
    work("node", cloud.nodes.keys().cloned().collect(), |name| nodes.reconcile(name)).await;

    println!("\nRoutes");
    let mut routing = Routing::new(cloud);
    work("routes", vec!["all"], |_| routing.reconcile()).await;

    println!("\nServices");
    let mut services = Services::new(cloud, nodes.found());
    let web = ServiceKey::new("default", "web", "uid-web");
    let port = ServicePort::tcp(80).with_node_port(30080).with_target_port(TargetPort::Number(8080));
    services.all.insert(web.clone(), Service::new(web, [port.clone()]));
    // One that no retry can help: the controller says so once, and waits for the user.
    let typo = ServiceKey::new("default", "typo", "uid-typo");
    let broken = Service::new(typo.clone(), [port]).with_annotation(annotations::BANDWIDTH, "fast");
    services.all.insert(typo, broken);
    let keys: Vec<ServiceKey> = services.all.keys().cloned().collect();
    work("service", keys.clone(), |key| services.reconcile(key)).await;

    println!("\nThe user deletes everything");
    for service in services.all.values_mut() {
        service.wants_balancer = false;
    }
    work("service", keys, |key| services.reconcile(key)).await;
    routing.desired = Vec::new();
    work("routes", vec!["all"], |_| routing.reconcile()).await;
    Ok(())
}
