//! The state of the cloud: separate regions, each with the resources of every service.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::clock::Time;
use crate::ids::Ids;
use crate::settings::Settings;
use crate::timeline::Timeline;
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
        Local { name, region, ids: &mut self.state.ids, settings: &self.settings, now }
    }

    /// Lets everything happen that is due at `now`, in the order of its time.
    pub(crate) fn settle(&mut self, now: Time) {
        let State { ids, regions, .. } = &mut self.state;
        for (name, region) in regions {
            let name = crate::zones::region(name).map(|region| region.name).unwrap_or_default();
            while let Some((at, event)) = region.timeline.next_due(now) {
                let mut local = Local { name, region: &mut *region, ids: &mut *ids, settings: &self.settings, now: at };
                match event {
                    Event::Cvm(event) => cvm::happen(&mut local, event),
                    Event::Tke(event) => tke::happen(&mut local, event),
                    Event::Clb(event) => clb::happen(&mut local, event),
                    Event::Cbs(event) => cbs::happen(&mut local, event),
                    Event::Vpc(event) => vpc::happen(&mut local, event),
                }
            }
        }
    }
}

impl Local<'_> {
    /// Plans an event of this region.
    pub(crate) fn plan(&mut self, at: Time, event: Event) {
        self.region.timeline.plan(at, event);
    }

    /// The zones of this region.
    pub(crate) fn zone(&self, name: &str) -> Option<crate::zones::Zone> {
        crate::zones::region(self.name).and_then(|region| region.zone(name))
    }
}
