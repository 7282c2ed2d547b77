//! The state of the cloud: separate regions, each with the resources of every service.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::Call;
use crate::clock::Time;
use crate::ids::Ids;
use crate::luck::Luck;
use crate::rates::Buckets;
use crate::settings::{Settings, Task};
use crate::timeline::Timeline;
use crate::visibility::Journal;
use crate::{cbs, clb, cvm, sts, tke, vpc};

/// Everything that the emulator remembers.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) settings: Arc<Settings>,
}

/// The part of the world that could be written to a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) ids: Ids,
    pub(crate) regions: BTreeMap<String, Region>,
    pub(crate) sts: sts::State,
    /// The instance whose point of view the metadata server takes.
    pub(crate) metadata_instance: Option<String>,
    /// The networks between regions: they belong to none.
    pub(crate) ccns: vpc::ccns::Ccns,
    pub(crate) luck: Luck,
    pub(crate) journal: Journal,
    pub(crate) buckets: Buckets,
}

/// One region: a world of its own.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Region {
    timeline: Timeline<Event>,
    pub(crate) cvm: cvm::State,
    pub(crate) vpc: vpc::State,
    pub(crate) clb: clb::State,
    pub(crate) cbs: cbs::State,
    pub(crate) tke: tke::State,
}

/// Something that is to happen in a region, by the service that it happens to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Event {
    Cvm(cvm::Event),
    Tke(tke::Event),
    Clb(clb::Event),
    Cbs(cbs::Event),
    Vpc(vpc::Event),
}

/// The region of a call, with what a handler needs beside it.
#[derive(Debug)]
pub(crate) struct Local<'a> {
    pub(crate) name: &'static str,
    pub(crate) region: &'a mut Region,
    pub(crate) ids: &'a mut Ids,
    luck: &'a mut Luck,
    pub(crate) settings: &'a Settings,
    pub(crate) now: Time,
}

impl World {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        let state = State {
            ids: Ids::new(settings.seed),
            regions: BTreeMap::new(),
            sts: sts::State::default(),
            metadata_instance: settings.metadata_instance.clone(),
            ccns: vpc::ccns::Ccns::default(),
            luck: Luck::default(),
            journal: Journal::default(),
            buckets: Buckets::default(),
        };
        Self { state, settings }
    }

    /// The region that the call is for.
    pub(crate) fn local(&mut self, call: &Call) -> Local<'_> {
        self.local_at(call.region, call.now)
    }

    /// The region of this name.
    pub(crate) fn local_at(&mut self, name: &'static str, now: Time) -> Local<'_> {
        let region = self.state.regions.entry(name.to_owned()).or_default();
        Local { name, region, ids: &mut self.state.ids, luck: &mut self.state.luck, settings: &self.settings, now }
    }

    /// Lets everything happen that is due at `now`, in the order of its time.
    pub(crate) fn settle(&mut self, now: Time) {
        let State { ids, luck, journal, regions, .. } = &mut self.state;
        let visibility = &self.settings.visibility;
        for (name, region) in regions {
            let name = crate::zones::region(name).map(|region| region.name).unwrap_or_default();
            // The moment of what happened and is not in the journal yet.
            let mut open: Option<Time> = None;
            while let Some((at, event)) = region.timeline.next_due(now) {
                if let Some(before) = open.filter(|before| *before != at) {
                    journal.look(visibility, (name, region), before);
                }
                open = Some(at);
                let mut local = Local {
                    name,
                    region: &mut *region,
                    ids: &mut *ids,
                    luck: &mut *luck,
                    settings: &self.settings,
                    now: at,
                };
                match event {
                    Event::Cvm(event) => cvm::happen(&mut local, event),
                    Event::Tke(event) => tke::happen(&mut local, event),
                    Event::Clb(event) => clb::happen(&mut local, event),
                    Event::Cbs(event) => cbs::happen(&mut local, event),
                    Event::Vpc(event) => vpc::happen(&mut local, event),
                }
            }
            if let Some(before) = open {
                journal.look(visibility, (name, region), before);
            }
        }
    }
}

impl Region {
    /// The services that have a state of their own in each region.
    pub(crate) const SERVICES: [&'static str; 5] = ["cvm", "vpc", "clb", "cbs", "tke"];

    /// The state of a service as it is saved.
    pub(crate) fn saved(&self, service: &str) -> Option<Value> {
        let saved = match service {
            "cvm" => serde_json::to_value(&self.cvm),
            "vpc" => serde_json::to_value(&self.vpc),
            "clb" => serde_json::to_value(&self.clb),
            "cbs" => serde_json::to_value(&self.cbs),
            "tke" => serde_json::to_value(&self.tke),
            _ => return None,
        };
        saved.ok()
    }

    /// Replaces the state of a service.
    pub(crate) fn load(&mut self, service: &str, saved: Value) -> Option<()> {
        match service {
            "cvm" => self.cvm = serde_json::from_value(saved).ok()?,
            "vpc" => self.vpc = serde_json::from_value(saved).ok()?,
            "clb" => self.clb = serde_json::from_value(saved).ok()?,
            "cbs" => self.cbs = serde_json::from_value(saved).ok()?,
            "tke" => self.tke = serde_json::from_value(saved).ok()?,
            _ => return None,
        }
        Some(())
    }
}

impl Local<'_> {
    /// Whether a task that begins is to fail, by the knob for that. To be asked once for each task.
    pub(crate) fn fails(&mut self, task: Task) -> bool {
        self.luck.fails(self.settings, task)
    }

    /// Plans an event of this region.
    pub(crate) fn plan(&mut self, at: Time, event: Event) {
        self.region.timeline.plan(at, event);
    }

    /// The zones of this region.
    pub(crate) fn zone(&self, name: &str) -> Option<crate::zones::Zone> {
        crate::zones::region(self.name).and_then(|region| region.zone(name))
    }
}
