//! The identity service: who the driver is, and whether it is fit for work.

use qcloud_core::Config;
use tonic::{Request, Response, Status};

use crate::driver::Driver;
use crate::proto::identity_server::Identity;
use crate::proto::plugin_capability::{Service, Type, VolumeExpansion, service, volume_expansion};
use crate::proto::{
    GetPluginCapabilitiesRequest, GetPluginCapabilitiesResponse, GetPluginInfoRequest, GetPluginInfoResponse,
    PluginCapability, ProbeRequest, ProbeResponse,
};

/// The identity service.
#[derive(Clone, Debug)]
pub struct IdentityService {
    driver: Driver,
    /// What the controller service works with, where it is served.
    controller: Option<Config>,
}

impl IdentityService {
    /// The identity of a process that serves the node service only. It needs no account.
    #[must_use]
    pub fn new(driver: Driver) -> Self {
        Self { driver, controller: None }
    }

    /// Adds that the controller service is served, by clients of this configuration. A probe asks for its credentials.
    #[must_use]
    pub fn with_controller(mut self, config: Config) -> Self {
        self.controller = Some(config);
        self
    }
}

fn capability(of: Type) -> PluginCapability {
    PluginCapability { r#type: Some(of) }
}

fn served(service: service::Type) -> PluginCapability {
    capability(Type::Service(Service { r#type: service.into() }))
}

#[tonic::async_trait]
impl Identity for IdentityService {
    async fn get_plugin_info(
        &self,
        _: Request<GetPluginInfoRequest>,
    ) -> Result<Response<GetPluginInfoResponse>, Status> {
        Ok(Response::new(GetPluginInfoResponse {
            name: self.driver.name().to_owned(),
            vendor_version: self.driver.version().to_owned(),
            manifest: [("url".to_owned(), env!("CARGO_PKG_REPOSITORY").to_owned())].into(),
        }))
    }

    async fn get_plugin_capabilities(
        &self,
        _: Request<GetPluginCapabilitiesRequest>,
    ) -> Result<Response<GetPluginCapabilitiesResponse>, Status> {
        let mut capabilities = vec![
            served(service::Type::VolumeAccessibilityConstraints),
            capability(Type::VolumeExpansion(VolumeExpansion { r#type: volume_expansion::Type::Online.into() })),
        ];
        if self.controller.is_some() {
            capabilities.insert(0, served(service::Type::ControllerService));
        }
        Ok(Response::new(GetPluginCapabilitiesResponse { capabilities }))
    }

    async fn probe(&self, _: Request<ProbeRequest>) -> Result<Response<ProbeResponse>, Status> {
        if let Some(config) = &self.controller {
            config.credentials().await.map_err(|error| Status::failed_precondition(error.to_string()))?;
        }
        Ok(Response::new(ProbeResponse { ready: Some(true) }))
    }
}
