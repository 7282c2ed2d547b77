//! What is there: regions and zones, and how much of what a tour makes.

use qcloud_cbs::model::{DescribeDisks, DescribeSnapshots};
use qcloud_clb::model::DescribeLoadBalancers;
use qcloud_container::v20180525::model::{DescribeClusterRouteTables, DescribeClusters};
use qcloud_cvm::model::{DescribeInstances, DescribeRegions, DescribeZones};
use qcloud_vpc::model::DescribeVpcs;

use crate::Step;
use crate::account::Account;

pub(crate) async fn look_around(account: &Account) -> Step {
    let regions = account.cvm.describe_regions(DescribeRegions::new()).await?;
    account.tell(&format!("{} regions, among them:", regions.total_count));
    for region in regions.region_set.iter().take(3) {
        account.tell(&format!("  {:<14} {}", region.region, region.region_name));
    }
    let zones = account.cvm.describe_zones(DescribeZones::new()).await?;
    let names: Vec<_> = zones.zone_set.iter().map(|zone| zone.zone.as_str()).collect();
    account.tell(&format!("zones of this region: {}", names.join(", ")));
    Ok(())
}

/// How many of what the region has.
pub(crate) async fn count(account: &Account) -> Step<[(&'static str, usize); 7]> {
    let Account { cbs, clb, cvm, tke, vpc } = account;
    Ok([
        ("networks", vpc.describe_vpcs(DescribeVpcs::new()).await?.vpc_set.len()),
        ("instances", cvm.describe_instances(DescribeInstances::new()).await?.instance_set.len()),
        ("load balancers", clb.describe_load_balancers(DescribeLoadBalancers::new()).await?.load_balancer_set.len()),
        ("disks", cbs.describe_disks(DescribeDisks::new()).await?.disk_set.len()),
        ("snapshots", cbs.describe_snapshots(DescribeSnapshots::new()).await?.snapshot_set.len()),
        ("clusters", tke.describe_clusters(DescribeClusters::new()).await?.clusters.len()),
        (
            "cluster route tables",
            tke.describe_cluster_route_tables(DescribeClusterRouteTables::new()).await?.route_table_set.len(),
        ),
    ])
}
