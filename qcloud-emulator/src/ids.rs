//! Ids, addresses and request ids: unlike each other, and the same again under the same seed.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// How many ids of eight characters there are.
const SPACE: u64 = 36_u64.pow(8);
/// Shares no factor with [`SPACE`], so that stepping by it visits every id once before any comes again.
const STRIDE: u64 = 1_743_392_200_891;
/// Addresses set aside for benchmarks: nobody's, and plenty.
const PUBLIC_POOL: u32 = u32::from_be_bytes([198, 18, 0, 0]);
const PUBLIC_POOL_SIZE: u32 = 1 << 17;

/// Where resource ids and the like come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ids {
    start: u64,
    given: u64,
    public: u32,
    random: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        Self { start: random.u64(..SPACE), given: 0, public: 0, random: random.get_seed() }
    }

    /// A new id: `ids.new_id("ins")` may give `ins-4k2j9x0q`. No two ids of one emulator are the same.
    pub(crate) fn new_id(&mut self, prefix: &str) -> String {
        let step = u128::from(self.given) * u128::from(STRIDE) + u128::from(self.start);
        let mut left = u64::try_from(step % u128::from(SPACE)).unwrap_or_default();
        self.given += 1;
        let mut tail = [b'0'; 8];
        for place in tail.iter_mut().rev() {
            let digit = usize::try_from(left % 36).unwrap_or_default();
            *place = DIGITS.get(digit).copied().unwrap_or(b'0');
            left /= 36;
        }
        format!("{prefix}-{}", String::from_utf8_lossy(&tail))
    }

    /// A UUID such as instances carry.
    pub(crate) fn new_uuid(&mut self) -> String {
        let mut random = fastrand::Rng::with_seed(self.random);
        let uuid = uuid(random.u128(..));
        self.random = random.get_seed();
        uuid
    }

    /// A word of letters and digits, such as keys are made of.
    pub(crate) fn new_word(&mut self, length: usize) -> String {
        let mut random = fastrand::Rng::with_seed(self.random);
        let word = (0..length).map(|_| random.alphanumeric()).collect();
        self.random = random.get_seed();
        word
    }

    /// Random bytes.
    pub(crate) fn random_bytes(&mut self, count: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(self.random);
        let bytes = std::iter::repeat_with(|| random.u8(..)).take(count).collect();
        self.random = random.get_seed();
        bytes
    }

    /// A public IPv4 address that no other call gets, until 131,072 were given.
    pub(crate) fn new_public_ip(&mut self) -> String {
        self.public = (self.public + 1) % PUBLIC_POOL_SIZE;
        Ipv4Addr::from(PUBLIC_POOL + self.public).to_string()
    }
}

/// Request ids: given to every request, also to those that are refused before they reach the state.
#[derive(Debug)]
pub(crate) struct RequestIds {
    seed: u64,
    given: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, given: AtomicU64::new(0) }
    }

    /// How many were given.
    pub(crate) fn given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Goes on after so many.
    pub(crate) fn resume(&self, given: u64) {
        self.given.store(given, Ordering::Relaxed);
    }

    pub(crate) fn next(&self) -> String {
        let count = self.given.fetch_add(1, Ordering::Relaxed);
        let random = fastrand::Rng::with_seed(self.seed ^ 0x5851_f42d_4c95_7f2d).u64(..);
        // The counter makes it unique; multiplying by an odd number and mixing in the seed only makes it look random.
        let high = count.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(random);
        let low = high.rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ random;
        uuid(u128::from(high) << 64 | u128::from(low))
    }
}

fn uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// Whether `id` has the form of an id with this prefix: the prefix, a dash and eight characters of `[0-9a-z]`.
pub(crate) fn well_formed(id: &str, prefix: &str) -> bool {
    id.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).is_some_and(|tail| {
        tail.len() == 8 && tail.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_well_formed_unlike_each_other_and_repeatable() {
        let mut ids = Ids::new(7);
        let many: BTreeSet<String> = (0..10_000).map(|_| ids.new_id("ins")).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.iter().all(|id| well_formed(id, "ins")));
        assert_eq!(Ids::new(7).new_id("vpc"), Ids::new(7).new_id("vpc"));
        assert_ne!(Ids::new(7).new_id("vpc"), Ids::new(8).new_id("vpc"));
    }

    #[test]
    fn malformed_ids_are_told_apart() {
        for id in ["", "ins", "ins-", "ins-1234567", "ins-123456789", "ins-ABCDEFGH", "vpc-12345678", "ins-1234567é"] {
            assert!(!well_formed(id, "ins"), "{id}");
        }
    }

    #[test]
    fn request_ids_are_unique() {
        let ids = RequestIds::new(1);
        let many: BTreeSet<String> = (0..10_000).map(|_| ids.next()).collect();
        assert_eq!(many.len(), 10_000);
        assert!(many.iter().all(|id| id.len() == 36 && id.matches('-').count() == 4));
    }
}
