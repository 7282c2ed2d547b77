//! The program; all of it is in the library.

use std::process::ExitCode;

use clap::Parser;
use qcloud_ccm::cli::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    match qcloud_ccm::program::run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qcloud-ccm: {error}");
            ExitCode::FAILURE
        }
    }
}
