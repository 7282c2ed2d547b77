//! `qcloud-emulator`: the emulator as a program.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use qcloud_emulator::{Credential, Emulator, Server};
use tokio::signal;

/// A stateful QCloud (Tencent Cloud) on loopback.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port of 127.0.0.1 to listen on; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The region to print; all regions are there whatever it is.
    #[arg(long, default_value = "ap-guangzhou")]
    region: String,
    /// What ids, addresses and the generated key pair are made from.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Accept this secret id instead of a generated one.
    #[arg(long, requires = "secret_key")]
    secret_id: Option<String>,
    /// The key of the secret id.
    #[arg(long, requires = "secret_id")]
    secret_key: Option<String>,
    /// Seconds by which each request puts the clock forward, so that clients that poll see quick progress.
    #[arg(long, default_value_t = 0.0)]
    advance_per_request: f64,
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
    let step = std::time::Duration::try_from_secs_f64(arguments.advance_per_request)?;
    let mut builder = Emulator::builder()
        .port(arguments.port)
        .region(arguments.region)
        .seed(arguments.seed)
        .advance_per_request(step)
        .check_responses(arguments.check_responses);
    if let (Some(id), Some(key)) = (arguments.secret_id, arguments.secret_key) {
        builder = builder.credential(Credential::new(id, key));
    }
    // Before the endpoint is printed: whoever reads it may send a signal at once.
    let stopping = stop_signal()?;
    let server = builder.start().await?;
    announce(&server)?;
    stopping.await;
    server.shutdown().await;
    Ok(())
}

fn announce(server: &Server) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "qcloud-emulator listens on {}", server.endpoint())?;
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
