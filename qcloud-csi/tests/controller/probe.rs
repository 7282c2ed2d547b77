//! A driver that can't work says so before it is asked to.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use qcloud_core::credential::{CredentialProvider, Credentials};
use qcloud_core::{Config, Error};
use qcloud_csi::driver::Driver;
use qcloud_csi::identity::IdentityService;
use qcloud_csi::proto::ProbeRequest;
use qcloud_csi::proto::identity_server::Identity;
use tonic::{Code, Request};

/// A machine on which nobody has set anything up.
#[derive(Debug)]
struct Nothing;

impl CredentialProvider for Nothing {
    fn name(&self) -> &'static str {
        "nothing"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        async { Ok(None) }.boxed()
    }
}

#[tokio::test]
async fn a_controller_without_credentials_is_not_ready() {
    let config = Config::builder().region("ap-guangzhou").credentials(Nothing).build().unwrap();
    let identity = IdentityService::new(Driver::default()).with_controller(config);
    let status = identity.probe(Request::new(ProbeRequest {})).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("credentials"), "{}", status.message());
}

#[tokio::test]
async fn a_node_needs_none() {
    let answer = IdentityService::new(Driver::default()).probe(Request::new(ProbeRequest {})).await.unwrap();
    assert_eq!(answer.into_inner().ready, Some(true));
}
