//! Checks of what stands in requests: what has to be there, and how large it may be.

use std::collections::BTreeMap;

use tonic::Status;

/// The most bytes of a text, where the protocol does not say otherwise.
const TEXT: usize = 128;
/// The most bytes of the id of a node.
const NODE: usize = 256;
/// The most bytes of a path: what Linux takes.
const PATH: usize = 4096;
/// The most bytes of all keys and values of a map.
const MAP: usize = 4096;

fn invalid(message: String) -> Status {
    Status::invalid_argument(message)
}

fn at_most(name: &str, value: &str, most: usize) -> Result<(), Status> {
    if value.len() > most {
        return Err(invalid(format!("{name} has {} bytes; {most} are allowed", value.len())));
    }
    Ok(())
}

fn present(name: &str, value: &str) -> Result<(), Status> {
    if value.is_empty() { Err(invalid(format!("{name} is missing"))) } else { Ok(()) }
}

/// A text that may be empty.
pub(crate) fn optional(name: &str, value: &str) -> Result<(), Status> {
    at_most(name, value, TEXT)
}

/// A name or an id that has to be there.
pub(crate) fn required(name: &str, value: &str) -> Result<(), Status> {
    present(name, value)?;
    optional(name, value)
}

/// The id of a node, which may be empty.
pub(crate) fn optional_node(name: &str, value: &str) -> Result<(), Status> {
    at_most(name, value, NODE)
}

/// The id of a node that has to be there.
pub(crate) fn required_node(name: &str, value: &str) -> Result<(), Status> {
    present(name, value)?;
    optional_node(name, value)
}

/// A path that has to be there.
pub(crate) fn path(name: &str, value: &str) -> Result<(), Status> {
    present(name, value)?;
    at_most(name, value, PATH)
}

/// A map. The message names the field only: it may hold secrets.
pub(crate) fn map(name: &str, map: &BTreeMap<String, String>) -> Result<(), Status> {
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAP {
        return Err(invalid(format!("{name} has {bytes} bytes; {MAP} are allowed")));
    }
    Ok(())
}

/// The number of entries of a page.
pub(crate) fn entries(value: i32) -> Result<usize, Status> {
    usize::try_from(value).map_err(|_| invalid(format!("max_entries is {value}; it must not be negative")))
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn the_limits_are_those_of_the_protocol() {
        assert!(required("name", &"x".repeat(128)).is_ok());
        assert!(required("name", &"x".repeat(129)).is_err());
        assert!(required_node("node_id", &"x".repeat(256)).is_ok());
        assert!(required_node("node_id", &"x".repeat(257)).is_err());
        assert!(path("target_path", &"x".repeat(4096)).is_ok());
        let full = BTreeMap::from([("k".to_owned(), "x".repeat(4095))]);
        assert!(map("parameters", &full).is_ok());
        let over = BTreeMap::from([("k".to_owned(), "x".repeat(4096))]);
        assert!(map("parameters", &over).is_err());
        assert!(entries(-1).is_err());
    }

    #[test]
    fn what_is_missing_is_named() {
        for status in [required("volume_id", ""), required_node("volume_id", ""), path("volume_id", "")] {
            let status = status.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(status.message(), "volume_id is missing");
        }
    }

    #[test]
    fn a_map_that_is_too_large_is_not_shown() {
        let secrets = BTreeMap::from([("password".to_owned(), "x".repeat(5000))]);
        let message = map("secrets", &secrets).unwrap_err().message().to_owned();
        assert!(!message.contains("xx") && !message.contains("password"), "{message}");
    }
}
