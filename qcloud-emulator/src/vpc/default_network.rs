//! The default VPC of a region, and its default subnet in each zone.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{subnets, vpcs};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::world::{Local, World};

const NETWORK: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 0);

/// The default subnet of a zone. It is made, with the default VPC, when it does not exist yet.
pub(crate) fn default_subnet(here: &mut Local<'_>, zone: &str) -> Result<String, ApiError> {
    let existing = here.region.vpc.subnets.values().find(|subnet| subnet.is_default && subnet.zone == zone);
    if let Some(subnet) = existing {
        return Ok(subnet.id.clone());
    }
    let existing = here.region.vpc.vpcs.values().find(|vpc| vpc.is_default).map(|vpc| vpc.id.clone());
    let vpc_id = match existing {
        Some(id) => id,
        None => {
            let cidr = Cidr::around(NETWORK, 16);
            let new = vpcs::NewVpc { name: "Default-VPC".to_owned(), cidr, is_default: true, tags: Vec::new() };
            vpcs::make(here, new)?
        }
    };
    let used: Vec<Cidr> =
        here.region.vpc.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id).map(|subnet| subnet.cidr).collect();
    let candidates = (0..16_u32).map(|number| Cidr::around(Ipv4Addr::from(u32::from(NETWORK) + (number << 12)), 20));
    let cidr = candidates.into_iter().find(|cidr| !used.iter().any(|other| other.overlaps(*cidr)));
    let Some(cidr) = cidr else {
        let message = "The default VPC has no room for another default subnet: name a VPC and a subnet.";
        return Err(ApiError::new("ResourceInsufficient.CidrBlock", message));
    };
    let new = subnets::NewSubnet {
        vpc_id,
        name: "Default-Subnet".to_owned(),
        cidr: cidr.to_string(),
        zone: zone.to_owned(),
        is_default: true,
        tags: Vec::new(),
    };
    subnets::make(here, new)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        zone: Option<String>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let any = || crate::zones::region(call.region).and_then(|region| region.zones().next()).map(|zone| zone.name);
    let zone = input.zone.or_else(any).unwrap_or_default();
    let id = default_subnet(&mut here, &zone)?;
    let subnet = subnets::find(here.region, &id)?;
    let vpc = vpcs::find(here.region, &subnet.vpc_id)?;
    Ok(json!({ "Vpc": {
        "VpcId": vpc.id,
        "SubnetId": subnet.id,
        "VpcName": vpc.name,
        "SubnetName": subnet.name,
        "CidrBlock": subnet.cidr,
    }}))
}
