//! Client tokens: what makes a write safe to repeat.

use std::hash::{BuildHasher, RandomState};

/// Puts a fresh token where there is none yet: 32 hexadecimal digits, within the 64 characters that every action allows.
pub(crate) fn fill(place: &mut Option<String>) {
    if place.as_deref().is_none_or(str::is_empty) {
        // Not a secret, but it must not meet another process's: each RandomState is keyed from the system's randomness.
        let half = || RandomState::new().hash_one(std::time::SystemTime::now());
        *place = Some(format!("{:016x}{:016x}", half(), half()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_place_is_filled_and_a_given_token_is_kept() {
        let mut place = None;
        fill(&mut place);
        let token = place.clone().unwrap();
        assert_eq!(token.len(), 32);
        fill(&mut place);
        assert_eq!(place.unwrap(), token);
        let mut other = None;
        fill(&mut other);
        assert_ne!(other.unwrap(), token);
    }
}
