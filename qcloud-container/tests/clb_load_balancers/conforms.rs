//! The suite of the contract.

use qcloud_container::kubernetes::load_balancers::conformance;
use qcloud_emulator::MissingBalancer;

use crate::cloud::{Cloud, builder};

#[tokio::test]
async fn the_suite_passes() {
    conformance::run(&Cloud::new().await).await.unwrap();
}

#[tokio::test]
async fn the_suite_passes_however_absence_is_said() {
    for answer in [MissingBalancer::OwnCode, MissingBalancer::Plain] {
        conformance::run(&Cloud::of(builder().missing_balancer(answer)).await).await.unwrap();
    }
}
