//! A load balancer in front of the machines.

use futures_util::TryStreamExt;
use futures_util::stream;
use qcloud_clb::model::{
    CreateListener, CreateLoadBalancer, DeleteLoadBalancer, DescribeTargetHealth, ListenerProtocol, LoadBalancerType,
    RegisterTargets, Target,
};
use qcloud_clb::wait::{has_address, is_deleted};

use crate::Step;
use crate::account::Account;
use crate::network::Network;
use crate::progress::progress;

pub(crate) struct Balancer {
    pub(crate) id: String,
    pub(crate) address: String,
}

pub(crate) async fn create(account: &Account, network: &Network, instances: &[String]) -> Step<Balancer> {
    account.title("A load balancer");
    let request = CreateLoadBalancer::new(LoadBalancerType::Open)
        .load_balancer_name("tour")
        .vpc_id(&*network.vpc_id)
        .tags([("made-by", "tour")]);
    let ids = account.clb.create_load_balancer(request).await?.load_balancer_ids;
    let ready = account.clb.wait_for_load_balancers(&ids, has_address()).on_poll(progress("with an address")).await?;
    let (id, address) = ready
        .into_iter()
        .next()
        .map(|balancer| (balancer.load_balancer_id, balancer.load_balancer_vips.into_iter().next().unwrap_or_default()))
        .unwrap_or_default();
    account.tell(&format!("{id} at {address}"));

    // Every write is a task, and the balancer takes the next one only when it has ended.
    let created = account.clb.create_listener(CreateListener::new(&*id, [80, 443], ListenerProtocol::TCP)).await?;
    account.clb.wait_for_task(created.request_id).await?;
    account.tell(&format!("listeners {} for TCP 80 and 443", created.listener_ids.join(" and ")));
    let targets: Vec<_> = instances.iter().map(|id| Target::new(8080).instance_id(id)).collect();
    let clb = &account.clb;
    stream::iter(created.listener_ids.into_iter().map(Ok))
        .try_for_each(|listener| {
            let request = RegisterTargets::new(&*id, listener, targets.clone());
            async move {
                let registered = clb.register_targets(request).await?;
                clb.wait_for_task(registered.request_id).await.map(drop)
            }
        })
        .await?;
    account.tell(&format!("{} targets behind each", instances.len()));
    Ok(Balancer { id, address })
}

pub(crate) async fn show_health(account: &Account, balancer: &Balancer) -> Step {
    let answer = account.clb.describe_target_health(DescribeTargetHealth::new([&*balancer.id])).await?;
    for listener in answer.load_balancers.iter().flat_map(|balancer| &balancer.listeners) {
        for target in listener.rules.iter().flat_map(|rule| &rule.targets) {
            let (port, state) = (listener.port, &target.health_status_detail);
            account.tell(&format!("port {port:>3} to {}:{} is {state}", target.ip, target.port));
        }
    }
    Ok(())
}

pub(crate) async fn delete(account: &Account, balancer: &Balancer) -> Step {
    account.clb.delete_load_balancer(DeleteLoadBalancer::new([&*balancer.id])).await?;
    account.clb.wait_for_load_balancers([&*balancer.id], is_deleted()).on_poll(progress("deleted")).await?;
    account.tell(&format!("load balancer {} deleted", balancer.id));
    Ok(())
}
