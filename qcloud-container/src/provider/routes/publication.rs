//! Publishing to the CCN what takes the place of a published route.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use qcloud_vpc::Client;
use qcloud_vpc::route::NotifyRoutes;

use super::vpc_items::{Item, Table};
use super::vpc_writes::{Outcomes, Slot};
use crate::kubernetes::ProviderError;
use crate::kubernetes::routes::RouteSpec;
use crate::provider::error::reworded;

/// Routes that are still to be published, by table and destination.
///
/// A published route is withdrawn before it is deleted, and then the cloud knows nothing of it any more: should the process
/// end before the new one is published, it is not.
#[derive(Debug, Default)]
pub(super) struct Publications(Mutex<BTreeSet<(String, IpNet)>>);

impl Publications {
    fn owed(&self) -> MutexGuard<'_, BTreeSet<(String, IpNet)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next route to this destination is to be published.
    pub(super) fn owe(&self, table: &str, destination: IpNet) {
        self.owed().insert((table.to_owned(), destination));
    }

    /// Nobody wants a route to this destination any more.
    pub(super) fn forget(&self, destination: IpNet) {
        self.owed().retain(|(_, owed)| *owed != destination);
    }

    /// Whether a route to this destination is still to be published somewhere.
    pub(super) fn is_owed(&self, destination: IpNet) -> bool {
        self.owed().iter().any(|(_, owed)| *owed == destination)
    }

    /// Publishes what is there by now; gives the failures. One at a time: the API takes several as a whole or not at all.
    pub(super) async fn publish(&self, client: &Client, tables: &[Table], adds: &[(usize, &RouteSpec)]) -> Outcomes {
        let mut failures = Outcomes::new();
        let owed = self.owed().clone();
        for (id, destination) in owed {
            let Some(table) = tables.iter().find(|table| table.id == id) else {
                self.owed().remove(&(id, destination));
                continue;
            };
            let new = |item: &&Item| item.is_ours() && item.enabled && item.destination == destination;
            let Some(item) = table.items.iter().find(new) else { continue };
            if !item.published
                && let Err(error) = client.notify_routes(NotifyRoutes::new(&id, [&item.id])).await
            {
                let error = ProviderError::from(error);
                let what = format!("the route to {destination} is there, but not published to the CCN again");
                let failed = adds.iter().filter(|(_, spec)| spec.destination == destination);
                failures.extend(failed.map(|(place, _)| {
                    (Slot::Add(*place), Err(reworded(&error, format!("{what}: {}", error.message()))))
                }));
                continue;
            }
            self.owed().remove(&(id, destination));
        }
        failures
    }
}
