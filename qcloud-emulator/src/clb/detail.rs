//! `DescribeLoadBalancersDetail`: load balancers, listeners, rules and targets as flat rows.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::describe::{in_zone, mentions};
use super::errors;
use super::health::{Checked, Seen};
use super::listeners::Listener;
use super::load_balancers::{Internet, LoadBalancer, Prepaid, show_tags};
use super::rules::Rule;
use super::{LISTS, numbers, targets};
use crate::call::Call;
use crate::error::ApiError;
use crate::listing::{Filter, Filters, Page};
use crate::settings::DetailPages;
use crate::world::{Local, World};

const FILTERS: &[&str] = &[
    "loadbalancer-id",
    "project-id",
    "network",
    "vip",
    "vpcid",
    "target-ip",
    "zone",
    "tag-key",
    "tag:",
    "fuzzy-search",
];
const OF_BALANCERS: &[&str] = &[
    "LoadBalancerId",
    "LoadBalancerName",
    "LoadBalancerType",
    "Status",
    "Address",
    "AddressIPv6",
    "AddressIPVersion",
    "IPv6Mode",
    "Zone",
    "AddressIsp",
    "VpcId",
    "ProjectId",
    "CreateTime",
    "ChargeType",
    "NetworkAttributes",
    "PrepaidAttributes",
    "ExtraInfo",
    "ConfigId",
    "Tags",
    "Isolation",
    "SecurityGroup",
    "LoadBalancerPassToTarget",
    "SlaveZone",
    "Zones",
    "LoadBalancerDomain",
    "Egress",
    "AttributeFlags",
    "SlaType",
    "Exclusive",
    "AvailableZoneAffinityInfo",
];
const OF_LISTENERS: &[&str] = &["ListenerId", "Protocol", "Port", "SniSwitch"];
const OF_RULES: &[&str] = &["LocationId", "Domain", "Domains", "Url"];
const OF_TARGETS: &[&str] = &["TargetId", "TargetAddress", "TargetPort", "TargetWeight", "TargetHealth"];
/// Those that every row has.
const ALWAYS: &[&str] = &["LoadBalancerId", "LoadBalancerName", "LoadBalancerDomain", "Egress"];

/// How far the rows go into detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Balancers,
    Listeners,
    Rules,
    Targets,
}

/// One row.
#[derive(Clone, Copy)]
struct Row<'a> {
    balancer: &'a LoadBalancer,
    listener: Option<&'a Listener>,
    rule: Option<&'a Rule>,
    target: Option<Seen<'a>>,
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        #[serde(default, deserialize_with = "numbers::optional")]
        limit: Option<i64>,
        #[serde(default, deserialize_with = "numbers::optional")]
        offset: Option<i64>,
        fields: Option<Vec<String>>,
        target_type: Option<String>,
        filters: Option<Vec<Filter>>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::new(input.offset, input.limit, &LISTS)?;
    let fields = input.fields.unwrap_or_default();
    let depth = depth(&fields)?;
    let groups = match input.target_type.as_deref() {
        Some("NODE") => false,
        Some("GROUP") => true,
        Some(other) => return Err(errors::value(format!("`TargetType` must be NODE or GROUP, not `{other}`."))),
        None if depth > Depth::Balancers => {
            return Err(errors::parameter(
                "`TargetType` must be given when `Fields` has some of listeners, rules or targets.",
            ));
        }
        None => false,
    };
    // The newest first, as the other list has it.
    let balancers = here.region.clb.balancers.values().rev();
    let balancers = balancers
        .filter(|balancer| filters.accept(&balancer.tags, |name, value| fits(&here, balancer, groups, name, value)));
    let wanted = filters.values("target-ip");
    let rows_of = |balancer| {
        let mut rows = rows(&here, balancer, depth, groups);
        if depth == Depth::Targets {
            let fits = |seen: Seen<'_>, value: &String| targets::same_address(&seen.target.place.address, value);
            rows.retain(|row| {
                wanted.is_none_or(|wanted| row.target.is_some_and(|seen| wanted.iter().any(|value| fits(seen, value))))
            });
        }
        rows
    };
    let (total, rows) = match here.settings.detail_pages {
        DetailPages::Rows => page.cut(balancers.flat_map(rows_of)),
        DetailPages::LoadBalancers => {
            let (total, balancers) = page.cut(balancers);
            (total, balancers.into_iter().flat_map(rows_of).collect())
        }
    };
    let rows: Vec<Value> = rows.into_iter().map(|row| row.show(&here, &fields)).collect();
    Ok(json!({ "TotalCount": total, "LoadBalancerDetailSet": rows }))
}

fn depth(fields: &[String]) -> Result<Depth, ApiError> {
    let levels = [
        (Depth::Balancers, OF_BALANCERS),
        (Depth::Listeners, OF_LISTENERS),
        (Depth::Rules, OF_RULES),
        (Depth::Targets, OF_TARGETS),
    ];
    let mut deepest = Depth::Balancers;
    for field in fields {
        let level = levels.iter().find(|(_, names)| names.contains(&field.as_str()));
        let unknown = || errors::value(format!("`Fields`: there is no field `{field}`."));
        deepest = deepest.max(level.ok_or_else(unknown)?.0);
    }
    Ok(deepest)
}

fn fits(here: &Local<'_>, balancer: &LoadBalancer, groups: bool, name: &str, value: &str) -> bool {
    match name {
        "loadbalancer-id" => balancer.id == value,
        "project-id" => balancer.project_id.to_string() == value,
        "network" => network(balancer) == value,
        "vip" => balancer.answers_at(value),
        "vpcid" => balancer.vpc_id == value,
        "zone" => in_zone(here, balancer, value),
        "fuzzy-search" => mentions(balancer, value),
        "target-ip" => rows(here, balancer, Depth::Targets, groups)
            .iter()
            .filter_map(|row| row.target)
            .any(|seen| targets::same_address(&seen.target.place.address, value)),
        _ => false,
    }
}

fn network(balancer: &LoadBalancer) -> &'static str {
    if balancer.public { "Public" } else { "Private" }
}

/// The rows of a load balancer: one at least, also when there is nothing below it.
fn rows<'a>(here: &'a Local<'_>, balancer: &'a LoadBalancer, depth: Depth, groups: bool) -> Vec<Row<'a>> {
    let bare = Row { balancer, listener: None, rule: None, target: None };
    if depth == Depth::Balancers || balancer.listeners.is_empty() {
        return vec![bare];
    }
    let mut rows = Vec::new();
    for listener in &balancer.listeners {
        let row = Row { listener: Some(listener), ..bare };
        let own = Checked {
            balancer,
            listener,
            check: listener.health_check.as_ref(),
            targets: &listener.targets,
            groups: &listener.groups,
        };
        if depth == Depth::Listeners {
            rows.push(row);
        } else if listener.rules.is_empty() {
            push_targets(here, &mut rows, row, own, depth, groups);
        } else {
            for rule in &listener.rules {
                let row = Row { rule: Some(rule), ..row };
                let checked =
                    Checked { check: Some(&rule.health_check), targets: &rule.targets, groups: &rule.groups, ..own };
                push_targets(here, &mut rows, row, checked, depth, groups);
            }
        }
    }
    rows
}

fn push_targets<'a>(
    here: &'a Local<'_>,
    rows: &mut Vec<Row<'a>>,
    row: Row<'a>,
    checked: Checked<'a>,
    depth: Depth,
    groups: bool,
) {
    let before = rows.len();
    if depth == Depth::Targets {
        let seen = checked.seen(here).filter(|seen| seen.group.is_some() == groups);
        rows.extend(seen.map(|seen| Row { target: Some(seen), ..row }));
    }
    if rows.len() == before {
        rows.push(row);
    }
}

impl Row<'_> {
    fn show(self, here: &Local<'_>, fields: &[String]) -> Value {
        let all = [OF_BALANCERS, OF_LISTENERS, OF_RULES, OF_TARGETS].into_iter().flatten();
        let mut shown = Map::new();
        for name in all {
            let asked = ALWAYS.contains(name) || fields.iter().any(|field| field == name);
            let value = if asked { self.field(here, name) } else { Value::Null };
            shown.insert((*name).to_owned(), value);
        }
        Value::Object(shown)
    }

    fn field(self, here: &Local<'_>, name: &str) -> Value {
        match name {
            "ListenerId" => json!(self.listener.map(|listener| &listener.id)),
            "Protocol" => json!(self.listener.map(|listener| &listener.protocol)),
            "Port" => json!(self.listener.map(|listener| listener.port)),
            "SniSwitch" => json!(self.listener.map(|listener| u8::from(listener.options.sni))),
            "LocationId" => json!(self.rule.map(|rule| &rule.id)),
            "Domain" => json!(self.rule.map(Rule::domain)),
            "Domains" => json!(self.rule.map(|rule| rule.domains.join(","))),
            "Url" => json!(self.rule.map(|rule| &rule.url)),
            "TargetId" => json!(self.target.map(|seen| seen.target.id().to_owned())),
            "TargetAddress" => json!(self.target.map(|seen| &seen.target.place.address)),
            "TargetPort" => json!(self.target.map(|seen| seen.target.port)),
            "TargetWeight" => json!(self.target.map(|seen| seen.target.weight)),
            "TargetHealth" => json!(self.target.map(|seen| seen.condition.name())),
            _ => of_balancer(here, self.balancer, name),
        }
    }
}

fn of_balancer(here: &Local<'_>, balancer: &LoadBalancer, name: &str) -> Value {
    match name {
        "LoadBalancerId" => json!(balancer.id),
        "LoadBalancerName" => json!(balancer.name),
        "LoadBalancerType" => json!(network(balancer)),
        "Status" => json!(u8::from(balancer.ready)),
        "Address" => json!(balancer.vips().first().copied().unwrap_or_default()),
        "AddressIPv6" => json!(balancer.shown_ipv6()),
        "AddressIPVersion" => json!(if balancer.ipv6_mode.is_some() { "IPv6" } else { "IPv4" }),
        "IPv6Mode" => json!(balancer.ipv6_mode),
        "Zone" => json!(balancer.master_zone),
        "AddressIsp" => json!(balancer.isp),
        "VpcId" => json!(balancer.vpc_id),
        "ProjectId" => json!(balancer.project_id),
        "CreateTime" => json!(balancer.created.beijing()),
        "ChargeType" => json!(balancer.charge_type()),
        "NetworkAttributes" => json!(balancer.internet.as_ref().map(Internet::show)),
        "PrepaidAttributes" => json!(balancer.prepaid.as_ref().map(Prepaid::show)),
        "ExtraInfo" => json!({ "ZhiTong": false, "TgwGroupName": "" }),
        "ConfigId" => json!(""),
        "Tags" => json!(show_tags(&balancer.tags)),
        "Isolation" => json!(0),
        "SecurityGroup" => json!(balancer.security_groups),
        "LoadBalancerPassToTarget" => json!(u8::from(balancer.pass_to_target)),
        "SlaveZone" => json!(
            balancer.backup_zone.iter().filter_map(|zone| here.zone(zone)).map(|zone| zone.name).collect::<Vec<_>>()
        ),
        "LoadBalancerDomain" => json!(balancer.shown_domain()),
        "Egress" => json!(balancer.egress),
        "AttributeFlags" => json!(balancer.flags()),
        "SlaType" => json!(balancer.sla_type),
        "Exclusive" => json!(0),
        _ => Value::Null,
    }
}
