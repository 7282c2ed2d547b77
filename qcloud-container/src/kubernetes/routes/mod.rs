//! Routes to the pods of nodes, kept by the cloud's network.
//!
//! A controller's pass: [`Routes::list`], then [`plan`], then [`Routes::apply`]. Next hops are compared, so a node that
//! is made again under its old name with another address gets a new route.

pub mod conformance;
mod in_memory;
#[cfg(feature = "k8s-openapi")]
mod node;
mod plan;
#[cfg(test)]
mod plan_tests;
mod route;
mod steps;

use async_trait::async_trait;

pub use in_memory::InMemoryRoutes;
pub use plan::{Blackholes, RoutePlan, plan};
pub(crate) use route::overlap;
pub use route::{
    ClusterRoute, HopOwner, NextHops, OnRouteDone, RouteDone, RouteLimits, RouteResults, RouteSpec, Urgency,
};
pub use steps::{Step, steps};

use super::Result;

/// Keeps routes to the pods of nodes.
#[async_trait]
pub trait Routes: Send + Sync {
    /// What it can do.
    fn limits(&self) -> RouteLimits;

    /// The cluster's routes, and those of others that are in their way.
    async fn list(&self) -> Result<Vec<ClusterRoute>>;

    /// Deletes and adds routes, those that are waited for first. Where a new route needs the place of an old one, the old
    /// one goes first.
    ///
    /// Each route fares on its own: a bad one does not hold up others. Adding what is there and deleting what is gone are
    /// successes. `done` hears of each route as it is finished, so that the condition of a node need not wait for the
    /// end of a long pass.
    async fn apply(&self, add: &[RouteSpec], delete: &[ClusterRoute], done: &OnRouteDone<'_>) -> RouteResults;
}
