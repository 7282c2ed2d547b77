//! The program; all of it is in the library.

use std::process::ExitCode;

use clap::Parser;
use qcloud_csi::cli::Arguments;
use qcloud_csi::run;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    run::start_log(arguments.log_format);
    #[cfg(feature = "emulator")]
    if arguments.emulator {
        return end(qcloud_csi::demo::run(&arguments).await);
    }
    end(run::run(&arguments).await)
}

fn end<E: std::fmt::Display>(result: Result<(), E>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qcloud-csi: {error}");
            ExitCode::FAILURE
        }
    }
}
