//! The numbers of zones, which provider ids carry.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use qcloud_core::clock::Clock;
use qcloud_cvm::Client;
use qcloud_cvm::catalog::DescribeZones;

use super::shared::Shared;
use crate::kubernetes::Result;

/// How long the list is believed not to have a new zone.
const FRESH: Duration = Duration::from_secs(300);

/// The zones of the region: name to number. Read once, and again when one is missing.
#[derive(Debug)]
pub(in crate::provider) struct Zones {
    client: Client,
    ids: Shared<HashMap<String, String>>,
}

impl Zones {
    pub(in crate::provider) fn new(client: Client, clock: Arc<dyn Clock>) -> Self {
        Self { client, ids: Shared::new(clock) }
    }

    /// The number of the zone of this name.
    pub(in crate::provider) async fn id(&self, name: &str) -> Result<Option<String>> {
        let ids = self.ids.get(|age, ids| age < FRESH || ids.contains_key(name), || self.read()).await?;
        Ok(ids.get(name).cloned())
    }

    /// The name of the zone of this number.
    pub(in crate::provider) async fn name(&self, id: &str) -> Result<Option<String>> {
        let name = |ids: &HashMap<String, String>| ids.iter().find(|(_, known)| *known == id).map(|(name, _)| name.clone());
        let ids = self.ids.get(|age, ids| age < FRESH || name(ids).is_some(), || self.read()).await?;
        Ok(name(&ids))
    }

    /// Whether the region has a zone of this number.
    pub(in crate::provider) async fn has_id(&self, id: &str) -> Result<bool> {
        let has = |ids: &HashMap<String, String>| ids.values().any(|known| known == id);
        let ids = self.ids.get(|age, ids| age < FRESH || has(ids), || self.read()).await?;
        Ok(has(&ids))
    }

    async fn read(&self) -> Result<HashMap<String, String>> {
        let answer = self.client.describe_zones(DescribeZones::new()).await?;
        Ok(answer.zone_set.into_iter().map(|zone| (zone.zone, zone.zone_id)).collect())
    }
}
