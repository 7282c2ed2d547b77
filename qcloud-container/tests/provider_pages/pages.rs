//! The pages, and the sources that they are about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// An adapter, by the name of its module and of its page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adapter {
    pub(crate) name: &'static str,
    /// Sources of another one that it calls the cloud with.
    more: &'static [&'static str],
}

pub(crate) const INSTANCES: Adapter = Adapter { name: "instances", more: &[] };
pub(crate) const ROUTES: Adapter = Adapter { name: "routes", more: &[] };
pub(crate) const LOAD_BALANCERS: Adapter = Adapter { name: "load_balancers", more: &[] };
pub(crate) const VOLUMES: Adapter = Adapter { name: "volumes", more: &["instances/zones.rs"] };
pub(crate) const ALL: [Adapter; 4] = [INSTANCES, ROUTES, LOAD_BALANCERS, VOLUMES];

pub(crate) fn here(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Whether the clouds of the adapters have this action, as `service:Action`.
fn exists(action: &str) -> bool {
    let mut known = qcloud_emulator::implemented_actions().into_iter();
    known.any(|(service, _, name)| action.split_once(':') == Some((service, name)))
}

impl Adapter {
    pub(crate) fn page(self) -> String {
        read(here(format!("docs/{}.md", self.name)))
    }

    /// What the page sets in code, outside of examples.
    pub(crate) fn code_words(self) -> Vec<String> {
        let page = self.page();
        let prose: String = page.split("```").step_by(2).collect();
        prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    /// The actions that the page explains, as `service:Action`.
    pub(crate) fn explained(self) -> BTreeSet<String> {
        self.code_words().into_iter().filter(|word| exists(word)).collect()
    }

    /// The actions of the policy on the page, as they stand there.
    pub(crate) fn permitted(self) -> Vec<String> {
        let page = self.page();
        let json = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        let policy: Value = serde_json::from_str(json).unwrap();
        assert_eq!(policy["version"], "2.0");
        let actions = policy["statement"][0]["action"].as_array().unwrap();
        actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect()
    }

    /// The names of the actions in the code: the types of requests, and texts. Comments and tests don't count.
    pub(crate) fn called(self) -> BTreeSet<String> {
        let folder = here("src/provider");
        let own = std::fs::read_dir(folder.join(self.name)).unwrap().map(|entry| entry.unwrap().path());
        let mut source = String::new();
        for file in own.chain(self.more.iter().map(|name| folder.join(name))) {
            let text = read(file);
            let code = text.split("#[cfg(test)]").next().unwrap();
            for line in code.lines() {
                source.push_str(line.split("//").next().unwrap());
                source.push('\n');
            }
        }
        let known: BTreeSet<&str> = qcloud_emulator::implemented_actions().into_iter().map(|(.., name)| name).collect();
        let words = source.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.filter(|word| known.contains(word)).map(str::to_owned).collect()
    }
}
