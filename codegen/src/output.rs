//! The files of a run, against what is on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::problem::{Problem, Problems};

/// All files that a run makes: path relative to the repository, and content.
#[derive(Debug, Default)]
pub(crate) struct Output {
    files: BTreeMap<String, String>,
    /// Folders that hold nothing but generated files.
    folders: BTreeSet<String>,
}

impl Output {
    /// Adds the files of a folder that holds nothing else.
    pub(crate) fn folder(&mut self, folder: &str, files: Vec<(String, String)>) {
        self.folders.insert(folder.to_owned());
        for (name, content) in files {
            self.files.insert(format!("{folder}/{name}"), content);
        }
    }

    pub(crate) fn file(&mut self, path: &str, content: String) {
        self.files.insert(path.to_owned(), content);
    }

    /// The files whose content on disk is another, and those on disk that no run makes any more.
    pub(crate) fn differences(&self, root: &Path) -> Result<Vec<String>, Problems> {
        let mut changed: Vec<String> = self
            .files
            .iter()
            .filter(|(path, content)| std::fs::read(root.join(path)).ok().as_deref() != Some(content.as_bytes()))
            .map(|(path, _)| path.clone())
            .collect();
        changed.extend(self.stale(root)?);
        Ok(changed)
    }

    /// Brings the disk up to date and names what changed. Files with the right content are not touched.
    pub(crate) fn write(&self, root: &Path) -> Result<Vec<String>, Problems> {
        let changed = self.differences(root)?;
        for path in &changed {
            let target = root.join(path);
            let done = match self.files.get(path) {
                Some(content) => {
                    let made = target.parent().map_or(Ok(()), std::fs::create_dir_all);
                    made.and_then(|()| std::fs::write(&target, content))
                }
                None => std::fs::remove_file(&target),
            };
            done.map_err(|error| Problem::new(path, "file", error))?;
        }
        Ok(changed)
    }

    fn stale(&self, root: &Path) -> Result<Vec<String>, Problem> {
        let mut stale = Vec::new();
        for folder in &self.folders {
            let entries = match std::fs::read_dir(root.join(folder)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Problem::new(folder, "folder", error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| Problem::new(folder, "folder", error))?;
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if !self.files.contains_key(&path) {
                    stale.push(path);
                }
            }
        }
        stale.sort();
        Ok(stale)
    }
}
