//! Whatever faults come in whatever order: once they are over, the routes are as they ought to be.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use qcloud_container::kubernetes::routes::{Blackholes, NextHops, RouteSpec, Routes, plan};
use serde_json::json;

use crate::cloud::{Fault, When};
use crate::routes::{BOTH, Network, expected, pods};

fn fault(number: u8) -> Fault {
    match number {
        0 => Fault::CutBefore,
        1 => Fault::CutAfter,
        2 => Fault::Code("RequestLimitExceeded"),
        3 => Fault::Code("InternalError"),
        4 => Fault::Code("UnauthorizedOperation.CamNoAuth"),
        _ => Fault::Rewrite(Arc::new(|_| {})),
    }
}

/// A pass in which every machine is a node, so that what nobody wants goes at once.
async fn pass(routes: &dyn Routes, desired: &[RouteSpec], nodes: &[RouteSpec]) -> bool {
    let Ok(observed) = routes.list().await else { return false };
    let hops = NextHops::new(nodes.iter().map(|spec| (spec.node.clone(), vec![spec.next_hop])), None);
    let plan = plan(desired, &observed, &routes.limits(), &hops, &Blackholes::default());
    assert!(plan.delete.iter().all(|route| route.owned));
    routes.apply(&plan.add, &plan.delete, &|_| {}).await.errors().next().is_none()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn routes_converge_after_any_faults(
        cluster_table: bool,
        faults in prop::collection::vec(0_u8..9, 0..60),
        // In each phase, which network each of six nodes wants, if any.
        phases in prop::collection::vec(prop::collection::vec(prop::option::of(0_usize..8), 6), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let network = Network::new(BOTH[usize::from(!cluster_table)]).await;
            let nodes = network.specs(6).await;
            let foreign = json!({
                "DestinationCidrBlock": "192.168.7.0/24", "GatewayType": "NORMAL_CVM",
                "GatewayId": nodes[5].next_hop.to_string(), "RouteDescription": "by hand",
            });
            let request = json!({"RouteTableId": network.table, "Routes": [foreign]});
            network.cloud.call("vpc", "CreateRoutes", request).await;
            let (routes, wire) = network.process();
            for number in faults {
                wire.spoil("*", When::Next(1), fault(number));
            }
            let mut desired = Vec::new();
            for phase in &phases {
                desired.clear();
                for (node, wanted) in nodes.iter().zip(phase) {
                    let Some(number) = wanted else { continue };
                    let spec = RouteSpec::new(&node.node, node.next_hop, pods(*number));
                    if !desired.iter().any(|other: &RouteSpec| other.destination == spec.destination) {
                        desired.push(spec);
                    }
                }
                pass(&*routes, &desired, &nodes).await;
                network.cloud.pass(Duration::from_secs(10)).await;
            }
            wire.heal();
            network.cloud.pass(Duration::from_secs(60)).await;
            let mut passes = 0;
            while !pass(&*routes, &desired, &nodes).await {
                passes += 1;
                assert!(passes < 3, "no end");
            }
            let mut truth = network.truth().await;
            let by_hand = |route: &(String, String)| route.0 == "192.168.7.0/24";
            assert_eq!(truth.iter().any(by_hand), !cluster_table);
            truth.retain(|route| !by_hand(route));
            assert_eq!(truth, expected(&desired));
            network.cloud.forget();
            assert!(pass(&*routes, &desired, &nodes).await);
            assert_eq!(network.writes(), 0);
        });
    }
}
