//! Running the programs that know the filesystems.

use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::process::Command;
use tracing::debug;

use crate::node::host::{HostError, Result};

/// The most of a program's output that an error shows.
const SHOWN: usize = 600;

/// A program, and what to install when it is missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program {
    pub(super) name: &'static str,
    pub(super) package: &'static str,
}

pub(super) const BLKID: Program = Program { name: "blkid", package: "util-linux" };
pub(super) const BLOCKDEV: Program = Program { name: "blockdev", package: "util-linux" };
pub(super) const MKFS_EXT4: Program = Program { name: "mkfs.ext4", package: "e2fsprogs" };
pub(super) const E2FSCK: Program = Program { name: "e2fsck", package: "e2fsprogs" };
pub(super) const RESIZE2FS: Program = Program { name: "resize2fs", package: "e2fsprogs" };
pub(super) const MKFS_XFS: Program = Program { name: "mkfs.xfs", package: "xfsprogs" };
pub(super) const XFS_GROWFS: Program = Program { name: "xfs_growfs", package: "xfsprogs" };

/// How a program ended.
#[derive(Debug)]
pub(super) struct Outcome {
    command: String,
    status: ExitStatus,
    pub(super) output: String,
    errors: String,
}

impl Outcome {
    /// The exit code; `None` when a signal ended it.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The error that says what happened.
    pub(super) fn error(self) -> HostError {
        let text = if self.errors.trim().is_empty() { &self.output } else { &self.errors };
        HostError::Program { command: self.command, status: self.status.to_string(), output: end_of(text) }
    }
}

fn end_of(text: &str) -> String {
    let text = text.trim();
    let from = (text.len().saturating_sub(SHOWN)..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(from..).unwrap_or_default().to_owned()
}

impl Program {
    /// Runs it to its end, without a terminal or input, in plain English.
    ///
    /// It is never killed: what makes or grows a filesystem does less harm when it gets done.
    pub(super) async fn run<A: AsRef<OsStr> + Sync>(self, arguments: &[A]) -> Result<Outcome> {
        let mut words = vec![self.name.to_owned()];
        words.extend(arguments.iter().map(|argument| argument.as_ref().to_string_lossy().into_owned()));
        let command = words.join(" ");
        debug!(%command, "running");
        let run = Command::new(self.name).args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output();
        match run.await {
            Ok(done) => Ok(Outcome {
                command,
                status: done.status,
                output: String::from_utf8_lossy(&done.stdout).into_owned(),
                errors: String::from_utf8_lossy(&done.stderr).into_owned(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(HostError::MissingProgram { program: self.name, package: self.package })
            }
            Err(error) => Err(HostError::io(format!("run `{command}`"), error)),
        }
    }

    /// Runs it, and takes any exit code but 0 for an error.
    pub(super) async fn succeed<A: AsRef<OsStr> + Sync>(self, arguments: &[A]) -> Result<String> {
        let outcome = self.run(arguments).await?;
        if outcome.status.success() { Ok(outcome.output) } else { Err(outcome.error()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_program_is_named_with_what_to_install() {
        let missing = Program { name: "mkfs.no-such-filesystem", package: "nothing" };
        let error = missing.succeed(&["/dev/null"]).await.unwrap_err();
        assert_eq!(error.to_string(), "`mkfs.no-such-filesystem` is not on this machine: install nothing");
    }

    #[tokio::test]
    async fn a_failure_shows_the_command_and_what_it_said() {
        let shell = Program { name: "sh", package: "a shell" };
        let error = shell.succeed(&["-c", "echo no luck >&2; exit 3"]).await.unwrap_err().to_string();
        assert!(error.contains("`sh -c") && error.contains("no luck") && error.contains('3'), "{error}");
    }

    #[test]
    fn only_the_end_of_long_output_is_shown() {
        let text = format!("{}the reason\n", "ä".repeat(2000));
        let shown = end_of(&text);
        assert!(shown.ends_with("the reason") && shown.len() <= SHOWN, "{}", shown.len());
        assert_eq!(end_of("  \n"), "");
    }
}
