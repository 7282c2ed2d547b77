//! What the pages say, beside what the code says.

use std::collections::BTreeSet;

use qcloud_container::kubernetes::load_balancers::annotations;

use crate::pages::{ALL, LOAD_BALANCERS, VOLUMES, here, read};

#[test]
fn the_policies_permit_what_the_code_calls_and_nothing_else() {
    for adapter in ALL {
        let permitted = adapter.permitted();
        assert!(permitted.is_sorted_by(|one, next| one < next), "{}: each once, sorted", adapter.name);
        let names = permitted.iter().map(|action| action.split_once(':').unwrap().1.to_owned());
        assert_eq!(names.collect::<BTreeSet<_>>(), adapter.called(), "{}", adapter.name);
    }
}

#[test]
fn the_pages_say_what_each_action_is_for() {
    for adapter in ALL {
        assert_eq!(adapter.explained(), adapter.permitted().into_iter().collect(), "{}", adapter.name);
    }
}

#[test]
fn every_annotation_is_explained() {
    let prefixes = [annotations::STRICT_PREFIXES.as_slice(), &["kubernetes.io/", "service."]].concat();
    let is_annotation = |word: &String| word.contains('/') && prefixes.iter().any(|prefix| word.starts_with(prefix));
    let explained: BTreeSet<String> = LOAD_BALANCERS.code_words().into_iter().filter(is_annotation).collect();
    assert_eq!(explained, annotations::KNOWN.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn every_parameter_is_explained() {
    let page = VOLUMES.page();
    let section = page.split("# Parameters\n").nth(1).unwrap().split("\n# ").next().unwrap();
    let cells = section.lines().filter(|line| line.starts_with("| `")).flat_map(|line| line.split('|').skip(1).take(2));
    let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let explained: BTreeSet<String> = names.map(str::to_ascii_lowercase).collect();

    // In the code, names are the patterns of the arms of one match.
    let source = read(here("src/provider/volumes/parameters.rs"));
    let reading = source.split("fn read(").nth(1).unwrap().split("other if ").next().unwrap();
    let arms = reading.lines().map(str::trim).filter(|line| line.starts_with('"'));
    let patterns = arms.map(|line| line.split(" =>").next().unwrap().split(" if ").next().unwrap());
    let read: BTreeSet<String> =
        patterns.flat_map(|pattern| pattern.split('"').skip(1).step_by(2)).map(str::to_owned).collect();
    assert_eq!(explained, read);
}
