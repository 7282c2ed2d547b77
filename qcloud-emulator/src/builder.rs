//! Setting an emulator up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::clock::Clock;
use crate::credentials::Credential;
use crate::emulator::Emulator;
use crate::error::StartError;
use crate::fault::Fault;
use crate::server::Server;
use crate::settings::{
    BusyInstance, ClusterErrors, DetailPages, MissingBalancer, PublicAddress, Quota, Settings, SignatureTime, Task,
    UnknownFilters, UnknownIds,
};
use crate::zones;

/// The knobs of an [`Emulator`]. Each has a default, so that `Emulator::builder().start().await?` is a start.
#[derive(Clone, Debug)]
#[must_use = "nothing runs until `start` or `build`"]
pub struct Builder {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) faults: Vec<Fault>,
    address: SocketAddr,
    admin_port: Option<u16>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            clock: Clock::real(),
            credentials: Vec::new(),
            faults: Vec::new(),
            address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            admin_port: None,
        }
    }
}

impl Builder {
    /// One on which the knobs stand like this.
    pub(crate) fn turned(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// The address to listen on; 127.0.0.1 and any free port by default. Only loopback addresses are accepted.
    pub fn bind(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// The port of 127.0.0.1 to listen on; 0, the default, takes any free one.
    pub fn port(self, port: u16) -> Self {
        self.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
    }

    /// Serves the admin port too: knobs, faults, clock, call log and state over HTTP, on 127.0.0.1. 0 takes any free port;
    /// [`Server::admin_endpoint`] tells. Off by default.
    pub fn admin_port(mut self, port: u16) -> Self {
        self.admin_port = Some(port);
        self
    }

    /// What ids, addresses and generated keys are made from: the same under the same seed. 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// The region that [`Emulator::region`] shows; `ap-guangzhou` by default. All regions are there whatever it is.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.settings.region = region.into();
        self
    }

    /// The clock; the machine's by default.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Each request puts the clock forward by this much before it is answered, so that a program that polls sees
    /// progress however fast it polls. Zero by default.
    pub fn advance_per_request(mut self, step: Duration) -> Self {
        self.settings.request_step = step;
        self
    }

    /// Accepts this credential. Without any, a key pair is made up from the seed. The first one given is what
    /// [`Emulator::secret_id`] and [`Emulator::secret_key`] show.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credentials.push(credential);
        self
    }

    /// Against which clock the age of signatures is checked.
    pub fn signature_time(mut self, check: SignatureTime) -> Self {
        self.settings.signature_time = check;
        self
    }

    /// How old a signature may be; five minutes by default.
    pub fn signature_age(mut self, age: Duration) -> Self {
        self.settings.signature_age = age;
        self
    }

    /// How long a task takes.
    pub fn task_duration(mut self, task: Task, duration: Duration) -> Self {
        self.settings.task_durations.insert(task, duration);
        self
    }

    /// How much of something the account may have.
    pub fn quota(mut self, quota: Quota, limit: usize) -> Self {
        self.settings.quotas.insert(quota, limit);
        self
    }

    /// Nothing can be bought in this zone: `ResourceInsufficient.AvailabilityZoneSoldOut`, for disks
    /// `ResourceInsufficient`.
    pub fn sold_out_zone(mut self, zone: impl Into<String>) -> Self {
        self.settings.sold_out_zones.push(zone.into());
        self
    }

    /// Instances of this type cannot be bought anywhere: `ResourcesSoldOut.SpecifiedInstanceType`.
    pub fn sold_out_type(mut self, instance_type: impl Into<String>) -> Self {
        self.settings.sold_out_types.push(instance_type.into());
        self
    }

    /// Disks of this type cannot be bought, grown or changed to in this zone: `ResourceInsufficient`.
    pub fn sold_out_disk(mut self, zone: impl Into<String>, disk_type: impl Into<String>) -> Self {
        self.settings.sold_out_disks.push((zone.into(), disk_type.into()));
        self
    }

    /// Whether an attached disk can only be grown while its instance is stopped
    /// (`UnsupportedOperation.InstanceNotStopped`), as with some instance types. Off by default.
    pub fn resize_needs_stopped_instance(mut self, needed: bool) -> Self {
        self.settings.resize_needs_stop = needed;
        self
    }

    /// Which error an instance gives while it is busy.
    pub fn busy_instance(mut self, answer: BusyInstance) -> Self {
        self.settings.busy_instance = answer;
        self
    }

    /// What the `Describe…` actions of VPC do with ids that do not exist.
    pub fn unknown_ids(mut self, answer: UnknownIds) -> Self {
        self.settings.unknown_ids = answer;
        self
    }

    /// What lists do with filters that are not documented for them.
    pub fn unknown_filters(mut self, answer: UnknownFilters) -> Self {
        self.settings.unknown_filters = answer;
        self
    }

    /// Which of its two families of error codes the container service uses.
    pub fn cluster_errors(mut self, family: ClusterErrors) -> Self {
        self.settings.cluster_errors = family;
        self
    }

    /// A CAM role that exists. Without any, STS takes every role for one that does; with some, assuming another gives
    /// `ResourceNotFound.RoleNotFound`.
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.settings.roles.push(name.into());
        self
    }

    /// How long the credentials hold that the metadata server gives for an instance's role; two hours by default. The
    /// server replaces them when a quarter of that is left.
    pub fn role_credential_life(mut self, life: Duration) -> Self {
        self.settings.role_credential_life = life;
        self
    }

    /// The instance whose point of view the metadata server takes at `/latest/meta-data/`; see
    /// [`Emulator::serve_metadata_of`].
    pub fn metadata_instance(mut self, id: impl Into<String>) -> Self {
        self.settings.metadata_instance = Some(id.into());
        self
    }

    /// How CLB says that a load balancer, a listener or a rule does not exist.
    pub fn missing_balancer(mut self, answer: MissingBalancer) -> Self {
        self.settings.missing_balancer = answer;
        self
    }

    /// What new public load balancers are reached by.
    pub fn public_address(mut self, kind: PublicAddress) -> Self {
        self.settings.public_address = kind;
        self
    }

    /// What the pages of `DescribeLoadBalancersDetail` count.
    pub fn detail_pages(mut self, pages: DetailPages) -> Self {
        self.settings.detail_pages = pages;
        self
    }

    /// Binding this instance id or address to a listener fails: the task of `RegisterTargets`, or the listener in a
    /// `BatchRegisterTargets`.
    pub fn poisoned_target(mut self, instance_or_address: impl Into<String>) -> Self {
        self.settings.poisoned_targets.push(instance_or_address.into());
        self
    }

    /// How many calls the log keeps with their parameters; 100,000 by default. Counts are kept regardless.
    pub fn call_log(mut self, kept: usize) -> Self {
        self.settings.call_log = kept;
        self
    }

    /// Holds every answer against the model and turns one that does not fit into an `InternalError`. Off by default;
    /// meant for the emulator's own tests.
    pub fn check_responses(mut self, check: bool) -> Self {
        self.settings.check_responses = check;
        self
    }

    /// An emulator inside the process, without sockets.
    ///
    /// # Errors
    ///
    /// When the default region is unknown.
    pub fn build(mut self) -> Result<Emulator, StartError> {
        if zones::region(&self.settings.region).is_none() {
            return Err(StartError::UnknownRegion { region: self.settings.region, known: zones::region_names() });
        }
        if self.credentials.is_empty() {
            self.credentials.push(Credential::generated(self.settings.seed));
        }
        Ok(Emulator::new(self.settings, self.clock, self.credentials, self.faults))
    }

    /// An emulator that listens on the loopback interface. It stops when the [`Server`] is dropped.
    ///
    /// # Errors
    ///
    /// When the address is none of loopback or cannot be bound, or the default region is unknown.
    pub async fn start(self) -> Result<Server, StartError> {
        let address = self.address;
        let admin = self.admin_port.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
        Server::start(self.build()?, address, admin).await
    }
}
