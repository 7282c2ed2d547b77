//! `qcloud-emulator`: the emulator as a program.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use qcloud_emulator::{Builder, Config, Credential, Emulator, Server};
use tokio::signal;

/// A stateful QCloud (Tencent Cloud) on loopback.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// A TOML file with knobs; docs/emulator.toml of this crate shows every key. Other arguments go before it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Port of 127.0.0.1 to listen on; 0, the default, takes any free one.
    #[arg(long)]
    port: Option<u16>,
    /// Port of 127.0.0.1 for knobs, faults, clock, call log and state while it runs; 0 takes any free one.
    #[arg(long, value_name = "PORT")]
    admin_port: Option<u16>,
    /// Goes on with the state in this file, if it is there, and saves the state to it at a clean stop.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// The region to print, ap-guangzhou by default; all regions are there whatever it is.
    #[arg(long)]
    region: Option<String>,
    /// What ids, addresses and the generated key pair are made from; 0 by default.
    #[arg(long)]
    seed: Option<u64>,
    /// Accept this secret id instead of a generated one.
    #[arg(long, requires = "secret_key")]
    secret_id: Option<String>,
    /// The key of the secret id.
    #[arg(long, requires = "secret_id")]
    secret_key: Option<String>,
    /// Seconds by which each request puts the clock forward, so that clients that poll see quick progress.
    #[arg(long, value_name = "SECONDS")]
    advance_per_request: Option<f64>,
    /// Hold every answer against the API model, and answer InternalError when it does not fit.
    #[arg(long)]
    check_responses: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qcloud-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let config = match &arguments.config {
        Some(path) => read(path, Config::from_toml)?,
        None => Config::default(),
    };
    let state = arguments.state.clone().or_else(|| config.state().map(Path::to_owned));
    // Before the endpoint is printed: whoever reads it may send a signal at once.
    let stopping = stop_signal()?;
    let builder = builder(config.builder(), arguments)?;
    let server = builder.start().await?;
    if let Some(path) = state.as_deref().filter(|path| path.exists()) {
        read(path, |saved| server.emulator().restore(saved))?;
    }
    announce(&server)?;
    stopping.await;
    let emulator = server.emulator().clone();
    server.shutdown().await;
    if let Some(path) = state {
        save(&emulator, &path)?;
    }
    Ok(())
}

/// Lays the arguments over the configuration.
fn builder(mut builder: Builder, arguments: Arguments) -> Result<Builder, Box<dyn Error>> {
    if let Some(port) = arguments.port {
        builder = builder.port(port);
    }
    if let Some(port) = arguments.admin_port {
        builder = builder.admin_port(port);
    }
    if let Some(region) = arguments.region {
        builder = builder.region(region);
    }
    if let Some(seed) = arguments.seed {
        builder = builder.seed(seed);
    }
    if let Some(seconds) = arguments.advance_per_request {
        builder = builder.advance_per_request(Duration::try_from_secs_f64(seconds)?);
    }
    if arguments.check_responses {
        builder = builder.check_responses(true);
    }
    if let (Some(id), Some(key)) = (arguments.secret_id, arguments.secret_key) {
        builder = builder.credential(Credential::new(id, key));
    }
    Ok(builder)
}

/// Reads a file and makes something of it; errors name the file.
fn read<T, E: Error>(path: &Path, make: impl FnOnce(&str) -> Result<T, E>) -> Result<T, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    make(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes the state beside its file and then puts it in its place, so that no half of it is ever there.
fn save(emulator: &Emulator, path: &Path) -> Result<(), Box<dyn Error>> {
    let saved = emulator.save()?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let written = fs::write(&beside, saved).and_then(|()| fs::rename(&beside, path));
    Ok(written.map_err(|error| format!("{}: {error}", path.display()))?)
}

fn announce(server: &Server) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "qcloud-emulator listens on {}", server.endpoint())?;
    if let Some(endpoint) = server.admin_endpoint() {
        writeln!(out, "its admin port is at {endpoint}")?;
    }
    writeln!(out, "\nFor clients that read the environment:\n")?;
    writeln!(out, "export TENCENTCLOUD_SECRET_ID={}", server.secret_id())?;
    writeln!(out, "export TENCENTCLOUD_SECRET_KEY={}", server.secret_key())?;
    writeln!(out, "export TENCENTCLOUD_REGION={}", server.region())?;
    writeln!(out, "export TENCENTCLOUD_ENDPOINT={}", server.endpoint())?;
    writeln!(out, "\nStop it with Ctrl-C.")?;
    out.flush()
}

/// Resolves at SIGINT or SIGTERM. The handlers are in place when this returns.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use signal::unix::{SignalKind, signal};
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = signal::ctrl_c().await;
    })
}
