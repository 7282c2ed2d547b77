use std::net::IpAddr;

use proptest::prelude::*;

use super::{
    Blackholes, ClusterRoute, InMemoryRoutes, NextHops, RouteLimits, RoutePlan, RouteSpec, Routes, Urgency, plan,
};
use crate::kubernetes::ErrorKind;
use crate::kubernetes::instances::{AddressKind, Instance, Inventory, NodeAddress};

fn hop(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

fn spec(node: &str, number: u8, destination: &str) -> RouteSpec {
    RouteSpec::new(node, hop(number), destination.parse().unwrap())
}

fn route(number: u8, destination: &str) -> ClusterRoute {
    ClusterRoute::new(destination.parse().unwrap(), hop(number))
}

fn limits() -> RouteLimits {
    RouteLimits::new(["172.16.0.0/16".parse().unwrap()]).with_ipv6(false).with_one_per_next_hop(true)
}

fn machines(numbers: impl IntoIterator<Item = u8>, complete: bool) -> Inventory {
    let machine = |number: u8| {
        let mut machine = Instance::new(format!("m-{number}"), "");
        machine.addresses.push(NodeAddress { kind: AddressKind::Internal, address: hop(number) });
        machine
    };
    Inventory::new(numbers.into_iter().map(machine), complete)
}

fn once(desired: &[RouteSpec], observed: &[ClusterRoute], next_hops: &NextHops<'_>) -> RoutePlan {
    plan(desired, observed, &limits(), next_hops, &Blackholes::default())
}

fn refusals(plan: &RoutePlan) -> Vec<ErrorKind> {
    plan.refused.iter().map(|(_, error)| error.kind()).collect()
}

#[test]
fn what_is_missing_is_added_by_urgency() {
    let desired = [
        spec("a", 1, "172.16.1.0/24").with_urgency(Urgency::NotReady),
        spec("b", 2, "172.16.2.0/24").with_urgency(Urgency::Waiting),
        spec("c", 3, "172.16.3.0/24"),
    ];
    let plan = once(&desired, &[route(3, "172.16.3.0/24")], &NextHops::default());
    assert_eq!(plan.add, [desired[1].clone(), desired[0].clone()]);
    assert_eq!(plan.kept, [desired[2].clone()]);
    assert!(plan.delete.is_empty() && plan.refused.is_empty());
}

#[test]
fn an_incomplete_route_is_added_again_and_not_deleted() {
    let desired = [spec("a", 1, "172.16.1.0/24")];
    let plan = once(&desired, &[route(1, "172.16.1.0/24").with_complete(false)], &NextHops::default());
    assert_eq!((plan.add.len(), plan.delete.len()), (1, 0));
}

#[test]
fn a_node_made_again_with_another_address_gets_a_new_route_at_once() {
    let old = route(9, "172.16.1.0/24");
    let plan = once(&[spec("a", 1, "172.16.1.0/24")], std::slice::from_ref(&old), &NextHops::default());
    assert_eq!((plan.add.len(), plan.delete), (1, vec![old]));
}

#[test]
fn an_address_that_a_new_node_took_over_loses_its_old_route_at_once() {
    let old = route(1, "172.16.9.0/24");
    let plan = once(&[spec("a", 1, "172.16.1.0/24")], std::slice::from_ref(&old), &NextHops::default());
    assert_eq!((plan.add.len(), plan.delete), (1, vec![old]));
}

#[test]
fn overlapping_routes_of_ours_make_way() {
    let old = [route(8, "172.16.1.128/25"), route(9, "172.16.0.0/22")];
    let plan = once(&[spec("a", 1, "172.16.1.0/24")], &old, &NextHops::default());
    assert_eq!(plan.delete, old);
}

#[test]
fn a_blackhole_goes_after_a_grace_of_two_passes() {
    let nobody = machines([2], true);
    let hops = NextHops::new([], &nobody);
    let observed = [route(1, "172.16.1.0/24")];
    let first = once(&[], &observed, &hops);
    let second = plan(&[], &observed, &limits(), &hops, &first.blackholes);
    let third = plan(&[], &observed, &limits(), &hops, &second.blackholes);
    assert_eq!([first.delete.len(), second.delete.len(), third.delete.len()], [0, 0, 1]);
    // One that leads somewhere in between begins anew.
    let somebody = machines([1], true);
    let between = plan(&[], &observed, &limits(), &NextHops::new([], &somebody), &second.blackholes);
    assert!(plan(&[], &observed, &limits(), &hops, &between.blackholes).delete.is_empty());
}

#[test]
fn a_machine_that_is_no_node_yet_keeps_its_route() {
    let machine = machines([1], true);
    let observed = [route(1, "172.16.1.0/24")];
    let mut blackholes = Blackholes::default();
    for _ in 0..5 {
        let plan = plan(&[], &observed, &limits(), &NextHops::new([], &machine), &blackholes);
        assert!(plan.delete.is_empty() && plan.spared == observed);
        blackholes = plan.blackholes;
    }
}

#[test]
fn a_doubt_about_machines_deletes_nothing() {
    let incomplete = machines([2], false);
    let observed = [route(1, "172.16.1.0/24")];
    for hops in [NextHops::new([], None), NextHops::new([], &incomplete)] {
        let mut blackholes = Blackholes::default();
        for _ in 0..5 {
            let plan = plan(&[], &observed, &limits(), &hops, &blackholes);
            assert!(plan.delete.is_empty());
            blackholes = plan.blackholes;
        }
    }
}

#[test]
fn a_route_that_its_node_no_longer_wants_goes_at_once() {
    let hops = NextHops::new([("a".to_owned(), vec![hop(1)])], None);
    let observed = [route(1, "172.16.1.0/24")];
    assert_eq!(once(&[], &observed, &hops).delete, observed);
}

#[test]
fn what_can_not_be_is_refused_for_good() {
    let desired = [
        spec("outside", 1, "172.17.1.0/24"),
        spec("six", 2, "fd00::/64"),
        spec("bits", 3, "172.16.3.1/24"),
        spec("first", 4, "172.16.4.0/24"),
        spec("overlapping", 5, "172.16.4.0/25"),
        spec("second", 4, "172.16.5.0/24"),
        spec("first", 4, "172.16.4.0/24"),
    ];
    let plan = once(&desired, &[], &NextHops::default());
    assert_eq!(plan.add, [desired[3].clone()]);
    use ErrorKind::{Conflict, InvalidArgument, Unsupported};
    assert_eq!(refusals(&plan), [InvalidArgument, Unsupported, InvalidArgument, Conflict, Unsupported]);
}

#[test]
fn of_two_that_claim_the_same_the_one_that_has_it_keeps_it() {
    let desired = [spec("new", 1, "172.16.1.0/24"), spec("old", 2, "172.16.1.0/24")];
    let plan = once(&desired, &[route(2, "172.16.1.0/24")], &NextHops::default());
    assert_eq!(plan.kept, [desired[1].clone()]);
    assert_eq!(refusals(&plan), [ErrorKind::Conflict]);
    assert!(plan.add.is_empty() && plan.delete.is_empty());
}

#[test]
fn a_route_of_someone_else_is_in_the_way_and_stays() {
    let theirs = ClusterRoute::foreign("172.16.1.0/24".parse().unwrap(), Some(hop(9)));
    let plan = once(&[spec("a", 1, "172.16.1.0/24")], &[theirs], &NextHops::default());
    assert_eq!(refusals(&plan), [ErrorKind::Conflict]);
    assert!(plan.add.is_empty() && plan.delete.is_empty());
}

#[test]
fn a_route_of_ours_stays_beside_one_of_someone_else() {
    let ours = route(1, "172.16.1.0/24");
    let theirs = ClusterRoute::foreign(ours.destination, Some(hop(9)));
    let desired = [spec("a", 1, "172.16.1.0/24")];
    let hops = NextHops::new([("a".to_owned(), vec![hop(1)])], None);
    for (complete, kept) in [(true, 1), (false, 0)] {
        let observed = [ours.clone().with_complete(complete), theirs.clone()];
        let plan = once(&desired, &observed, &hops);
        assert!(plan.refused.is_empty() && plan.delete.is_empty());
        assert_eq!((plan.kept.len(), plan.add.len()), (kept, 1 - kept));
    }
}

#[test]
fn networks_that_do_not_hold_the_routes_delete_none_of_them() {
    let desired = [spec("a", 1, "172.16.1.0/24"), spec("b", 2, "172.16.2.0/24")];
    let gone = route(3, "172.16.3.0/24");
    let observed = [route(1, "172.16.1.0/24"), route(2, "172.16.2.0/24"), gone.clone()];
    let hops = NextHops::new([("a".to_owned(), vec![hop(1)]), ("c".to_owned(), vec![hop(3)])], None);
    let mistyped = RouteLimits::new(["172.61.0.0/16".parse().unwrap()]);
    let wrong = plan(&desired, &observed, &mistyped, &hops, &Blackholes::default());
    assert_eq!(refusals(&wrong), [ErrorKind::InvalidArgument; 2]);
    assert!(wrong.delete.is_empty() && wrong.add.is_empty());
    assert_eq!(wrong.spared, [gone]);
    let narrowed = RouteLimits::new(["172.16.2.0/23".parse().unwrap()]);
    let narrow = plan(&desired, &observed, &narrowed, &hops, &Blackholes::default());
    assert_eq!((narrow.kept, narrow.delete), (vec![desired[1].clone()], vec![observed[2].clone()]));
}

#[test]
fn a_route_whose_node_is_refused_works_on() {
    // The network of one node lies within another's: only one of them can be accepted, and both are there.
    let desired = [spec("a", 1, "172.16.1.0/24"), spec("b", 2, "172.16.0.0/23"), spec("c", 3, "172.16.0.0/24")];
    let observed = [route(1, "172.16.1.0/24"), route(2, "172.16.0.0/23")];
    let hops = NextHops::new([("a".to_owned(), vec![hop(1)]), ("b".to_owned(), vec![hop(2)])], None);
    let plan = once(&desired, &observed, &hops);
    assert!(plan.delete.is_empty() && plan.add.is_empty());
    assert_eq!(plan.kept, desired[..1]);
    assert_eq!(refusals(&plan), [ErrorKind::Conflict; 2]);
}

prop_compose! {
    fn any_pair()(number in 1_u8..20, net in 0_u8..12, length in prop::sample::select(vec![23_u8, 24, 25])) -> (u8, String) {
        let net: ipnet::Ipv4Net = format!("172.16.{net}.0/{length}").parse().unwrap();
        (number, net.trunc().to_string())
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    futures_util::FutureExt::now_or_never(future).unwrap()
}

proptest! {
    #[test]
    fn planning_again_after_applying_gives_nothing_and_foreign_routes_stay(
        wanted in prop::collection::vec(any_pair(), 0..12),
        ours in prop::collection::vec(any_pair(), 0..8),
        theirs in prop::collection::vec(any_pair(), 0..3),
        exclusive: bool,
    ) {
        let limits = limits().with_one_per_next_hop(exclusive);
        let cloud = InMemoryRoutes::new(limits.clone());
        (0..30).for_each(|number| cloud.insert_machine(hop(number)));
        for (number, destination) in &theirs {
            cloud.insert(ClusterRoute::foreign(destination.parse().unwrap(), Some(hop(*number))));
        }
        let known = block_on(cloud.list()).unwrap();
        for (number, destination) in &ours {
            let route = route(*number, destination);
            if !block_on(cloud.list()).unwrap().contains(&route) { cloud.insert(route); }
        }
        let desired: Vec<RouteSpec> = wanted.iter().map(|(number, net)| spec("n", *number, net)).collect();
        let everyone = machines(0..30, true);
        let hops = NextHops::new((0..10).map(|number| (format!("n-{number}"), vec![hop(number)])), &everyone);

        let first = plan(&desired, &block_on(cloud.list()).unwrap(), &limits, &hops, &Blackholes::default());
        for route in &first.delete {
            let wanted_by_two = desired.iter().filter(|spec| spec.destination == route.destination).count() > 1;
            prop_assert!(wanted_by_two || !desired.iter().any(|spec| route.is(spec)), "{:?}", route);
        }
        let results = block_on(cloud.apply(&first.add, &first.delete, &|_| {}));
        prop_assert!(results.deleted.iter().all(Result::is_ok));
        let observed = block_on(cloud.list()).unwrap();
        let again = plan(&desired, &observed, &limits, &hops, &first.blackholes);
        prop_assert!(again.delete.is_empty(), "{:?}", again.delete);
        // What is left to add is what the cloud refused: something foreign overlaps it, or holds its next hop.
        let refused: Vec<&RouteSpec> = first.add.iter().zip(&results.added)
            .filter(|(_, result)| result.is_err()).map(|(spec, _)| spec).collect();
        prop_assert_eq!(again.add.iter().collect::<Vec<_>>(), refused.clone());
        prop_assert!(theirs.is_empty() <= refused.is_empty());
        let left: Vec<ClusterRoute> = observed.into_iter().filter(|route| !route.owned).collect();
        prop_assert_eq!(left, known);
    }
}
