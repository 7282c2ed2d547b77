//! The program as people start it.
#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qcloud-csi"));
    command.args(arguments).env_remove("RUST_LOG").env_remove("CSI_ENDPOINT").env_remove("CLUSTER_ID");
    command
}

fn output(arguments: &[&str]) -> (Output, String) {
    let output = program(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (output, error)
}

/// Stops it as an operating system does.
fn stop(mut child: Child) -> bool {
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    child.wait().unwrap().success()
}

#[test]
fn the_demonstration_tells_its_story_to_the_end() {
    let (output, error) = output(&["--emulator", "--demo"]);
    assert!(output.status.success(), "{error}");
    assert_eq!(error, "", "the log has nothing to warn of");
    let story = String::from_utf8(output.stdout).unwrap();
    for part in [
        "com.tencent.cloud.csi.cbs",
        "pvc-data is disk-",
        "format disk-",
        "another pod reads",
        "its file system has 40 GiB",
        "the lists of volumes and snapshots are empty",
        "nothing is left behind",
    ] {
        assert!(story.contains(part), "no `{part}` in\n{story}");
    }
}

#[test]
fn the_emulator_serves_until_it_is_stopped_and_tidies_up() {
    let mut child = program(&["--emulator"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let printed: Vec<String> = lines.take_while(|line| !line.starts_with("Stop it")).collect();
    let endpoint = printed.iter().find_map(|line| line.strip_prefix("export CSI_ENDPOINT=unix://")).unwrap();
    assert!(Path::new(endpoint).exists());
    std::os::unix::net::UnixStream::connect(endpoint).unwrap();
    assert!(stop(child), "a stop is no failure");
    assert!(!Path::new(endpoint).exists());
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    let (output, error) = output(&["--mode", "controller", "--region", "ap-guangzhou"]);
    assert!(!output.status.success());
    assert!(error.contains("--cluster-id") && error.contains("kubectl get namespace kube-system"), "{error}");

    let (output, error) = self::output(&["--mode", "controller", "--driver-name", "no such name"]);
    assert!(!output.status.success());
    assert!(error.contains("no such name"), "{error}");
}
