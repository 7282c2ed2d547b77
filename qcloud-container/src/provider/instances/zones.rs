//! The numbers of zones, which provider ids carry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use qcloud_core::clock::Clock;
use qcloud_cvm::Client;
use qcloud_cvm::catalog::DescribeZones;
use tokio::sync::Mutex;

use crate::kubernetes::Result;

/// How long the list is believed not to have a new zone.
const FRESH: Duration = Duration::from_secs(300);

/// The zones of the region: name to number. Read once, and again when one is missing.
#[derive(Debug)]
pub(in crate::provider) struct Zones {
    client: Client,
    clock: Arc<dyn Clock>,
    known: Mutex<Option<Known>>,
}

#[derive(Debug)]
struct Known {
    at: Duration,
    ids: HashMap<String, String>,
}

impl Zones {
    pub(in crate::provider) fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, clock, known: Mutex::default() }
    }

    /// The number of the zone of this name.
    pub(in crate::provider) async fn id(&self, name: &str) -> Result<Option<String>> {
        self.find(|ids| ids.get(name).cloned()).await
    }

    /// The name of the zone of this number.
    pub(in crate::provider) async fn name(&self, id: &str) -> Result<Option<String>> {
        self.find(|ids| ids.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone())).await
    }

    /// Whether the region has a zone of this number.
    pub(in crate::provider) async fn has_id(&self, id: &str) -> Result<bool> {
        Ok(self.find(|ids| ids.values().any(|known| known == id).then_some(())).await?.is_some())
    }

    async fn find<T>(&self, pick: impl Fn(&HashMap<String, String>) -> Option<T> + Send) -> Result<Option<T>> {
        let mut known = self.known.lock().await;
        if let Some(list) = &*known {
            let picked = pick(&list.ids);
            if picked.is_some() || self.clock.elapsed().saturating_sub(list.at) < FRESH {
                return Ok(picked);
            }
        }
        let answer = self.client.describe_zones(DescribeZones::new()).await?;
        let ids = answer.zone_set.into_iter().map(|zone| (zone.zone, zone.zone_id)).collect();
        let list = known.insert(Known { at: self.clock.elapsed(), ids });
        Ok(pick(&list.ids))
    }
}
