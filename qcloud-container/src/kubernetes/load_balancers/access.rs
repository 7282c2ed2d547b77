use std::collections::BTreeSet;

use ipnet::IpNet;

/// Who may connect to a balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Access {
    /// The only networks to admit; everyone when empty.
    pub source_ranges: BTreeSet<IpNet>,
    /// Ids of firewall rule sets of the user to put on the balancer.
    pub groups: BTreeSet<String>,
}

impl Access {
    /// Everyone, and no rule set.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// With these networks as the only ones admitted.
    #[must_use]
    pub fn with_source_ranges(mut self, ranges: impl IntoIterator<Item = IpNet>) -> Self {
        self.source_ranges = ranges.into_iter().map(|range| range.trunc()).collect();
        self
    }

    /// With these rule sets of the user.
    #[must_use]
    pub fn with_groups(mut self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// Whether nothing is asked for.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.source_ranges.is_empty() && self.groups.is_empty()
    }

    /// Whether what is observed needs no change. Rule sets that someone put on the balancer stay while the Service
    /// names none; source ranges that are no longer wanted go.
    #[must_use]
    pub fn fits(&self, observed: &Self) -> bool {
        self.source_ranges == observed.source_ranges && (self.groups.is_empty() || self.groups == observed.groups)
    }
}
