//! An emulated cloud with one instance.

use std::time::Duration;

use qcloud_core::{Config, Endpoint};
use qcloud_cvm::model::{DescribeImages, DescribeZones, Placement, RunInstances};
use qcloud_cvm::wait::is_running;
use qcloud_emulator::{Emulator, Server};

use super::Result;

/// How much time passes in the cloud with each call, so that nobody has to wait for it.
const STEP: Duration = Duration::from_secs(3);

pub(super) struct Cloud {
    pub(super) server: Server,
    pub(super) config: Config,
    pub(super) zone: String,
    /// The instance.
    pub(super) node: String,
}

impl Cloud {
    pub(super) async fn start() -> Result<Self> {
        let server = Emulator::builder().advance_per_request(STEP).start().await?;
        let config = Config::builder()
            .region(server.region())
            .endpoint(Endpoint::url(server.endpoint())?)
            .static_credentials(server.secret_id(), server.secret_key())
            .build()?;
        let cvm = qcloud_cvm::Client::new(&config);
        let zones = cvm.describe_zones(DescribeZones::new()).await?.zone_set;
        let zone = zones.into_iter().next().ok_or("the region has no zone")?.zone;
        let images = cvm.describe_images(DescribeImages::new().limit(1_u64)).await?.image_set;
        let image = images.into_iter().next().ok_or("the region has no image")?.image_id;
        let order = RunInstances::new()
            .placement(Placement::new(&*zone))
            .image_id(image)
            .instance_type("S5.MEDIUM2")
            .instance_name("node-1");
        let instances = cvm.run_instances(order).await?.instance_id_set;
        let node = instances.into_iter().next().ok_or("no instance was made")?;
        cvm.wait_for_instances([&*node], is_running()).await?;
        Ok(Self { server, config, zone, node })
    }
}
