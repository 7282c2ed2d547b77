//! The network that the machines live in.

use qcloud_vpc::model::{CreateSubnet, CreateVpc, DeleteSubnet, DeleteVpc};

use crate::Step;
use crate::account::Account;

pub(crate) struct Network {
    pub(crate) zone: String,
    pub(crate) vpc_id: String,
    pub(crate) subnet_id: String,
}

pub(crate) async fn create(account: &Account) -> Step<Network> {
    account.title("A network");
    let zones = account.cvm.describe_zones(qcloud_cvm::model::DescribeZones::new()).await?;
    let zone = zones.zone_set.into_iter().next().map(|zone| zone.zone);
    let zone = zone.ok_or("the region has no zone")?;

    let created = account.vpc.create_vpc(CreateVpc::new("tour").cidr_block("10.0.0.0/16")).await?;
    let vpc_id = created.vpc.vpc_id;
    account.tell(&format!("VPC {vpc_id} with 10.0.0.0/16"));

    let request = CreateSubnet::new(&*vpc_id, "tour", &*zone).cidr_block("10.0.1.0/24");
    let subnet = account.vpc.create_subnet(request).await?.subnet;
    account.tell(&format!(
        "subnet {} in {zone} with 10.0.1.0/24, {} addresses free",
        subnet.subnet_id,
        subnet.available_ip_address_count.unwrap_or_default()
    ));
    Ok(Network { zone, vpc_id, subnet_id: subnet.subnet_id })
}

pub(crate) async fn delete(account: &Account, network: &Network) -> Step {
    account.vpc.delete_subnet(DeleteSubnet::new(&*network.subnet_id)).await?;
    account.vpc.delete_vpc(DeleteVpc::new(&*network.vpc_id)).await?;
    account.tell(&format!("deleted {} and {}", network.subnet_id, network.vpc_id));
    Ok(())
}
