use std::collections::{BTreeMap, BTreeSet};

/// A label selector, as `kubectl -l` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Requirement {
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
    Exists(String),
    Missing(String),
}

impl LabelSelector {
    /// Reads a selector: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let requirements = split(text)?.into_iter().map(requirement).collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// Whether labels meet all of it.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Missing(key) => !labels.contains_key(key),
        })
    }
}

/// Cuts at the commas that are outside parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut start, mut inside) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' if !inside => inside = true,
            b')' if inside => inside = false,
            b'(' | b')' => return Err("unbalanced parentheses".to_owned()),
            b',' if !inside => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err("unbalanced parentheses".to_owned());
    }
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

fn requirement(text: &str) -> Result<Requirement, String> {
    let text = text.trim();
    if let Some(key) = text.strip_prefix('!') {
        return Ok(Requirement::Missing(name(key)?));
    }
    if let Some((head, values)) = text.split_once('(') {
        let values = values.strip_suffix(')').ok_or("text after a parenthesis")?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        return match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, "in"] => Ok(Requirement::In(name(key)?, values)),
            [key, "notin"] => Ok(Requirement::NotIn(name(key)?, values)),
            _ => Err(format!("{text:?} is neither `key in (…)` nor `key notin (…)`")),
        };
    }
    let one = |value: &str| BTreeSet::from([value.trim().to_owned()]);
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(name(key)?, one(value)));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(name(key)?, one(value)));
    }
    Ok(Requirement::Exists(name(text)?))
}

fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    if text.is_empty() || !text.bytes().all(good) {
        return Err(format!("{text:?} is no label name"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned()), ("e".to_owned(), "f".to_owned())]);
        let matches = |text: &str| LabelSelector::parse(text).unwrap().matches(&labels);
        for good in ["a=b", "a==b", "a", "!x", "e in (f, g)", "a notin (c)", "x!=1", "a=b,e in (f,g),!x"] {
            assert!(matches(good), "{good}");
        }
        for bad in ["a=c", "x", "!a", "e in (g)", "a notin (b)", "a!=b", "a=b,x=1"] {
            assert!(!matches(bad), "{bad}");
        }
        for wrong in ["", "a,,b", "a in b", "a in (b", "a of (b)", "=b", "a b"] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
    }
}
