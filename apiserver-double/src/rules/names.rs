//! The forms of names, labels and keys.

type Answer = Result<(), &'static str>;

fn is_label(text: &str, first_is_letter: bool) -> bool {
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let end = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(|first| if first_is_letter { first.is_ascii_lowercase() } else { end(first) })
        && bytes.last().is_some_and(end)
        && bytes.iter().all(inner)
}

/// RFC 1123 label: a part of a domain name.
pub(crate) fn label(text: &str) -> Answer {
    let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', must start and end \
               with an alphanumeric character, and must be no more than 63 characters";
    if is_label(text, false) { Ok(()) } else { Err(why) }
}

/// RFC 1035 label: like that of RFC 1123, and it starts with a letter.
pub(crate) fn label_1035(text: &str) -> Answer {
    let why = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
               character, end with an alphanumeric character, and must be no more than 63 characters";
    if is_label(text, true) { Ok(()) } else { Err(why) }
}

/// RFC 1123 subdomain: labels with dots between.
pub(crate) fn subdomain(text: &str) -> Answer {
    let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', must start \
               and end with an alphanumeric character, and must be no more than 253 characters";
    let part = |part: &str| {
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        ends(part.bytes().next())
            && ends(part.bytes().last())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if text.len() <= 253 && text.split('.').all(part) { Ok(()) } else { Err(why) }
}

fn is_name(text: &str) -> bool {
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && ends(text.bytes().next())
        && ends(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

/// A key of labels, annotations, taints: a name, perhaps with a domain and a slash before it.
pub(crate) fn qualified(text: &str) -> Answer {
    let why = "name part must consist of alphanumeric characters, '-', '_' or '.', must start and end with an \
               alphanumeric character, must be no more than 63 characters, with an optional DNS subdomain prefix and '/'";
    let good = match text.split_once('/') {
        Some((prefix, name)) => subdomain(prefix).is_ok() && is_name(name),
        None => is_name(text),
    };
    if good { Ok(()) } else { Err(why) }
}

/// The value of a label.
pub(crate) fn label_value(text: &str) -> Answer {
    let why = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', must start \
               and end with an alphanumeric character, and must be no more than 63 characters";
    if text.is_empty() || is_name(text) { Ok(()) } else { Err(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_held_to_their_form() {
        for (good, bad) in [("a-1", "a.b"), ("1a", "-a"), ("a", "A"), ("b", "")] {
            assert!(label(good).is_ok() && label(bad).is_err(), "{good} {bad}");
        }
        assert!(label_1035("a1").is_ok() && label_1035("1a").is_err());
        assert!(subdomain("10.0.0.1").is_ok() && subdomain("a..b").is_err() && subdomain("a_b").is_err());
        assert!(qualified("a.b/C_d").is_ok() && qualified("a/b/c").is_err() && qualified("/c").is_err());
        assert!(label_value("").is_ok() && label_value("a b").is_err() && label_value(&"a".repeat(64)).is_err());
    }
}
