/// How a target is asked whether it is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HealthKind {
    /// A connection is opened.
    Tcp,
    /// A request is answered with a good status.
    Http,
    /// An ICMP echo; for UDP.
    Ping,
}

/// Where the questions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HealthSource {
    /// The balancer's own address. A node that holds that address itself would answer itself.
    Balancer,
    /// A reserved range of the cloud.
    Reserved,
}

/// How targets are checked. What is `None` is left to the cloud, and does not count as a difference, unless it says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct HealthCheck {
    /// Whether targets are checked at all.
    pub enabled: bool,
    /// How.
    pub kind: Option<HealthKind>,
    /// On another port than the traffic's; `None` is the traffic's own.
    pub port: Option<u16>,
    /// The path of an HTTP request.
    pub path: Option<String>,
    /// The `Host` of an HTTP request. On a rule, `None` is the host of the rule.
    pub domain: Option<String>,
    /// The good statuses of an HTTP answer by their first digit, as bits: 1 for 1xx, 2 for 2xx, 4 for 3xx, 8 for 4xx,
    /// 16 for 5xx.
    pub good_statuses: Option<u8>,
    /// Seconds between checks.
    pub interval: Option<u32>,
    /// Seconds until a check has failed.
    pub timeout: Option<u32>,
    /// Good checks in a row that make a target healthy.
    pub healthy: Option<u32>,
    /// Failed checks in a row that make it unhealthy.
    pub unhealthy: Option<u32>,
    /// Where the checks come from.
    pub source: Option<HealthSource>,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            enabled: true,
            kind: None,
            port: None,
            path: None,
            domain: None,
            good_statuses: None,
            interval: None,
            timeout: None,
            healthy: None,
            unhealthy: None,
            source: None,
        }
    }
}

impl HealthCheck {
    /// No check.
    #[must_use]
    pub fn off() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// The check that tells whether a node has local pods: the one of `spec.healthCheckNodePort`.
    #[must_use]
    pub fn of_node(port: u16) -> Self {
        Self {
            kind: Some(HealthKind::Http),
            port: Some(port),
            path: Some("/healthz".to_owned()),
            good_statuses: Some(2),
            ..Self::default()
        }
    }

    /// Whether an observed check is as wanted, in all that is said here.
    #[must_use]
    pub fn fits(&self, observed: &Self) -> bool {
        fn fits<T: PartialEq>(want: &Option<T>, observed: &Option<T>) -> bool {
            want.is_none() || want == observed
        }
        if !self.enabled || !observed.enabled {
            return self.enabled == observed.enabled;
        }
        fits(&self.kind, &observed.kind)
            && self.port == observed.port
            && fits(&self.path, &observed.path)
            && fits(&self.domain, &observed.domain)
            && fits(&self.good_statuses, &observed.good_statuses)
            && fits(&self.interval, &observed.interval)
            && fits(&self.timeout, &observed.timeout)
            && fits(&self.healthy, &observed.healthy)
            && fits(&self.unhealthy, &observed.unhealthy)
            && fits(&self.source, &observed.source)
    }

    /// The `Host` of HTTP requests on a rule for this host. `None` when there are no such requests, or nothing that they
    /// could all have: the rule is for any host, or for a pattern of hosts.
    pub(crate) fn host_for<'c>(&'c self, host: &'c str) -> Option<&'c str> {
        let own = Some(host).filter(|host| !host.is_empty() && !host.contains(['*', '~']));
        self.domain.as_deref().or(own).filter(|_| self.enabled && self.kind == Some(HealthKind::Http))
    }

    /// Takes over what another one says.
    pub(super) fn override_with(&mut self, other: &Self) {
        fn take<T: Clone>(into: &mut Option<T>, from: &Option<T>) {
            if from.is_some() {
                into.clone_from(from);
            }
        }
        self.enabled = other.enabled;
        if other.kind.is_some() && other.kind != self.kind {
            // Another kind of check: what belonged to the first one goes with it.
            (self.port, self.path, self.domain, self.good_statuses) = (None, None, None, None);
        }
        take(&mut self.kind, &other.kind);
        take(&mut self.port, &other.port);
        take(&mut self.path, &other.path);
        take(&mut self.domain, &other.domain);
        take(&mut self.good_statuses, &other.good_statuses);
        take(&mut self.interval, &other.interval);
        take(&mut self.timeout, &other.timeout);
        take(&mut self.healthy, &other.healthy);
        take(&mut self.unhealthy, &other.unhealthy);
        take(&mut self.source, &other.source);
    }
}
