//! What the process can see around it: environment variables and files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where configuration and credentials read variables and files from; a test gives its own.
pub trait Environment: fmt::Debug + Send + Sync {
    /// The value of an environment variable; `None` when unset or not Unicode.
    fn var(&self, name: &str) -> Option<String>;

    /// The whole content of a file.
    fn read_file(&self, path: &Path) -> io::Result<String>;

    /// The user's home folder, where profile files live.
    fn home_dir(&self) -> Option<PathBuf> {
        let home = self.var("HOME").or_else(|| self.var("USERPROFILE"))?;
        (!home.is_empty()).then(|| PathBuf::from(home))
    }
}

/// The real environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}
