//! A process that ends at any call, before or after it was carried out; the next one finishes.

use qcloud_container::kubernetes::load_balancers::conformance::Harness as _;
use qcloud_container::kubernetes::load_balancers::{
    Access, DeletePolicy, Existing, LbSpec, LoadBalancers, Protocol, Rule, Scope, Tls,
};

use crate::cloud::{Cloud, Fault};

/// Runs `operation` in processes of which the first ends at the k-th call, until k is beyond its last one.
async fn at_every_call<F>(name: &str, mut begin: impl FnMut(&Cloud) -> Vec<LbSpec>, check: F)
where
    F: AsyncFn(&Cloud, &LbSpec),
{
    let mut cuts = 0;
    for number in 0.. {
        assert!(number < 60, "{name} has no end");
        let mut reached = false;
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let cloud = Cloud::new().await;
            let wishes = begin(&cloud);
            let (last, before) = wishes.split_last().unwrap();
            let first = cloud.provider();
            for want in before {
                cloud.ensure_all(&first, want).await;
            }
            cloud.fail_call(number, fault);
            let crashed = cloud.until_crash(cloud.ensure_all(&first, last)).await.is_none();
            drop(first);
            cloud.forgive();
            reached |= crashed;
            cuts += usize::from(crashed);
            let next = cloud.provider();
            cloud.ensure_all(&next, last).await;
            check(&cloud, last).await;
            cloud.delete(&next, last).await;
            assert_eq!(cloud.balancers().await, Vec::<String>::new(), "{name}: call {number}");
            let groups = cloud.vpc("DescribeSecurityGroups", serde_json::json!({ "Limit": "100" })).await;
            let left = groups["SecurityGroupSet"].as_array().unwrap().iter();
            let left: Vec<_> =
                left.filter(|group| group["SecurityGroupName"].as_str().unwrap().starts_with("k8s-")).collect();
            assert!(left.is_empty(), "{name}: call {number}: {left:?}");
        }
        if !reached {
            break;
        }
    }
    assert!(cuts >= 8, "{name} was cut {cuts} times");
}

async fn one_as_wanted(cloud: &Cloud, want: &LbSpec) {
    let ids = cloud.balancers().await;
    assert_eq!(ids.len(), 1, "{ids:?}");
    let state = cloud.provider().observe(&want.reference()).await.unwrap().unwrap();
    assert_eq!(state.listeners.len(), want.listeners.len());
    for listener in &want.listeners {
        let found = state.listener(listener.key).unwrap();
        assert_eq!(Some(&found.targets), want.targets.of(listener.key));
    }
    assert_eq!(state.access.source_ranges, want.access.source_ranges);
}

#[tokio::test]
async fn a_balancer_that_is_made() {
    let begin = |cloud: &Cloud| vec![cloud.spec("one", &[(80, Protocol::Tcp), (53, Protocol::Udp)])];
    at_every_call("making", begin, async |cloud: &Cloud, want: &LbSpec| one_as_wanted(cloud, want).await).await;
}

#[tokio::test]
async fn a_balancer_that_is_made_with_source_ranges() {
    let begin = |cloud: &Cloud| {
        let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
        want.access =
            Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap(), "192.168.0.0/16".parse().unwrap()]);
        vec![want]
    };
    at_every_call("fencing", begin, async |cloud: &Cloud, want: &LbSpec| one_as_wanted(cloud, want).await).await;
}

#[tokio::test]
async fn a_balancer_that_is_changed() {
    let begin = |cloud: &Cloud| {
        let before = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]);
        let mut after = cloud.spec("one", &[(80, Protocol::Tcp), (82, Protocol::Udp)]);
        after.listeners[0].settings.session_seconds = 60;
        cloud.point(&mut after, &[1, 2]);
        vec![before, after]
    };
    at_every_call("changing", begin, async |cloud: &Cloud, want: &LbSpec| one_as_wanted(cloud, want).await).await;
}

#[tokio::test]
async fn a_balancer_that_is_replaced() {
    let begin = |cloud: &Cloud| {
        let before = cloud.spec("one", &[(80, Protocol::Tcp)]);
        let mut after = cloud.spec("one", &[(80, Protocol::Tcp)]);
        after.scope = Scope::Internal { subnet: cloud.subnet.clone() };
        after.allow_recreate = true;
        vec![before, after]
    };
    at_every_call("replacing", begin, async |cloud: &Cloud, want: &LbSpec| one_as_wanted(cloud, want).await).await;
}

#[tokio::test]
async fn a_balancer_with_hosts() {
    let begin = |cloud: &Cloud| {
        let hosts = |names: &[&str], certificate: &str| {
            let mut want = cloud.spec("one", &[(443, Protocol::Https)]);
            let listener = &mut want.listeners[0];
            let rule = |host: &&str| Rule { host: (*host).to_owned(), path: "/".to_owned() };
            listener.rules = names.iter().map(rule).collect();
            let tls = |host: &&str| ((*host).to_owned(), Tls::new([certificate]));
            listener.settings.tls_by_host = Some(names.iter().map(tls).collect());
            want
        };
        vec![hosts(&["a.example", "b.example"], "abcd1234"), hosts(&["b.example", "c.example"], "efgh5678")]
    };
    let check = async |cloud: &Cloud, want: &LbSpec| {
        let id = cloud.balancers().await.remove(0);
        let listeners = cloud.listeners(&id).await;
        let mut shown: Vec<_> = listeners[0]["Rules"].as_array().unwrap().iter().collect();
        shown.sort_by_key(|rule| rule["Domain"].to_string());
        let hosts: Vec<_> = shown.iter().map(|rule| rule["Domain"].as_str().unwrap()).collect();
        assert_eq!(hosts, ["b.example", "c.example"]);
        assert!(shown.iter().all(|rule| rule["Certificate"]["CertId"] == "efgh5678"), "{shown:?}");
        let state = cloud.provider().observe(&want.reference()).await.unwrap().unwrap();
        let wanted = want.targets.of(want.listeners[0].key);
        assert!(state.listeners[0].rules.iter().all(|rule| Some(&rule.targets) == wanted));
    };
    at_every_call("hosting", begin, check).await;
}

#[tokio::test]
async fn a_balancer_that_is_kept() {
    for number in 0..8 {
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let cloud = Cloud::new().await;
            let provider = cloud.provider();
            let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Udp)]);
            want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
            let status = cloud.ensure_all(&provider, &want).await;
            let retain = async |provider: &dyn LoadBalancers| {
                for _ in 0..50 {
                    match provider.delete(&want.reference(), DeletePolicy::Retain).await {
                        Ok(()) => return,
                        Err(error) => cloud.heed(&error),
                    }
                }
                panic!("no end");
            };
            cloud.fail_call(number, fault);
            let _ = cloud.until_crash(retain(&provider)).await;
            cloud.forgive();
            retain(&cloud.provider()).await;
            assert_eq!(cloud.balancers().await, std::slice::from_ref(&status.id));
            assert!(cloud.listeners(&status.id).await.is_empty());
            assert_eq!(cloud.shown(&status.id).await["SecureGroups"], serde_json::json!([]));
        }
    }
}

/// What someone else made is used, and left as it was.
#[tokio::test]
async fn a_balancer_of_someone_else() {
    for number in 0.. {
        let mut reached = false;
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let cloud = Cloud::new().await;
            let balancer = cloud.make_user_balancer().await;
            let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Udp)]);
            want.existing = Some(Existing::new(balancer.as_str()));
            cloud.fail_call(number, fault);
            let provider = cloud.provider();
            reached |= cloud.until_crash(cloud.ensure_all(&provider, &want)).await.is_none();
            cloud.forgive();
            let next = cloud.provider();
            cloud.ensure_all(&next, &want).await;
            assert_eq!(cloud.listeners(&balancer).await.len(), 2);
            cloud.delete(&next, &want).await;
            assert_eq!(cloud.balancers().await, std::slice::from_ref(&balancer));
            assert!(cloud.listeners(&balancer).await.is_empty());
        }
        if !reached {
            assert!(number > 4);
            break;
        }
    }
}

#[tokio::test]
async fn targets_that_move() {
    for (number, fault) in (0..6).flat_map(|number| [(number, Fault::CrashBefore), (number, Fault::CrashAfter)]) {
        let cloud = Cloud::new().await;
        let provider = cloud.provider();
        let mut want = cloud.spec("one", &[(80, Protocol::Tcp), (81, Protocol::Udp)]);
        cloud.ensure_all(&provider, &want).await;
        cloud.point(&mut want, &[1, 2, 3]);
        cloud.fail_call(number, fault);
        let fresh = cloud.provider();
        let _ = cloud.until_crash(fresh.update_targets(&want.reference(), &want.targets)).await;
        cloud.forgive();
        for _ in 0..20 {
            match cloud.provider().update_targets(&want.reference(), &want.targets).await {
                Ok(()) => break,
                Err(error) => cloud.heed(&error),
            }
        }
        one_as_wanted(&cloud, &want).await;
    }
}

#[tokio::test]
async fn a_balancer_that_is_deleted() {
    for number in 0.. {
        let mut reached = false;
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let cloud = Cloud::new().await;
            let provider = cloud.provider();
            let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
            want.protection.deletion = Some(true);
            want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
            cloud.ensure_all(&provider, &want).await;
            cloud.fail_call(number, fault);
            reached |= cloud.until_crash(cloud.delete(&provider, &want)).await.is_none();
            cloud.forgive();
            cloud.delete(&cloud.provider(), &want).await;
            assert_eq!(cloud.balancers().await, Vec::<String>::new());
            let groups = cloud.vpc("DescribeSecurityGroups", serde_json::json!({ "Limit": "100" })).await;
            let mut names = groups["SecurityGroupSet"]
                .as_array()
                .unwrap()
                .iter()
                .map(|group| group["SecurityGroupName"].as_str().unwrap());
            assert!(names.all(|name| !name.starts_with("k8s-")), "call {number}");
        }
        if !reached {
            assert!(number > 5);
            break;
        }
    }
}
