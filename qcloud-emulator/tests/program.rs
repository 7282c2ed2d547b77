//! The program: its arguments, its files and its end.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "helpers of tests fail like tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running program, with what it has printed.
struct Program {
    child: Child,
    printed: Vec<String>,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_qcloud-emulator")).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut printed = Vec::new();
        for line in lines {
            let last = line.starts_with("Stop it");
            printed.push(line);
            if last {
                break;
            }
        }
        Self { child, printed }
    }

    fn after(&self, words: &str) -> &str {
        self.printed.iter().find_map(|line| line.strip_prefix(words)).unwrap()
    }

    /// Asks the admin port.
    fn admin(&self, request: &str, body: &str) -> String {
        let address = self.after("its admin port is at http://");
        let mut stream = TcpStream::connect(address).unwrap();
        let headers = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close";
        write!(stream, "{request} HTTP/1.1\r\n{headers}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Stops it as an operating system does.
    fn stop(mut self) {
        assert!(Command::new("kill").arg(self.child.id().to_string()).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_state_outlives_the_program() {
    let folder = folder("state");
    let (config, state) = (folder.join("emulator.toml"), folder.join("state.json"));
    std::fs::write(&config, "clock = \"2026-01-01T00:00:00Z\"\n[settings]\nseed = 3\npage-shift = 2\n").unwrap();
    let (config, state) = (config.to_str().unwrap(), state.to_str().unwrap());
    let arguments = ["--config", config, "--state", state, "--admin-port", "0"];
    let first = Program::start(&arguments);
    assert_eq!(first.after("export TENCENTCLOUD_REGION="), "ap-guangzhou");
    let key = first.after("export TENCENTCLOUD_SECRET_ID=").to_owned();
    assert!(first.admin("GET /settings", "").contains("\"page-shift\":2"));
    first.admin("POST /clock", "{\"advance\": 90}");
    first.admin("POST /settings", "{\"page-shift\": 5}");
    first.admin("POST /faults", "{\"effect\": \"hang\", \"nth\": 7}");
    first.stop();
    let second = Program::start(&arguments);
    assert_eq!(second.after("export TENCENTCLOUD_SECRET_ID="), key);
    assert!(second.admin("GET /clock", "").contains("2026-01-01T00:01:30Z"));
    assert!(second.admin("GET /settings", "").contains("\"page-shift\":5"));
    assert!(second.admin("GET /faults", "").contains("\"hang\""));
    second.stop();
}

#[test]
fn mistakes_in_files_end_it_with_their_place() {
    let folder = folder("mistakes");
    let file = folder.join("emulator.toml");
    for (text, argument, parts) in [
        ("[settings]\nsped = 1\n", "--config", ["emulator.toml: ", "line 2"]),
        ("{}", "--state", ["emulator.toml: ", "no saved state"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let program = Command::new(env!("CARGO_BIN_EXE_qcloud-emulator")).arg(argument).arg(&file).output().unwrap();
        let said = String::from_utf8(program.stderr).unwrap();
        assert!(!program.status.success() && parts.iter().all(|part| said.contains(part)), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}
