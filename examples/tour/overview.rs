//! What is there: regions and zones, and how much of what a tour makes.

use qcloud_cbs::model::DescribeDisks;
use qcloud_clb::model::DescribeLoadBalancers;
use qcloud_container::v20180525::model::DescribeClusters;
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
pub(crate) async fn count(account: &Account) -> Step<[(&'static str, i64); 5]> {
    let networks = account.vpc.describe_vpcs(DescribeVpcs::new()).await?.vpc_set.len();
    let instances = account.cvm.describe_instances(DescribeInstances::new()).await?.instance_set.len();
    let balancers = account.clb.describe_load_balancers(DescribeLoadBalancers::new()).await?.load_balancer_set.len();
    let disks = account.cbs.describe_disks(DescribeDisks::new()).await?.disk_set.len();
    let clusters = account.tke.describe_clusters(DescribeClusters::new()).await?.clusters.len();
    let counts = [
        ("networks", networks),
        ("instances", instances),
        ("load balancers", balancers),
        ("disks", disks),
        ("clusters", clusters),
    ];
    Ok(counts.map(|(what, count)| (what, i64::try_from(count).unwrap_or(i64::MAX))))
}
