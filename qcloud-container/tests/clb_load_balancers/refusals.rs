//! Targets that CLB does not take, and what becomes of the others.

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::load_balancers::{LbSpec, ListenerKey, LoadBalancers, Protocol, Target};

use crate::cloud::{Cloud, Fault, builder};

const HTTP: ListenerKey = ListenerKey { port: 80, protocol: Protocol::Tcp };
const BAD: &str = "ins-poisoned";

async fn lab() -> Cloud {
    Cloud::of(builder().poisoned_target(BAD)).await
}

/// The targets of listener 80.
async fn bound(cloud: &Cloud, want: &LbSpec) -> Vec<Target> {
    let state = cloud.provider().observe(&want.reference()).await.unwrap().unwrap();
    state.listener(HTTP).unwrap().targets.keys().cloned().collect()
}

#[tokio::test]
async fn old_targets_stay_when_no_new_one_gets_in() {
    let cloud = lab().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
    cloud.ensure(&provider, &want).await;
    let before = bound(&cloud, &want).await;
    cloud.point(&mut want, &[2]);
    want.targets.set(HTTP, [(Target::instance(BAD, 30_080), 10)]);
    for _ in 0..3 {
        let error = cloud.trouble(&provider, &want).await;
        assert_eq!(error.kind(), ErrorKind::Conflict);
        cloud.heed(&error);
        assert_eq!(bound(&cloud, &want).await, before);
    }
    // The other listener has changed over.
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    let other = ListenerKey::new(81, Protocol::Tcp);
    assert_eq!(Some(&state.listener(other).unwrap().targets), want.targets.of(other));
    // With one good target there is no need for them any more.
    let good = Target::instance(cloud.machines[3].as_str(), 30_080);
    want.targets.set(HTTP, [(Target::instance(BAD, 30_080), 10), (good.clone(), 10)]);
    cloud.trouble(&provider, &want).await;
    assert_eq!(bound(&cloud, &want).await, [good]);
}

#[tokio::test]
async fn the_last_target_that_serves_is_not_drained() {
    let cloud = lab().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    cloud.point(&mut want, &[0]);
    cloud.ensure(&provider, &want).await;
    let old = Target::instance(cloud.machines[0].as_str(), 30_080);
    want.targets.set(HTTP, [(Target::instance(BAD, 30_080), 10), (old.clone(), 0)]);
    cloud.trouble(&provider, &want).await;
    cloud.pass(std::time::Duration::from_secs(10));
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    assert_eq!(state.listener(HTTP).unwrap().targets, [(old, 10)].into());
}

/// The search costs a few calls once; from then on the bad target costs one.
#[tokio::test]
async fn one_bad_target_of_many_is_found_by_halving() {
    let cloud = lab().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
    let (bad, first) = ((Target::instance(BAD, 1), 10), cloud.machines[0].clone());
    for (key, count) in [(HTTP, 100), (ListenerKey::new(81, Protocol::Tcp), 60)] {
        let many = (0..count).map(|n| (Target::instance(first.as_str(), 30_000 + n), 10));
        want.targets.set(key, many.chain([bad.clone()]));
    }
    let error = cloud.trouble(&provider, &want).await;
    for listener in ["80/TCP", "81/TCP"] {
        assert!(error.message().contains(&format!("{BAD}:1 of {listener}")), "{error:?}");
    }
    let calls = cloud.emulator.calls().count("BatchRegisterTargets");
    assert!(calls <= 1 + 2 * 7, "{calls}");
    assert_eq!(bound(&cloud, &want).await.len(), 100);

    cloud.emulator.calls().clear();
    cloud.heed(&error);
    cloud.trouble(&provider, &want).await;
    assert_eq!(cloud.emulator.calls().count("BatchRegisterTargets"), 1);
}

#[tokio::test]
async fn a_refusal_of_the_whole_call_is_searched_too() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
    let mut more = want.clone();
    for listener in &want.listeners {
        let good = want.targets.of(listener.key).unwrap().clone();
        more.targets.set(listener.key, good.into_iter().chain([(Target::instance("ins-0000gone", 1), 10)]));
    }
    cloud.fail("BatchRegisterTargets", 100, Fault::RefusedFor("InvalidInstanceId.NotFound", "ins-0000gone"));
    let error = cloud.trouble(&provider, &more).await;
    assert!(!error.is_final() && error.message().contains("ins-0000gone:1 of 81/TCP"), "{error:?}");
    cloud.forgive();
    assert_eq!(bound(&cloud, &want).await.len(), 2);
    cloud.ensure(&provider, &want).await;
}

/// Too many to be searched for in one pass: each pass finds some.
#[tokio::test]
async fn many_bad_targets_are_found_bit_by_bit() {
    let bad = ('a'..='z').map(|letter| format!("ins-{letter}bad")).collect::<Vec<_>>();
    let cloud = Cloud::of(bad.iter().fold(builder(), |builder, id| builder.poisoned_target(id.as_str()))).await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    let hosts = cloud.machines.iter().flat_map(|id| std::iter::repeat_n(id, 9)).chain(&bad);
    want.targets.set(HTTP, hosts.zip(30_000..).map(|(host, port)| (Target::instance(host.as_str(), port), 10)));
    for _ in 0..5 {
        let before = cloud.emulator.calls().count("BatchRegisterTargets");
        let error = cloud.trouble(&provider, &want).await;
        assert!(cloud.emulator.calls().count("BatchRegisterTargets") <= before + 40);
        cloud.heed(&error);
    }
    assert_eq!(bound(&cloud, &want).await.len(), 4 * 9);
}
