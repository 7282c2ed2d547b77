//! What is there: regions and zones.

use qcloud_cvm::model::{DescribeRegions, DescribeZones};

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
