//! A tour of the SDK: a network, machines, a load balancer and a disk are made, looked at, used wrongly; then a cluster is
//! served through the provider layer: its nodes, its routes, a Service and a volume. In the end all is removed again.
//!
//! ```text
//! cargo run --example tour                       # on the built-in emulator: no account needed
//! cargo run --example tour -- --endpoint real    # the read-only part, against QCloud itself
//! ```

mod account;
mod cluster;
mod disk;
mod instances;
mod load_balancer;
mod network;
mod nodes;
mod overview;
mod patience;
mod progress;
mod routes;
mod service;
mod volume;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use qcloud_container::provider::rate_limits;
use qcloud_core::{Config, Endpoint, Error, ErrorKind};
use qcloud_emulator::Emulator;

use account::Account;

#[derive(Parser)]
#[command(name = "tour", about = "A tour of the QCloud SDK")]
struct Arguments {
    /// Where to go: the emulator, started inside this process, or QCloud itself (only looks, changes nothing).
    #[arg(long, value_enum, default_value_t = Place::Emulator)]
    endpoint: Place,
}

#[derive(Clone, Copy, ValueEnum)]
enum Place {
    Emulator,
    Real,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().endpoint {
        Place::Emulator => on_the_emulator().await,
        Place::Real => on_qcloud().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe tour ends here: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole tour, on a QCloud that lives in this process.
async fn on_the_emulator() -> Step {
    let emulator = Emulator::builder().start().await?;
    // One configuration for everything: clients and provider share credentials, connections, and these limits.
    let config = Config::builder()
        .region(emulator.region())
        .endpoint(Endpoint::url(emulator.endpoint())?)
        .static_credentials(emulator.secret_id(), emulator.secret_key())
        .rate_limits(rate_limits())
        .build()?;
    let account = Account::new(&config);
    account.title(&format!("An emulated QCloud listens on {}", emulator.endpoint()));

    overview::look_around(&account).await?;
    let before = overview::count(&account).await?;
    let network = network::create(&account).await?;
    let ids = instances::run(&account, &network).await?;
    instances::list(&account, &network).await?;
    instances::stop_and_start(&account, &ids).await?;
    instances::make_a_mistake(&account).await?;

    let balancer = load_balancer::create(&account, &network, &ids).await?;
    load_balancer::show_health(&account, &balancer).await?;
    // Something only an emulator can be asked: where a connection would end.
    for target in
        emulator.emulator().load_balancing(emulator.region()).reached_by_connection(&balancer.address, 80, "TCP")
    {
        account.tell(&format!("a connection to {}:80 may reach {}:{}", balancer.address, target.address, target.port));
    }
    let storage = disk::create(&account, &network, ids.first().map_or("", |id| id)).await?;

    let cluster = cluster::create(&account, &config, &network).await?;
    let nodes = nodes::find(&account, &cluster, &ids).await?;
    routes::create(&account, &cluster, &nodes).await?;
    let service = service::create(&account, &cluster, &nodes).await?;
    service::follow(&account, emulator.emulator(), &service, &nodes)?;
    let volumes = volume::create(&account, &cluster, nodes.first().ok_or("there is no node")?).await?;

    account.title("Cleaning up");
    volume::delete(&account, &cluster, &volumes).await?;
    service::delete(&account, &cluster, &service).await?;
    routes::delete(&account, &cluster, &nodes).await?;
    cluster::delete(&account, &cluster).await?;
    disk::delete(&account, &storage).await?;
    load_balancer::delete(&account, &balancer).await?;
    instances::terminate(&account, &ids).await?;
    network::delete(&account, &network).await?;

    let after = overview::count(&account).await?;
    let left: Vec<_> = after.iter().map(|(what, count)| format!("{count} {what}")).collect();
    account.title(&format!(
        "Done after {} calls. What the account has now: {}",
        emulator.calls().total(),
        left.join(", ")
    ));
    if after != before {
        return Err("something was left behind".into());
    }
    emulator.shutdown().await;
    Ok(())
}

/// The part of the tour that only looks, on the account that the environment names.
async fn on_qcloud() -> Step {
    println!("Looking for credentials in the environment ...");
    let config = Config::load().await?;
    if let Err(error) = config.credentials().await {
        return Err(explain(&error).into());
    }
    if config.region().is_none() {
        return Err("no region is set: export TENCENTCLOUD_REGION=ap-guangzhou, or another one".into());
    }
    let account = Account::new(&config);
    account.title("Looking around on QCloud; nothing is changed");
    overview::look_around(&account).await?;
    instances::list_all(&account).await?;
    Ok(())
}

/// Missing credentials are what a newcomer meets first.
fn explain(error: &Error) -> String {
    if error.kind() != ErrorKind::Credentials {
        return error.to_string();
    }
    format!(
        "{error}.\n\nWith a key pair from the console (Access Management, API Keys) the tour can start:\n\n  \
         export TENCENTCLOUD_SECRET_ID=...\n  export TENCENTCLOUD_SECRET_KEY=...\n  \
         export TENCENTCLOUD_REGION=ap-guangzhou"
    )
}

/// What a step gives.
type Step<T = ()> = Result<T, Box<dyn std::error::Error>>;
