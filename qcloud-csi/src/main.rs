//! The program; all of it is in the library.

use std::process::ExitCode;

use clap::Parser;
use qcloud_csi::cli::Arguments;
use qcloud_csi::run;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    #[cfg(feature = "emulator")]
    if arguments.emulator {
        // The demonstration tells what happens in words of its own.
        run::start_log(arguments.log_format, if arguments.demo { "warn" } else { "info" });
        return end(qcloud_csi::demo::run(&arguments).await);
    }
    run::start_log(arguments.log_format, "info");
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
