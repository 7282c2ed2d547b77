//! What is wrong with the inputs, said so that it can be mended.

use std::fmt;

/// One mistake: where it is and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{file}: {key}: {advice}")]
pub(crate) struct Problem {
    /// The file to change, relative to the repository.
    pub(crate) file: String,
    /// The key or object in it.
    pub(crate) key: String,
    /// What is wrong and how to mend it.
    pub(crate) advice: String,
}

impl Problem {
    pub(crate) fn new(file: impl Into<String>, key: impl Into<String>, advice: impl fmt::Display) -> Self {
        Self { file: file.into(), key: key.into(), advice: advice.to_string() }
    }
}

/// All mistakes of one run: they are collected, so that one run names them all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// `value`, unless there are problems.
    pub(crate) fn none_or<T>(mut problems: Vec<Problem>, value: T) -> Result<T, Self> {
        if problems.is_empty() {
            return Ok(value);
        }
        problems.sort();
        problems.dedup();
        Err(Self(problems))
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}
