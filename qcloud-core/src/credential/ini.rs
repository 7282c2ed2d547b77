//! The INI form of `~/.tencentcloud/credentials`, as the official clients read it.

use std::fmt;

use crate::Secret;

/// A file of `key = value` lines under `[section]` heads. Every value counts as a secret.
#[derive(Debug, Default)]
pub(super) struct Ini {
    sections: Vec<Section>,
}

/// The lines under one head, or under several heads of the same name.
#[derive(Debug)]
pub(super) struct Section {
    name: String,
    entries: Vec<Entry>,
}

struct Entry {
    key: String,
    value: Secret,
    line: usize,
}

/// Keys are hidden too: a secret pasted alone on a line with a `=` at its end would pass for one.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)
    }
}

/// What is wrong with a line; never what is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) what: &'static str,
}

impl Ini {
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let mut ini = Self::default();
        let mut current = None;
        for (index, raw) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = index + 1;
            let malformed = |what| Malformed { line, what };
            let text = raw.trim();
            if text.is_empty() || text.starts_with(['#', ';']) {
                continue;
            }
            if let Some(head) = text.strip_prefix('[') {
                let name = section_name(head).map_err(malformed)?;
                current = Some(ini.open(name));
                continue;
            }
            let (key, rest) = text.split_once(['=', ':']).ok_or(malformed("expected `key = value` or `[profile]`"))?;
            let key = key.trim().to_ascii_lowercase();
            if key.is_empty() || key.contains(char::is_whitespace) {
                return Err(malformed("expected one word before the `=`"));
            }
            let value = value(rest).map_err(malformed)?;
            let section = current
                .and_then(|position| ini.sections.get_mut(position))
                .ok_or(malformed("a value before the first `[profile]` line"))?;
            if section.entries.iter().any(|entry| entry.key == key) {
                return Err(malformed("the same key twice in one profile"));
            }
            section.entries.push(Entry { key, value, line });
        }
        Ok(ini)
    }

    fn open(&mut self, name: &str) -> usize {
        self.sections.iter().position(|section| section.name == name).unwrap_or_else(|| {
            self.sections.push(Section { name: name.to_owned(), entries: Vec::new() });
            self.sections.len() - 1
        })
    }

    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl Section {
    /// The value of a key; an empty one counts as none.
    pub(super) fn get(&self, key: &str) -> Option<&Secret> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value).filter(|value| !value.is_empty())
    }
}

fn section_name(head: &str) -> Result<&str, &'static str> {
    let (name, rest) = head.split_once(']').ok_or("`[` without `]`")?;
    if !is_comment(rest) {
        return Err("text after the `]`");
    }
    Some(name.trim()).filter(|name| !name.is_empty()).ok_or("a profile without a name")
}

/// The part behind the `=`: quotes are taken off, and a comment after a blank is left out.
fn value(rest: &str) -> Result<Secret, &'static str> {
    let text = rest.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            let (inner, rest) = inner.split_once(quote).ok_or("a quote that is not closed")?;
            return if is_comment(rest) { Ok(inner.into()) } else { Err("text after the closing quote") };
        }
    }
    let mut blank_before = rest.starts_with(char::is_whitespace);
    for (at, character) in text.char_indices() {
        if blank_before && matches!(character, '#' | ';') {
            return Ok(text.get(..at).unwrap_or_default().trim_end().into());
        }
        blank_before = character.is_whitespace();
    }
    Ok(text.into())
}

fn is_comment(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty() || rest.starts_with(['#', ';'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn get<'a>(ini: &'a Ini, section: &str, key: &str) -> Option<&'a str> {
        ini.section(section)?.get(key).map(Secret::expose)
    }

    #[test]
    fn reads_what_the_official_clients_read() {
        let text = "\u{feff}# a comment\r\n; another\r\n[default]\r\nsecret_id = AKID\r\nSecret_Key=\"key=with:signs # in it\" ; why\r\n\
                    token: 'tok'\r\nrole_arn = qcs::cam::uin/1:roleName/x  # comment\r\nregion=a#b\r\nempty =\r\nnone = # comment\r\n\
                    [ other ] # comment\nsecret_id = two\n[default]\nmore = yes\n";
        let ini = Ini::parse(text).unwrap();
        assert_eq!(get(&ini, "default", "secret_id"), Some("AKID"));
        assert_eq!(get(&ini, "default", "secret_key"), Some("key=with:signs # in it"));
        assert_eq!(get(&ini, "default", "token"), Some("tok"));
        assert_eq!(get(&ini, "default", "role_arn"), Some("qcs::cam::uin/1:roleName/x"));
        assert_eq!(get(&ini, "default", "region"), Some("a#b"));
        assert_eq!(get(&ini, "default", "empty"), None);
        assert_eq!(get(&ini, "default", "none"), None);
        assert_eq!(get(&ini, "default", "more"), Some("yes"));
        assert_eq!(get(&ini, "other", "secret_id"), Some("two"));
        assert_eq!(get(&ini, "Default", "secret_id"), None);
    }

    #[test]
    fn malformed_lines_are_named_by_number() {
        for (text, line) in [
            ("[default]\nhunter2", 2),
            ("[default", 1),
            ("\n[default] hunter2", 2),
            ("[]", 1),
            ("secret_id = x", 1),
            ("[a]\nsecret id = x", 2),
            ("[a]\n= hunter2", 2),
            ("[a]\nx = \"hunter2", 2),
            ("[a]\nx = \"a\" b", 2),
            ("[a]\nx = 1\n[b]\n[a]\nX = 2", 5),
        ] {
            let malformed = Ini::parse(text).unwrap_err();
            assert_eq!(malformed.line, line, "{text:?}");
            assert!(!format!("{malformed:?}").contains("hunter2"));
        }
    }

    #[test]
    fn debug_shows_neither_keys_nor_values() {
        let ini = Ini::parse("[default]\nsecret_key = hunter2\nhunter3 =").unwrap();
        let debug = format!("{ini:?}");
        assert!(!debug.contains("hunter"), "{debug}");
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,200}") {
            let _ = Ini::parse(&text);
        }

        #[test]
        fn never_panics_on_near_misses(text in "[\\[\\]=:#;\"'a \\r\\n\u{e4}\u{feff}]{0,60}") {
            let _ = Ini::parse(&text);
        }

        #[test]
        fn reads_back_any_plain_value(value in "[A-Za-z0-9+/_*.=:-]{1,60}") {
            let ini = Ini::parse(&format!("[p]\nsecret_key = {value}\n")).unwrap();
            prop_assert_eq!(get(&ini, "p", "secret_key"), Some(value.as_str()));
        }
    }
}
