//! `--emulator`: a QCloud and an API server inside this process.

mod account;
mod demo;
mod stage;

use self::stage::Stage;
use crate::cli::Arguments;
use crate::{logging, program};

type Outcome<T = ()> = Result<T, program::Failure>;

/// Runs on the emulator: the demo, or until a signal says to stop.
pub(crate) async fn run(arguments: Arguments) -> Outcome {
    // The demo tells by itself what happens.
    let quieter = if arguments.demo { 2 } else { 0 };
    logging::start(arguments.log_format, arguments.verbosity.saturating_sub(quieter));
    if arguments.demo {
        return demo::run(arguments).await;
    }
    let stop = program::stop_signal()?;
    let stage = Stage::set_up().await?;
    let kubeconfig = std::env::temp_dir().join(format!("qcloud-ccm-{}.kubeconfig", std::process::id()));
    std::fs::write(&kubeconfig, stage.api_server.kubeconfig())?;
    println!("An emulated QCloud listens on {}; it has the VPC {}.\n", stage.cloud.endpoint(), stage.vpc_id);
    println!("export TENCENTCLOUD_ENDPOINT={}", stage.cloud.endpoint());
    println!("export TENCENTCLOUD_REGION={}", stage.cloud.region());
    println!("export TENCENTCLOUD_SECRET_ID={}", stage.cloud.secret_id());
    println!("export TENCENTCLOUD_SECRET_KEY={}", stage.cloud.secret_key());
    println!(
        "\nA Kubernetes API server listens on {}; it has a node for each of three machines.\n",
        stage.api_server.url()
    );
    println!("export KUBECONFIG={}", kubeconfig.display());
    println!("kubectl get nodes\n\nStop it with Ctrl-C.\n");
    let result = program::serve(&arguments, &stage.cloud_config(), stage.client(), stop).await;
    std::fs::remove_file(kubeconfig)?;
    result
}
