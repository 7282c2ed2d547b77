//! Any order of faults: in the end there is what was wanted last, once.

use proptest::prelude::*;
use qcloud_container::kubernetes::load_balancers::{LoadBalancers, Protocol};
use serde_json::json;

use crate::cloud::{Cloud, Fault};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Event {
    /// A pass for the n-th of the wishes.
    Pass(usize),
    /// The n-th call from then on goes wrong, in one of several ways.
    Fault(usize, usize),
    /// Another process takes over.
    NewProcess,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (0usize..3).prop_map(Event::Pass),
        3 => (0usize..5, 0usize..6).prop_map(|(call, kind)| Event::Fault(call, kind)),
        1 => Just(Event::NewProcess),
    ]
}

async fn live(events: Vec<Event>) {
    let faults = [
        Fault::LostBefore,
        Fault::LostAfter,
        Fault::Refused("RequestLimitExceeded"),
        Fault::Refused("InternalError"),
        Fault::Refused("FailedOperation.ResourceInOperating"),
        Fault::Refused("UnauthorizedOperation"),
    ];
    let cloud = Cloud::new().await;
    let mut wishes = [
        cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]),
        cloud.spec("one", &[(80, Protocol::Udp)]),
        cloud.spec("one", &[(80, Protocol::Tcp), (82, Protocol::Udp)]),
    ];
    cloud.point(&mut wishes[2], &[1, 2, 3]);
    let mut provider = cloud.provider();
    for event in events {
        match event {
            Event::Pass(n) => {
                if let Err(error) = provider.ensure(&wishes[n]).await {
                    assert!(!error.is_final(), "{error:?}");
                    cloud.heed(&error);
                }
            }
            Event::Fault(call, kind) => cloud.fail_call(call, faults[kind].clone()),
            Event::NewProcess => provider = cloud.provider(),
        }
    }
    cloud.forgive();
    let status = cloud.ensure_all(&provider, &wishes[2]).await;
    // What a process believes can be old; a new one sees.
    let again = cloud.ensure_all(&cloud.provider(), &wishes[2]).await;
    assert_eq!(status.id, again.id);
    assert_eq!(cloud.balancers().await, [status.id]);
    let state = provider.observe(&wishes[2].reference()).await.unwrap().unwrap();
    assert_eq!(state.listeners.len(), 2);
    for listener in &state.listeners {
        assert_eq!(Some(&listener.targets), wishes[2].targets.of(listener.key));
    }
    cloud.delete(&provider, &wishes[2]).await;
    assert_eq!(cloud.balancers().await, Vec::<String>::new());
    let all = cloud.clb("DescribeLoadBalancers", json!({})).await;
    assert_eq!(all["TotalCount"], 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_converges(events in prop::collection::vec(event(), 1..24)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(live(events));
    }
}
