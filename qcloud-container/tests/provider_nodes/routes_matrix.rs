//! The failure matrix, for routes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join;
use ipnet::IpNet;
use qcloud_container::kubernetes::routes::{Blackholes, ClusterRoute, RouteSpec, Routes as _, Urgency};
use qcloud_container::kubernetes::{ErrorKind, Exhausted};
use serde_json::json;

use crate::cloud::{Fault, When};
use crate::routes::{BOTH, Backend, Network, PODS, expected, pass, pods};

fn create(backend: Backend) -> &'static str {
    match backend {
        Backend::ClusterTable => "CreateClusterRoute",
        Backend::VpcTable => "CreateRoutes",
    }
}

fn delete(backend: Backend) -> &'static str {
    match backend {
        Backend::ClusterTable => "DeleteClusterRoute",
        Backend::VpcTable => "DeleteRoutes",
    }
}

fn describe(backend: Backend) -> &'static str {
    match backend {
        Backend::ClusterTable => "DescribeClusterRoutes",
        Backend::VpcTable => "DescribeRouteTables",
    }
}

#[tokio::test]
async fn row_1_a_burst_of_throttling_is_survived_without_a_hot_loop() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(30).await;
        let (routes, wire) = network.process();
        wire.spoil(create(backend), When::Next(20), Fault::Code("RequestLimitExceeded"));
        network.cloud.forget();
        let mut blackholes = Blackholes::default();
        for _ in 0..20 {
            let (_, results) = pass(&*routes, &specs, &mut blackholes, None).await.unwrap();
            assert!(results.errors().all(|error| error.kind() == ErrorKind::Throttled));
            network.cloud.pass(Duration::from_secs(10)).await;
        }
        assert_eq!(network.truth().await, expected(&specs), "{backend:?}");
        assert!(network.writes() <= 30, "{backend:?}: {}", network.writes());
    }
}

#[tokio::test]
async fn row_2_a_write_whose_answer_is_lost_is_made_once() {
    for backend in BOTH {
        for fault in [Fault::CutAfter, Fault::CutBefore] {
            let network = Network::new(backend).await;
            let specs = network.specs(3).await;
            let (routes, wire) = network.process();
            wire.spoil(create(backend), When::Next(1), fault.clone());
            let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
            assert!(results.errors().next().is_none(), "{backend:?}: {:?}", results.added);
            assert_eq!(network.truth().await, expected(&specs));
            wire.spoil(delete(backend), When::Next(1), fault);
            let observed = routes.list().await.unwrap();
            let results = routes.apply(&[], &observed, &|_| {}).await;
            assert!(results.errors().next().is_none(), "{backend:?}: {:?}", results.deleted);
            assert!(network.truth().await.is_empty());
        }
    }
}

#[tokio::test]
async fn row_3_a_process_that_dies_at_any_call_is_finished_by_the_next() {
    for backend in BOTH {
        for executed in [false, true] {
            for call in 0.. {
                let network = Network::new(backend).await;
                let specs = network.specs(4).await;
                // Before: one route is right, one leads over the wrong machine, one is not wanted.
                let (first, _) = network.process();
                let old = [
                    specs[0].clone(),
                    RouteSpec::new("old", specs[1].next_hop, pods(9)),
                    RouteSpec::new("n-2", specs[3].next_hop, specs[2].destination),
                ];
                assert!(first.apply(&old, &[], &|_| {}).await.errors().next().is_none());

                let (dying, wire) = network.process();
                wire.die_at(call, executed);
                let _ = pass(&*dying, &specs, &mut Blackholes::default(), None).await;
                let died = wire.is_dead();

                let (fresh, _) = network.process();
                for _ in 0..2 {
                    pass(&*fresh, &specs, &mut Blackholes::default(), None).await.unwrap();
                }
                assert_eq!(network.truth().await, expected(&specs), "{backend:?} call {call} executed {executed}");
                let (plan, _) = pass(&*fresh, &specs, &mut Blackholes::default(), None).await.unwrap();
                assert!(plan.add.is_empty() && plan.delete.is_empty());
                if !died {
                    assert!(call >= 4, "only {call} calls");
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn row_6_one_bad_route_of_a_batch_is_isolated() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let mut specs = network.specs(40).await;
        specs[17].next_hop = "10.0.99.99".parse().unwrap();
        let (routes, _) = network.process();
        network.cloud.forget();
        let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        let failed: Vec<usize> = (0..40).filter(|place| results.added[*place].is_err()).collect();
        assert_eq!(failed, [17], "{backend:?}");
        if backend == Backend::VpcTable {
            assert!(network.cloud.count("CreateRoutes") <= 13, "{}", network.cloud.count("CreateRoutes"));
        }
        specs.remove(17);
        assert_eq!(network.truth().await, expected(&specs));
    }
}

#[tokio::test]
async fn row_8_a_route_that_does_not_show_yet_is_not_made_twice() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(2).await;
        let (routes, wire) = network.process();
        pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        // The list lags: it shows nothing of what was written, for as long as the pass lasts.
        let hide = Fault::Rewrite(Arc::new(|answer| {
            answer["TotalCount"] = if answer.get("RouteSet").is_some() { json!(0) } else { json!(1) };
            if let Some(list) = answer.get_mut("RouteSet") {
                *list = json!([]);
            }
            if let Some(list) = answer.pointer_mut("/RouteTableSet/0/RouteSet") {
                *list = json!([]);
            }
        }));
        wire.spoil(describe(backend), When::Always, hide);
        let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        assert!(results.errors().all(|error| !error.is_final()), "{:?}", results.added);
        wire.heal();
        let (plan, _) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        assert_eq!(plan.kept.len(), 2);
        assert_eq!(network.truth().await, expected(&specs));
    }
}

#[tokio::test]
async fn row_9_what_is_deleted_out_of_band_comes_back() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(3).await;
        let (routes, _) = network.process();
        pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        let (other, _) = network.process();
        let stolen = ClusterRoute::new(specs[1].destination, specs[1].next_hop);
        let _ = other.apply(&[], &[stolen], &|_| {}).await;
        assert_eq!(network.truth().await.len(), 2);
        pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        assert_eq!(network.truth().await, expected(&specs));
    }
}

#[tokio::test]
async fn row_9_a_table_deleted_out_of_band_is_an_error_of_its_own_or_made_again() {
    let network = Network::new(Backend::ClusterTable).await;
    let specs = network.specs(1).await;
    for create in [false, true] {
        let (config, _) = network.cloud.process();
        let networks: [IpNet; 1] = [PODS.parse().unwrap()];
        let mut settings =
            qcloud_container::provider::routes::ClusterTableSettings::new("pods", &network.cloud.vpc, networks);
        settings.create = create;
        let routes = qcloud_container::provider::routes::ClusterTableRoutes::new(&config, settings);
        assert!(routes.list().await.is_ok() || create);
        let _ = network.cloud.try_call("tke", "DeleteClusterRouteTable", json!({"RouteTableName": "pods"})).await;
        match pass(&routes, &specs, &mut Blackholes::default(), None).await {
            Ok((_, results)) => assert!(create && results.errors().next().is_none()),
            Err(error) => assert!(!create && error.kind() == ErrorKind::NotFound),
        }
    }
    assert_eq!(network.truth().await, expected(&specs));
}

#[tokio::test]
async fn row_10_routes_of_others_are_never_touched() {
    let network = Network::new(Backend::VpcTable).await;
    let specs = network.specs(4).await;
    let theirs = |destination: &str, description: &str| {
        json!({
            "DestinationCidrBlock": destination, "GatewayType": "NORMAL_CVM",
            "GatewayId": specs[3].next_hop.to_string(), "RouteDescription": description,
        })
    };
    // By hand, of another cluster, and of a cluster whose uid ours is the beginning of.
    let foreign =
        [theirs("172.16.0.0/24", ""), theirs("172.16.9.0/24", "k8s:uid-2:n"), theirs("172.16.8.0/24", "k8s:uid-11:n")];
    let request = json!({"RouteTableId": network.table, "Routes": foreign});
    network.cloud.call("vpc", "CreateRoutes", request).await;
    let before = network.truth().await;
    let (routes, _) = network.process();
    let mut blackholes = Blackholes::default();
    for _ in 0..4 {
        let (plan, _) = pass(&*routes, &specs, &mut blackholes, None).await.unwrap();
        assert_eq!(plan.refused.len(), 1);
        assert_eq!(plan.refused[0].1.kind(), ErrorKind::Conflict);
    }
    let after = network.truth().await;
    assert!(before.iter().all(|route| after.contains(route)));
    assert_eq!(after.len(), before.len() + 3);
    // Even when told to, it does not delete them.
    let claimed: Vec<ClusterRoute> =
        before.iter().map(|(to, over)| ClusterRoute::new(to.parse().unwrap(), over.parse().unwrap())).collect();
    let results = routes.apply(&[], &claimed, &|_| {}).await;
    assert!(results.deleted.iter().all(Result::is_err));
    assert_eq!(network.truth().await, after);
}

#[tokio::test]
async fn row_10_a_route_of_someone_else_beside_ours_costs_us_nothing() {
    let network = Network::new(Backend::VpcTable).await;
    let specs = network.specs(4).await;
    let theirs = |spec: &RouteSpec, enabled: bool| {
        let route = json!({
            "DestinationCidrBlock": spec.destination.to_string(), "GatewayType": "NORMAL_CVM",
            "GatewayId": specs[3].next_hop.to_string(), "RouteDescription": "by hand", "Enabled": enabled,
        });
        json!({"RouteTableId": network.table, "Routes": [route]})
    };
    // One that is switched off bars nothing, and one that shares the traffic of ours is no reason to give ours up.
    network.cloud.call("vpc", "CreateRoutes", theirs(&specs[0], false)).await;
    let (routes, _) = network.process();
    let (_, results) = pass(&*routes, &specs[..3], &mut Blackholes::default(), None).await.unwrap();
    assert!(results.errors().next().is_none(), "{:?}", results.added);
    network.cloud.call("vpc", "CreateRoutes", theirs(&specs[1], true)).await;
    let before = network.truth().await;
    assert_eq!(before.len(), 5);
    for _ in 0..3 {
        let (plan, _) = pass(&*routes, &specs[..3], &mut Blackholes::default(), None).await.unwrap();
        assert_eq!((plan.kept.len(), plan.refused.len()), (3, 0));
    }
    assert_eq!(network.truth().await, before);
}

#[tokio::test]
async fn row_10_the_two_kinds_of_table_exclude_each_other_for_a_network() {
    let network = Network::new(Backend::ClusterTable).await;
    let specs = network.specs(1).await;
    let (cluster, _) = network.process();
    pass(&*cluster, &specs, &mut Blackholes::default(), None).await.unwrap();
    let plain = Network { backend: Backend::VpcTable, ..network.clone() };
    let (routes, _) = plain.process();
    let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    let error = results.errors().next().unwrap();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(error.code(), Some("UnsupportedOperation.ConflictWithDockerRoute"));
    assert!(plain.truth().await.is_empty());
    assert_eq!(network.truth().await, expected(&specs));
}

#[tokio::test]
async fn row_11_what_exceeds_the_quota_is_refused_without_being_tried() {
    let network = Network::with_quota(Backend::VpcTable, 50).await;
    let specs = network.specs(53).await;
    let (routes, _) = network.process();
    network.cloud.forget();
    let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    let errors: Vec<_> = results.errors().collect();
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Exhausted(Exhausted::Quota) && !error.is_final()));
    assert_eq!(network.truth().await, expected(&specs[..50]));
    assert_eq!(network.cloud.count("CreateRoutes"), 1);
}

#[tokio::test]
async fn row_11_a_quota_that_can_not_be_read_is_filled_by_those_that_are_waited_for() {
    let network = Network::with_quota(Backend::VpcTable, 37).await;
    let mut specs = network.specs(53).await;
    specs[52].urgency = Urgency::Waiting;
    let (routes, wire) = network.process();
    wire.spoil("DescribeVpcLimits", When::Always, Fault::Code("UnauthorizedOperation.CamNoAuth"));
    network.cloud.forget();
    let (plan, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    assert_eq!(plan.add[0], specs[52]);
    assert_eq!(network.truth().await, expected(&plan.add[..37]));
    let errors: Vec<_> = results.errors().collect();
    assert_eq!(errors.len(), 16);
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::Exhausted(Exhausted::Quota) && !error.is_final()));
    assert!(network.cloud.count("CreateRoutes") <= 8, "{}", network.cloud.count("CreateRoutes"));
}

#[tokio::test]
async fn row_15_a_node_made_again_gets_its_next_hop_replaced() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(2).await;
        let (routes, _) = network.process();
        pass(&*routes, &specs[..1], &mut Blackholes::default(), None).await.unwrap();
        let again = RouteSpec::new("n-0", specs[1].next_hop, specs[0].destination);
        network.cloud.forget();
        let (_, results) =
            pass(&*routes, std::slice::from_ref(&again), &mut Blackholes::default(), None).await.unwrap();
        assert!(results.errors().next().is_none());
        assert_eq!(network.truth().await, expected(&[again]));
        assert_eq!(network.cloud.count("ReplaceRoutes"), usize::from(backend == Backend::VpcTable));
    }
}

#[tokio::test]
async fn row_17_two_replicas_at_once_converge() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(12).await;
        let (one, _) = network.process();
        let (other, _) = network.process();
        // One of them believes in an older state of the cluster.
        let mut older = specs.clone();
        older[3] = RouteSpec::new("n-3", specs[3].next_hop, pods(40));
        let mut blackholes = (Blackholes::default(), Blackholes::default());
        let (first, second) =
            join(pass(&*one, &specs, &mut blackholes.0, None), pass(&*other, &older, &mut blackholes.1, None)).await;
        assert!(first.is_ok() && second.is_ok());
        for _ in 0..2 {
            pass(&*one, &specs, &mut blackholes.0, None).await.unwrap();
        }
        assert_eq!(network.truth().await, expected(&specs), "{backend:?}");
    }
}

#[tokio::test]
async fn row_17_two_clusters_in_one_account_leave_each_other_alone() {
    let network = Network::new(Backend::VpcTable).await;
    let specs = network.specs(4).await;
    let other = Network { uid: "uid-2", ..network.clone() };
    let (ours, _) = network.process();
    let (theirs, _) = other.process();
    let mut blackholes = (Blackholes::default(), Blackholes::default());
    for _ in 0..4 {
        pass(&*ours, &specs[..2], &mut blackholes.0, None).await.unwrap();
        pass(&*theirs, &specs[2..], &mut blackholes.1, None).await.unwrap();
    }
    assert_eq!(network.truth().await, expected(&specs));
    assert_eq!(ours.list().await.unwrap().iter().filter(|route| route.owned).count(), 2);
}

#[tokio::test]
async fn row_18_denied_and_expired_change_nothing_and_say_so() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(2).await;
        let (routes, wire) = network.process();
        for code in ["UnauthorizedOperation.CamNoAuth", "AuthFailure.SignatureExpire"] {
            wire.spoil(create(backend), When::Always, Fault::Code(code));
            let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
            assert_eq!(results.errors().count(), 2);
            assert!(results.errors().all(|error| error.kind() == ErrorKind::Unauthorized), "{code}");
            wire.heal();
            wire.spoil(describe(backend), When::Always, Fault::Code(code));
            assert_eq!(routes.list().await.unwrap_err().kind(), ErrorKind::Unauthorized);
            wire.heal();
        }
        assert!(network.truth().await.is_empty());
    }
}

#[tokio::test]
async fn row_19_a_pass_that_is_dropped_is_taken_up_by_the_next_leader() {
    for backend in BOTH {
        for polls in [1, 40, 80, 160] {
            let network = Network::new(backend).await;
            let specs = network.specs(10).await;
            let (losing, _) = network.process();
            let mut blackholes = Blackholes::default();
            let mut dropped = Box::pin(pass(&*losing, &specs, &mut blackholes, None));
            for _ in 0..polls {
                if (&mut dropped).now_or_never().is_some() {
                    break;
                }
            }
            drop(dropped);
            let (next, _) = network.process();
            pass(&*next, &specs, &mut Blackholes::default(), None).await.unwrap();
            assert_eq!(network.truth().await, expected(&specs), "{backend:?} after {polls} polls");
        }
    }
}

#[tokio::test]
async fn row_21_what_can_not_be_is_final_and_never_sent() {
    let outside: IpNet = "192.168.0.0/24".parse().unwrap();
    let six: IpNet = "fd00::/64".parse().unwrap();
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(3).await;
        let (routes, _) = network.process();
        let bad =
            [RouteSpec::new("outside", specs[0].next_hop, outside), RouteSpec::new("six", specs[1].next_hop, six)];
        network.cloud.forget();
        for _ in 0..3 {
            let (plan, _) = pass(&*routes, &bad, &mut Blackholes::default(), None).await.unwrap();
            assert!(plan.add.is_empty() && plan.refused.len() == 2);
            assert!(plan.refused.iter().all(|(_, error)| error.is_final()));
            let results = routes.apply(&bad, &[], &|_| {}).await;
            assert!(results.added.iter().all(|added| added.as_ref().is_err_and(|error| error.is_final())));
        }
        assert_eq!(network.writes(), 0);
    }
    // A table that does not hold the cluster's network is a wrong setting, and nothing is tried.
    let network = Network::new(Backend::ClusterTable).await;
    let (config, _) = network.cloud.process();
    let routes = network.routes(&config, "172.16.0.0/12");
    assert_eq!(routes.list().await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn row_21_networks_that_are_set_wrongly_cost_no_route() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(4).await;
        let (right, _) = network.process();
        pass(&*right, &specs, &mut Blackholes::default(), None).await.unwrap();
        let all = right.list().await.unwrap();
        // Another network, and a part of the right one.
        for (networks, refused) in [("172.17.0.0/16", 4), ("172.16.2.0/23", 2)] {
            let (config, _) = network.cloud.process();
            let wrong = network.routes(&config, networks);
            let mut blackholes = Blackholes::default();
            for _ in 0..4 {
                let (plan, _) = pass(&*wrong, &specs, &mut blackholes, None).await.unwrap();
                assert_eq!((plan.refused.len(), plan.delete.len()), (refused, 0), "{backend:?} {networks}");
            }
            let outside: Vec<ClusterRoute> =
                all.iter().filter(|route| !wrong.limits().covers(&route.destination)).cloned().collect();
            assert_eq!(outside.len(), refused);
            // Not even when told to.
            let results = wrong.apply(&[], &outside, &|_| {}).await;
            assert!(results.deleted.iter().all(Result::is_err));
        }
        assert_eq!(network.truth().await, expected(&specs), "{backend:?}");
    }
}

#[tokio::test]
async fn row_21_a_cluster_table_serves_the_ipv4_half_of_a_dual_stack_cluster() {
    let network = Network::new(Backend::ClusterTable).await;
    let (config, _) = network.cloud.process();
    let specs = network.specs(1).await;
    let six: IpNet = "fd00:1::/64".parse().unwrap();
    let both = [specs[0].clone(), RouteSpec::new("n-0", specs[0].next_hop, six)];
    use qcloud_container::provider::routes::{ClusterTableRoutes, ClusterTableSettings};
    // Whichever network comes first, in a table that is there and in one that has to be made.
    for (table, networks) in [("pods", [PODS, "fd00:1::/48"]), ("new", ["fd00:1::/48", "172.20.0.0/16"])] {
        let networks: [IpNet; 2] = networks.map(|network| network.parse().unwrap());
        let mut settings = ClusterTableSettings::new(table, &network.cloud.vpc, networks);
        settings.create = table == "new";
        let routes = ClusterTableRoutes::new(&config, settings);
        assert_eq!(routes.list().await.unwrap(), []);
        if table == "new" {
            continue;
        }
        for kept in [0, 1] {
            let (plan, results) = pass(&routes, &both, &mut Blackholes::default(), None).await.unwrap();
            assert!(results.errors().next().is_none(), "{:?}", results.added);
            assert_eq!((plan.kept.len(), plan.refused.len()), (kept, 1));
            assert_eq!(plan.refused[0].1.kind(), ErrorKind::Unsupported);
            assert!(plan.refused[0].1.is_final());
        }
    }
    assert_eq!(network.truth().await, expected(&specs));
}

#[tokio::test]
async fn row_21_dual_stack_works_where_the_table_can() {
    let network = Network::new(Backend::VpcTable).await;
    let (config, _) = network.cloud.process();
    let specs = network.specs(1).await;
    let six: IpNet = "fd00:1::/64".parse().unwrap();
    let networks: [IpNet; 2] = [PODS.parse().unwrap(), "fd00:1::/48".parse().unwrap()];
    use qcloud_container::provider::routes::{RouteTables, VpcTableRoutes, VpcTableSettings};
    let settings = VpcTableSettings::new(
        qcloud_container::kubernetes::ClusterIdentity::new("uid-1", "test"),
        &network.cloud.vpc,
        RouteTables::Ids(vec![network.table.clone()]),
        networks,
    );
    let routes = VpcTableRoutes::new(&config, settings);
    let both = [specs[0].clone(), RouteSpec::new("n-0", specs[0].next_hop, six)];
    for kept in [0, 2] {
        let (plan, results) = pass(&routes, &both, &mut Blackholes::default(), None).await.unwrap();
        assert!(results.errors().next().is_none(), "{:?}", results.added);
        assert_eq!(plan.kept.len(), kept);
    }
}

#[tokio::test]
async fn a_machine_that_the_network_does_not_know_yet_is_tried_again_a_few_times() {
    let network = Network::new(Backend::ClusterTable).await;
    let specs = network.specs(1).await;
    let (routes, wire) = network.process();
    wire.spoil("CreateClusterRoute", When::Next(3), Fault::Code("InternalError.CvmNotFound"));
    let mut last = Vec::new();
    for _ in 0..4 {
        let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
        last.push(results.errors().next().map(|error| error.is_final()));
    }
    assert_eq!(last, [Some(false), Some(false), Some(true), None]);
}

#[tokio::test]
async fn patience_with_a_machine_is_not_used_up_for_ever() {
    let network = Network::new(Backend::ClusterTable).await;
    let specs = network.specs(1).await;
    let (routes, wire) = network.process();
    for _ in 0..3 {
        wire.spoil("CreateClusterRoute", When::Next(2), Fault::Code("InternalError.CvmNotFound"));
        for _ in 0..2 {
            let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
            assert!(results.errors().all(|error| !error.is_final()) && results.errors().count() == 1);
        }
        network.cloud.pass(Duration::from_secs(600)).await;
    }
    // Another network over the same machine has a count of its own.
    wire.spoil("CreateClusterRoute", When::Next(3), Fault::Code("InternalError.CvmNotFound"));
    for number in 1..4 {
        let other = RouteSpec::new("n-0", specs[0].next_hop, pods(number));
        let (_, results) = pass(&*routes, &[other], &mut Blackholes::default(), None).await.unwrap();
        assert!(results.errors().all(|error| !error.is_final()) && results.errors().count() == 1);
    }
}

#[tokio::test]
async fn a_new_route_is_not_put_beside_an_old_one_that_could_not_be_deleted() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(2).await;
        let (routes, wire) = network.process();
        assert!(routes.apply(&specs[..1], &[], &|_| {}).await.errors().next().is_none());
        let observed = routes.list().await.unwrap();
        let new = RouteSpec::new("n-0", specs[1].next_hop, specs[0].destination);
        for action in ["ReplaceRoutes", "DeleteRoutes", "DeleteClusterRoute"] {
            wire.spoil(action, When::Always, Fault::Code("RequestLimitExceeded"));
        }
        let results = routes.apply(&[new], &observed, &|_| {}).await;
        assert!(results.errors().count() == 2 && results.errors().all(|error| error.kind() == ErrorKind::Throttled));
        assert_eq!(network.truth().await, expected(&specs[..1]), "{backend:?}");
    }
}
