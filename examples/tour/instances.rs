//! The machines: run, list, stop, start, terminate, and a mistake.

use std::time::Duration;

use futures_util::TryStreamExt;
use qcloud_cvm::model::{
    DescribeImages, DescribeInstances, Filter, Instance, Placement, RunInstances, StartInstances, StopInstances,
    TagSpecification, TerminateInstances, VirtualPrivateCloud,
};
use qcloud_cvm::wait::{is_running, is_stopped, is_terminated};

use crate::Step;
use crate::account::Account;
use crate::network::Network;
use crate::progress::progress;

const PATIENCE: Duration = Duration::from_secs(300);

pub(crate) async fn run(account: &Account, network: &Network) -> Step<Vec<String>> {
    account.title("Three machines");
    let images = account.cvm.describe_images(DescribeImages::new().limit(1_u64)).await?;
    let image = images.image_set.into_iter().next().map(|image| image.image_id).unwrap_or_default();
    let request = RunInstances::new()
        .placement(Placement::new(&*network.zone))
        .image_id(image)
        .instance_type("S5.MEDIUM2")
        .instance_name("tour")
        .instance_count(3)
        .virtual_private_cloud(VirtualPrivateCloud::new(&*network.vpc_id, &*network.subnet_id))
        .tag_specification([TagSpecification::new("instance", [("made-by", "tour")])]);
    let ids = account.cvm.run_instances(request).await?.instance_id_set;
    account.tell(&format!("asked for {}", ids.join(", ")));

    let instances =
        account.cvm.wait_for_instances(&ids, is_running()).with_timeout(PATIENCE).on_poll(progress("running")).await?;
    account.tell(&format!("all {} are running", instances.len()));
    Ok(ids)
}

fn describe(account: &Account, instance: &Instance) {
    account.tell(&format!(
        "{:<14} {:<8} {:<12} {:>2} cores {:>3} GB  {}",
        instance.instance_id,
        instance.instance_state,
        instance.instance_type,
        instance.cpu,
        instance.memory,
        instance.private_ip_addresses.join(" "),
    ));
}

pub(crate) async fn list(account: &Account, network: &Network) -> Step {
    account.title("The list, item by item");
    let mine = DescribeInstances::new().filters([Filter::new("vpc-id", [&*network.vpc_id])]);
    let mut instances = account.cvm.describe_instances(mine).items();
    while let Some(instance) = instances.try_next().await? {
        describe(account, &instance);
    }
    Ok(())
}

pub(crate) async fn list_all(account: &Account) -> Step {
    account.title("All instances of the region");
    let mut instances = account.cvm.describe_instances(DescribeInstances::new()).items();
    let mut count = 0;
    while let Some(instance) = instances.try_next().await? {
        describe(account, &instance);
        count += 1;
    }
    account.tell(&format!("{count} in all"));
    Ok(())
}

pub(crate) async fn stop_and_start(account: &Account, ids: &[String]) -> Step {
    account.title("One of them rests for a moment");
    let Some(id) = ids.first() else { return Ok(()) };
    account.cvm.stop_instances(StopInstances::new([id])).await?;
    account.cvm.wait_for_instances([id], is_stopped()).with_timeout(PATIENCE).on_poll(progress("stopped")).await?;
    account.tell(&format!("{id} is stopped"));
    account.cvm.start_instances(StartInstances::new([id])).await?;
    account.cvm.wait_for_instances([id], is_running()).with_timeout(PATIENCE).on_poll(progress("running")).await?;
    account.tell(&format!("{id} is running again"));
    Ok(())
}

pub(crate) async fn make_a_mistake(account: &Account) -> Step {
    account.title("What a mistake looks like");
    match account.cvm.stop_instances(StopInstances::new(["ins-00000000"])).await {
        Ok(_) => account.tell("an instance that does not exist was stopped: that should not happen"),
        Err(error) => {
            account.tell(&format!("{error}"));
            account.tell(&format!("  code          {}", error.code().unwrap_or("none")));
            account.tell(&format!("  message       {}", error.message()));
            account.tell(&format!("  request id    {}", error.request_id().unwrap_or("none")));
            account.tell(&format!("  is not found  {}", error.is_not_found()));
        }
    }
    Ok(())
}

pub(crate) async fn terminate(account: &Account, ids: &[String]) -> Step {
    account.cvm.terminate_instances(TerminateInstances::new(ids)).await?;
    account.cvm.wait_for_instances(ids, is_terminated()).with_timeout(PATIENCE).on_poll(progress("gone")).await?;
    account.tell(&format!("{} instances terminated", ids.len()));
    Ok(())
}
