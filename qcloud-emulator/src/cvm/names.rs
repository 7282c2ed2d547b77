//! Names of instances that are made together: `web-{R:3}` gives `web-3`, `web-4`, …

use std::fmt::Write;

/// The name of one of several instances.
///
/// `{R:x}` becomes `x` plus the place, `{R:x,F:y}` the same with at least `y` digits, `{IP}` the address when one is
/// given. Without a number pattern, several instances get `1`, `2`, … appended.
pub(super) fn expand(template: &str, place: usize, count: usize, address: Option<&str>) -> String {
    let mut name = String::with_capacity(template.len());
    let mut numbered = false;
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        let (before, from_brace) = rest.split_at(start);
        name.push_str(before);
        let pattern = from_brace.find('}').and_then(|end| Some((from_brace.get(1..end)?, from_brace.get(end + 1..)?)));
        match pattern {
            Some(("IP", after)) if address.is_some() => {
                name.push_str(address.unwrap_or_default());
                rest = after;
            }
            Some((inside, after)) if number_pattern(inside).is_some() => {
                let (first, width) = number_pattern(inside).unwrap_or_default();
                let number = first.saturating_add(u64::try_from(place).unwrap_or_default());
                // Writing to a string cannot fail.
                let _ = write!(name, "{number:0width$}");
                numbered = true;
                rest = after;
            }
            _ => {
                name.push('{');
                rest = from_brace.get(1..).unwrap_or_default();
            }
        }
    }
    name.push_str(rest);
    if !numbered && count > 1 {
        let _ = write!(name, "{}", place + 1);
    }
    name
}

/// `R:x` and `R:x,F:y`: the first number and the width.
fn number_pattern(inside: &str) -> Option<(u64, usize)> {
    let inside = inside.strip_prefix("R:")?;
    let (first, width) = match inside.split_once(",F:") {
        None => (inside, 0),
        Some((first, width)) => (first, width.parse().ok().filter(|width| *width <= 8)?),
    };
    let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    Some((first.parse().ok().filter(|_| digits)?, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(template: &str, count: usize) -> Vec<String> {
        (0..count).map(|place| expand(template, place, count, Some("10.0.0.9"))).collect()
    }

    #[test]
    fn documented_examples() {
        assert_eq!(names("server_{R:3}", 1), ["server_3"]);
        assert_eq!(names("server_{R:3}", 2), ["server_3", "server_4"]);
        assert_eq!(names("server_{R:3,F:3}", 2), ["server_003", "server_004"]);
        assert_eq!(names("app_{R:99,F:2}", 2), ["app_99", "app_100"]);
        assert_eq!(names("server_", 2), ["server_1", "server_2"]);
        assert_eq!(names("server", 1), ["server"]);
        assert_eq!(names("web-{IP}-{R:1}", 2), ["web-10.0.0.9-1", "web-10.0.0.9-2"]);
    }

    #[test]
    fn whatever_is_no_pattern_is_text() {
        assert_eq!(names("a{}b{R:}{R:x}{R:1,F:9}{", 1), ["a{}b{R:}{R:x}{R:1,F:9}{"]);
        assert_eq!(names("{{R:1}}", 1), ["{1}"]);
        assert_eq!(names("未命名{R:18446744073709551615}", 2).len(), 2);
    }
}
