//! The metadata server: what an instance learns about itself at `http://metadata.tencentyun.com/latest/meta-data/`.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

use crate::clock::Time;
use crate::cvm::Instance;
use crate::sts::{ACCOUNT, Holder};
use crate::vpc;
use crate::vpc::interfaces::Interface;
use crate::world::World;

const ROOT: &str = "/latest/meta-data";
/// Below this, each instance has a server of its own.
const INSTANCES: &str = "/instances/";
const ROLES: &str = "cam/security-credentials";

/// What a request to the metadata server asks for.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    /// The instance that the path names.
    pub(crate) instance: Option<&'a str>,
    /// Below `/latest/meta-data`, without slashes around it.
    pub(crate) file: &'a str,
}

/// The part of a request that the metadata server is asked for; `None` when it is a request to the API.
pub(crate) fn path<B>(request: &Request<B>) -> Option<Path<'_>> {
    let path = Some(request.uri().path()).filter(|_| request.method() == Method::GET)?;
    let (instance, path) = match path.strip_prefix(INSTANCES) {
        Some(rest) => {
            let (id, _) = rest.split_once('/')?;
            (Some(id), rest.get(id.len()..)?)
        }
        None => (None, path),
    };
    let file = path.strip_prefix(ROOT).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
    Some(Path { instance, file: file.trim_matches('/') })
}

/// What is there at a path; `None` when nothing is.
pub(crate) fn answer(world: &mut World, path: &str, instance: Option<&str>, now: Time) -> Option<String> {
    let id = instance.map(str::to_owned).or_else(|| world.state.metadata_instance.clone())?;
    let (region, instance) =
        world.state.regions.iter().find_map(|(name, region)| Some((name.clone(), region.cvm.instances.get(&id)?)))?;
    if let Some(role) = path.strip_prefix(ROLES).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
        let name = instance.role().to_owned();
        return match role.trim_start_matches('/') {
            _ if name.is_empty() => None,
            "" => Some(name),
            asked if asked == name => Some(credentials(world, &id, name, now)),
            _ => None,
        };
    }
    let interfaces = world.state.regions.get(&region).map(|region| vpc::interfaces_of(region, &id));
    let files = files(instance, &region, &interfaces.unwrap_or_default());
    if let Some((_, content)) = files.iter().find(|(name, _)| name == path) {
        return Some(content.clone());
    }
    list(&files, path)
}

/// Everything that an instance has a file for.
fn files(instance: &Instance, region: &str, interfaces: &[&Interface]) -> Vec<(String, String)> {
    let mut files = vec![
        ("app-id".to_owned(), ACCOUNT.to_owned()),
        ("instance-id".to_owned(), instance.id.clone()),
        ("instance-name".to_owned(), instance.name().to_owned()),
        ("uuid".to_owned(), instance.uuid().to_owned()),
        ("local-ipv4".to_owned(), instance.address().to_owned()),
        ("placement/region".to_owned(), region.to_owned()),
        ("placement/zone".to_owned(), instance.zone.clone()),
        ("instance/image-id".to_owned(), instance.image_id().to_owned()),
        ("instance/instance-type".to_owned(), instance.instance_type().to_owned()),
        ("payment/charge-type".to_owned(), instance.charge_type().to_owned()),
    ];
    if let Some(primary) = interfaces.first() {
        files.push(("mac".to_owned(), primary.mac.clone()));
    }
    if let Some(address) = instance.public_ips.first() {
        files.push(("public-ipv4".to_owned(), address.clone()));
    }
    for interface in interfaces {
        files.extend(files_of_interface(interface));
    }
    if !instance.role().is_empty() {
        files.push((format!("{ROLES}/{}", instance.role()), String::new()));
    }
    files
}

/// What an instance learns about one of its network interfaces.
fn files_of_interface(interface: &Interface) -> Vec<(String, String)> {
    let folder = format!("network/interfaces/macs/{}", interface.mac);
    let mut files = vec![
        (format!("{folder}/mac"), interface.mac.clone()),
        (format!("{folder}/vpc-id"), interface.vpc_id.clone()),
        (format!("{folder}/subnet-id"), interface.subnet_id.clone()),
    ];
    for address in &interface.addresses {
        let ip = address.ip.to_string();
        if address.primary {
            files.push((format!("{folder}/primary-local-ipv4"), ip.clone()));
        }
        if let Some(public) = &address.public {
            files.push((format!("{folder}/local-ipv4s/{ip}/public-ipv4"), public.ip.clone()));
        }
        files.push((format!("{folder}/local-ipv4s/{ip}/local-ipv4"), ip));
    }
    files
}

/// The names in a folder, one on a line; folders have a slash at the end.
fn list(files: &[(String, String)], folder: &str) -> Option<String> {
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let mut names: Vec<String> = Vec::new();
    for rest in files.iter().filter_map(|(name, _)| name.strip_prefix(&prefix)) {
        let name = rest.split_once('/').map_or_else(|| rest.to_owned(), |(folder, _)| format!("{folder}/"));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort();
    (!names.is_empty()).then(|| names.join("\n"))
}

fn credentials(world: &mut World, instance: &str, role: String, now: Time) -> String {
    let life = world.settings.role_credential_life;
    let holder = Holder { account: ACCOUNT.to_owned(), role, session: instance.to_owned() };
    let state = &mut world.state;
    let session = state.sts.of_instance(&mut state.ids, now, life, (instance, holder));
    json!({
        "TmpSecretId": session.secret_id,
        "TmpSecretKey": session.secret_key,
        "ExpiredTime": session.expires.seconds(),
        "Expiration": session.expires.iso(),
        "Token": session.token,
        "Code": "Success",
    })
    .to_string()
}

/// The answer over HTTP.
pub(crate) fn response(answer: Option<String>) -> Response<Bytes> {
    let (status, text) = match answer {
        Some(text) => (StatusCode::OK, text),
        None => (StatusCode::NOT_FOUND, "404 Not Found".to_owned()),
    };
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
