//! Key pairs.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::instances::named;
use super::lifecycle::{self, Outcome, changing};
use super::{LISTS, key_material, tag_specifications};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::{Quota, Task};
use crate::tags::Tag;
use crate::world::{Local, Region, World};

/// A key pair. The private key is told once and not kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyPair {
    id: String,
    name: String,
    project_id: i64,
    description: String,
    public_key: String,
    created: Time,
    tags: Vec<Tag>,
}

const MALFORMED: &str = "InvalidKeyPairId.Malformed";
/// How many instances or keys one request takes.
const MOST: usize = 100;

impl KeyPair {
    fn show(&self, region: &Region) -> Value {
        let instances = region.cvm.instances.values().filter(|instance| instance.key_ids.contains(&self.id));
        json!({
            "KeyId": self.id,
            "KeyName": self.name,
            "ProjectId": self.project_id,
            "Description": self.description,
            "PublicKey": self.public_key,
            "AssociatedInstanceIds": instances.map(|instance| instance.id.as_str()).collect::<Vec<_>>(),
            "CreatedTime": self.created.iso(),
            "Tags": self.tags,
        })
    }
}

/// Checks that all these key pairs exist; `missing` is the error for one that does not.
pub(super) fn existing(here: &Local<'_>, ids: &[String], missing: &'static str) -> Result<(), ApiError> {
    if ids.len() > MOST {
        let message = format!("`KeyIds` takes at most {MOST} ids; the request gives {}.", ids.len());
        return Err(ApiError::new("InvalidParameterValue.LimitExceeded", message));
    }
    for id in ids {
        listing::check_id(("KeyIds", id), "skey", MALFORMED)?;
        if !here.region.cvm.key_pairs.contains(id) {
            return Err(ApiError::new(missing, format!("The key pair `{id}` does not exist in this region.")));
        }
    }
    Ok(())
}

fn check_name(here: &Local<'_>, name: &str) -> Result<(), ApiError> {
    let fault = |code: &'static str, message: &str| Err(ApiError::new(code, message));
    if name.is_empty() {
        return fault("InvalidKeyPairNameEmpty", "`KeyName` must not be empty.");
    }
    if name.chars().count() > 25 {
        return fault("InvalidKeyPairNameTooLong", "`KeyName` has at most 25 characters.");
    }
    if !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
        return fault("InvalidKeyPairNameIncludeIllegalChar", "`KeyName` consists of letters, digits and underscores.");
    }
    if let Some(other) = here.region.cvm.key_pairs.values().find(|other| other.name == name) {
        let message = format!("`KeyName`: the key pair `{}` has the name `{name}` already.", other.id);
        return Err(ApiError::new("InvalidKeyPairName.Duplicate", message));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NewKey {
    key_name: String,
    project_id: i64,
    public_key: Option<String>,
    tag_specification: Option<Vec<super::TagSpecification>>,
}

impl NewKey {
    /// Checks everything but the public key. Gives the tags.
    fn check(&self, here: &Local<'_>) -> Result<Vec<Tag>, ApiError> {
        check_name(here, &self.key_name)?;
        if self.project_id < 0 {
            let message = format!("`ProjectId`: there is no project {}.", self.project_id);
            return Err(ApiError::new("InvalidProjectId.NotFound", message));
        }
        let limit = here.settings.limit(Quota::KeyPairsPerRegion);
        if here.region.cvm.key_pairs.len() >= limit {
            let message = format!("The region {} has its {limit} key pairs already.", here.name);
            return Err(ApiError::new("InvalidKeyPair.LimitExceeded", message));
        }
        tag_specifications(self.tag_specification.as_deref(), "keypair")
    }

    fn keep(&self, here: &mut Local<'_>, id: &str, public_key: String, tags: Vec<Tag>) {
        let key = KeyPair {
            id: id.to_owned(),
            name: self.key_name.clone(),
            project_id: self.project_id,
            description: String::new(),
            public_key,
            created: here.now,
            tags,
        };
        here.region.cvm.key_pairs.insert(id, key);
    }
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: NewKey = call.input()?;
    let mut here = world.local(call);
    let tags = input.check(&here)?;
    let id = here.ids.new_id("skey");
    let public_key = format!("{} {id}", key_material::public_key(here.ids));
    let private_key = key_material::private_key(here.ids);
    input.keep(&mut here, &id, public_key, tags);
    let mut shown = here.region.cvm.key_pairs.get(&id).map(|key| key.show(here.region)).unwrap_or_default();
    if let Some(members) = shown.as_object_mut() {
        members.insert("PrivateKey".to_owned(), Value::String(private_key));
    }
    Ok(json!({ "KeyPair": shown }))
}

pub(super) fn import(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: NewKey = call.input()?;
    let mut here = world.local(call);
    let tags = input.check(&here)?;
    let public_key = input.public_key.clone().unwrap_or_default();
    let mut parts = public_key.split_whitespace();
    if !matches!((parts.next(), parts.next()), (Some("ssh-rsa"), Some(body)) if key_material::is_base64(body)) {
        let message = "`PublicKey` must be an RSA key in the form of OpenSSH: `ssh-rsa AAAA… comment`.";
        return Err(ApiError::new("InvalidPublicKey.Malformed", message));
    }
    let body = public_key.split_whitespace().nth(1);
    let mut others = here.region.cvm.key_pairs.values();
    if let Some(other) = others.find(|other| other.public_key.split_whitespace().nth(1) == body) {
        let message = format!("`PublicKey`: the key pair `{}` has this key already.", other.id);
        return Err(ApiError::new("InvalidPublicKey.Duplicate", message));
    }
    drop(others);
    let id = here.ids.new_id("skey");
    input.keep(&mut here, &id, public_key.trim().to_owned(), tags);
    Ok(json!({ "KeyId": id }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        key_ids: Option<Vec<String>>,
        filters: Option<Vec<Filter>>,
        offset: Option<i64>,
        limit: Option<i64>,
    }
    const FILTERS: &[&str] = &["project-id", "key-name", "tag-key", "tag-value", "tag:"];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("KeyIds", input.key_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.key_ids.unwrap_or_default();
    listing::check_ids(("KeyIds", &ids), "skey", MALFORMED, &LISTS)?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let (total, keys) = page.cut(here.region.cvm.key_pairs.among(&ids).filter(|key| {
        filters.accept(&key.tags, |name, value| match name {
            "project-id" => key.project_id.to_string() == value,
            "key-name" => key.name == value,
            _ => false,
        })
    }));
    let keys: Vec<Value> = keys.into_iter().map(|key| key.show(here.region)).collect();
    Ok(json!({ "TotalCount": total, "KeyPairSet": keys }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        key_id: String,
        key_name: Option<String>,
        description: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    existing(&here, std::slice::from_ref(&input.key_id), "InvalidKeyPairId.NotFound")?;
    let same = |name: &str| here.region.cvm.key_pairs.get(&input.key_id).is_some_and(|key| key.name == name);
    if let Some(name) = input.key_name.as_deref().filter(|name| !same(name)) {
        check_name(&here, name)?;
    }
    if let Some(key) = here.region.cvm.key_pairs.get_mut(&input.key_id) {
        key.name = input.key_name.unwrap_or_else(|| key.name.clone());
        key.description = input.description.unwrap_or_else(|| key.description.clone());
    }
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        key_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    if input.key_ids.is_empty() {
        return Err(ApiError::missing("KeyIds"));
    }
    existing(&here, &input.key_ids, "InvalidKeyPairId.NotFound")?;
    for instance in here.region.cvm.instances.values() {
        if let Some(id) = input.key_ids.iter().find(|id| instance.key_ids.contains(id)) {
            let message = format!("The key pair `{id}` is associated with the instance `{}`.", instance.id);
            return Err(ApiError::new("InvalidParameterValue.KeyPairNotSupported", message));
        }
    }
    for id in &input.key_ids {
        here.region.cvm.key_pairs.remove(id);
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Keys {
    instance_ids: Vec<String>,
    key_ids: Vec<String>,
    force_stop: Option<bool>,
}

impl Keys {
    fn of(call: &Call, here: &Local<'_>) -> Result<Self, ApiError> {
        let input: Self = call.input()?;
        if input.key_ids.is_empty() {
            return Err(ApiError::missing("KeyIds"));
        }
        existing(here, &input.key_ids, "InvalidKeyPairId.NotFound")?;
        let instances = named(here.region, &input.instance_ids)?;
        if let Some(instance) = instances.iter().find(|instance| instance.is_windows()) {
            let message = format!("The instance `{}` runs Windows, which takes no keys.", instance.id);
            return Err(ApiError::new("InvalidParameterValue.KeyPairNotSupported", message));
        }
        Ok(input)
    }
}

pub(super) fn associate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let mut here = world.local(call);
    let input = Keys::of(call, &here)?;
    lifecycle::operate(&mut here, call, &input.instance_ids, changing(input.force_stop), |instance| {
        for id in &input.key_ids {
            if !instance.key_ids.contains(id) {
                instance.key_ids.push(id.clone());
            }
        }
        let (during, after) = lifecycle::stopping(instance);
        (during, Task::InstanceChange, Outcome::Becomes(after))
    })
}

pub(super) fn disassociate(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let mut here = world.local(call);
    let input = Keys::of(call, &here)?;
    for instance in named(here.region, &input.instance_ids)? {
        if let Some(id) = input.key_ids.iter().find(|id| !instance.key_ids.contains(id)) {
            let message = format!("The key pair `{id}` is not associated with the instance `{}`.", instance.id);
            return Err(ApiError::new("FailedOperation.DisassociateKeyPairFailed", message));
        }
    }
    lifecycle::operate(&mut here, call, &input.instance_ids, changing(input.force_stop), |instance| {
        instance.key_ids.retain(|id| !input.key_ids.contains(id));
        let (during, after) = lifecycle::stopping(instance);
        (during, Task::InstanceChange, Outcome::Becomes(after))
    })
}
