//! Where a volume may be.

/// The zones that a volume may be in, as CSI's topology requirement says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ZoneRequirement {
    /// It must be in one of these. Any zone will do when there are none.
    pub permitted: Vec<String>,
    /// In this order, rather than in others.
    pub preferred: Vec<String>,
}

impl ZoneRequirement {
    /// One of these zones, the earlier the better.
    pub fn one_of(zones: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { permitted: zones.into_iter().map(Into::into).collect(), preferred: Vec::new() }
    }

    /// One of the permitted zones, rather the preferred ones among them.
    pub fn new(
        permitted: impl IntoIterator<Item = impl Into<String>>,
        preferred: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self {
            permitted: permitted.into_iter().map(Into::into).collect(),
            preferred: preferred.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether a volume may be in the zone.
    #[must_use]
    pub fn permits(&self, zone: &str) -> bool {
        self.permitted.is_empty() || self.permitted.iter().any(|permitted| permitted == zone)
    }

    /// The zones to try, the best first, each once: the preferred ones that are permitted, then the other permitted
    /// ones; where nothing is required, the preferred ones and then those of `known`.
    #[must_use]
    pub fn candidates(&self, known: &[String]) -> Vec<String> {
        let rest = if self.permitted.is_empty() { known } else { &self.permitted };
        let mut candidates: Vec<String> = Vec::new();
        for zone in self.preferred.iter().chain(rest) {
            if self.permits(zone) && !candidates.contains(zone) {
                candidates.push(zone.clone());
            }
        }
        candidates
    }
}
